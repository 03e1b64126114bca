"""Questions about messages that lie only on the disk: answered right, and nobody else waits."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.store_builder import append, dispatch_all
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.errors import NotInMemory
from pocketmq.message.ids import offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.stats import ConsumeStats, TopicStats
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.store import MessageStore, StoreConfig
from pocketmq.store.config import ReadConfig, RetentionConfig

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="evicting pages is Linux's")

MESSAGES = 600
START_MS = 1_700_000_000_000
STEP_MS = 1000
WANTED = 100
STUCK = 8


def cold_config(directory: Path) -> StoreConfig:
    """The broker's store, of which no part counts as being in memory for sure."""
    return dataclasses.replace(
        broker_config(directory).store,
        reading=ReadConfig(hot_bytes=0),
        retention=RetentionConfig(reserved_hours=1_000_000, disk_full_percent=100),
    )


@pytest.fixture
def places(tmp_path: Path) -> list[int]:
    """A closed store of old messages, none of whose bytes are in memory: their log offsets."""
    clock = ManualClock(START_MS)
    store = MessageStore(cold_config(tmp_path), clock)
    store.open()
    found = []
    for number in range(MESSAGES):
        body = number.to_bytes(4, "big") * 5000
        found.append(append(store, "T", body=body, keys=f"key{number}").log_offset)
        clock.advance(ms=STEP_MS)
    dispatch_all(store)
    store.close()
    for file in [path for path in tmp_path.rglob("*") if path.is_file()]:
        descriptor = os.open(file, os.O_RDWR)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return found


@pytest.fixture
async def broker(tmp_path: Path, places: list[int]) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, store=cold_config(tmp_path)) as app:
        try:
            app.running.store.in_memory.record_at(places[WANTED])
        except NotInMemory:
            yield app
        else:
            pytest.skip("this file system keeps its pages in memory")


class Stuck:
    """Something to read from the disk that takes as long as the test says."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def fetch(self) -> None:
        self.may_end.wait(10)


@pytest.fixture
def slow_disk(broker: BrokerApp) -> Iterator[Stuck]:
    """The threads that read from the disk are busy until told otherwise."""
    stuck = Stuck()
    for _ in range(STUCK):
        broker.running.cold_reads.bring_in(stuck, lambda: None)
    yield stuck
    stuck.may_end.set()


async def answer_of(
    app: BrokerApp, peer: Peer, disk: Stuck, code: int, fields: dict[str, str]
) -> Command:
    """Ask; see that another client is served while the disk is slow; return the answer."""
    asked = asyncio.ensure_future(peer.call(code, fields, timeout_ms=15_000))
    sent = await peer.send("other")
    assert sent.code == 0, sent.remark
    for _ in range(3):
        largest = await peer.call(RequestCode.GET_MAX_OFFSET, {"topic": "T", "queueId": "0"})
        assert largest.fields["offset"] == str(MESSAGES)
    assert not asked.done(), "the answer needs bytes that the disk has not given yet"
    assert app.running.cold_reads.waiting > STUCK
    disk.may_end.set()
    return await asked


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "asker") as (one,):
        made = {"topic": "T", "defaultTopic": "TBW102", "readQueueNums": "1", "perm": "6"}
        made |= {"writeQueueNums": "1", "topicFilterType": "SINGLE_TAG", "order": "false"}
        await one.call(RequestCode.UPDATE_AND_CREATE_TOPIC, made | {"topicSysFlag": "0"})
        await one.heartbeat("T", group="g")
        yield one


def number_of(record: bytes | memoryview) -> int:
    return int.from_bytes(bytes(decode_record(record, 0).body)[:4], "big")


async def test_by_key(broker: BrokerApp, peer: Peer, slow_disk: Stuck) -> None:
    fields = {"topic": "T", "key": f"key{WANTED}", "maxNum": "10", "beginTimestamp": "0"}
    fields["endTimestamp"] = str(START_MS * 2)
    answer = await answer_of(broker, peer, slow_disk, RequestCode.QUERY_MESSAGE, fields)
    assert (answer.code, number_of(bytes(answer.body))) == (0, WANTED)


async def test_by_id(broker: BrokerApp, peer: Peer, slow_disk: Stuck, places: list[int]) -> None:
    fields = {"offset": str(places[WANTED])}
    answer = await answer_of(broker, peer, slow_disk, RequestCode.VIEW_MESSAGE_BY_ID, fields)
    assert (answer.code, number_of(bytes(answer.body))) == (0, WANTED)


async def test_the_offset_of_a_moment(broker: BrokerApp, peer: Peer, slow_disk: Stuck) -> None:
    fields = {"topic": "T", "queueId": "0", "timestamp": str(START_MS + WANTED * STEP_MS)}
    answer = await answer_of(
        broker, peer, slow_disk, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, fields
    )
    assert (answer.code, answer.fields["offset"]) == (0, str(WANTED))


async def test_the_time_of_the_first_message(
    broker: BrokerApp, peer: Peer, slow_disk: Stuck
) -> None:
    fields = {"topic": "T", "queueId": "0"}
    answer = await answer_of(
        broker, peer, slow_disk, RequestCode.GET_EARLIEST_MSG_STORETIME, fields
    )
    assert (answer.code, answer.fields["timestamp"]) == (0, str(START_MS))


async def commit(peer: Peer) -> None:
    fields = {"consumerGroup": "g", "topic": "T", "queueId": "0", "commitOffset": str(WANTED + 1)}
    assert (await peer.call(RequestCode.UPDATE_CONSUMER_OFFSET, fields)).code == 0


async def test_how_far_a_group_is(broker: BrokerApp, peer: Peer, slow_disk: Stuck) -> None:
    await commit(peer)
    answer = await answer_of(
        broker, peer, slow_disk, RequestCode.GET_CONSUME_STATS, {"consumerGroup": "g", "topic": "T"}
    )
    (found,) = ConsumeStats.from_json(answer.body).offset_table.values()
    assert (found.consumer_offset, found.last_timestamp) == (
        WANTED + 1,
        START_MS + WANTED * STEP_MS,
    )


async def test_how_far_all_groups_are(broker: BrokerApp, peer: Peer, slow_disk: Stuck) -> None:
    await commit(peer)
    code = RequestCode.GET_BROKER_CONSUME_STATS
    answer = await answer_of(broker, peer, slow_disk, code, {"isOrder": "false"})
    assert answer.code == 0, answer.remark
    assert str(START_MS + WANTED * STEP_MS).encode() in bytes(answer.body)


async def test_the_times_a_queue_covers(broker: BrokerApp, peer: Peer, slow_disk: Stuck) -> None:
    await commit(peer)
    fields = {"topic": "T", "group": "g"}
    answer = await answer_of(broker, peer, slow_disk, RequestCode.QUERY_CONSUME_TIME_SPAN, fields)
    for moment in (START_MS, START_MS + WANTED * STEP_MS):
        assert str(moment).encode() in bytes(answer.body)


async def test_a_reset_to_a_moment(broker: BrokerApp, peer: Peer, slow_disk: Stuck) -> None:
    await commit(peer)
    fields = {"topic": "T", "group": "g", "timestamp": str(START_MS), "isForce": "true"}
    code = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
    answer = await answer_of(broker, peer, slow_disk, code, fields)
    assert answer.code == 0, answer.remark
    pulled = await peer.call(
        RequestCode.QUERY_CONSUMER_OFFSET, {"consumerGroup": "g", "topic": "T", "queueId": "0"}
    )
    assert pulled.fields["offset"] == "0"


async def test_a_send_back(
    broker: BrokerApp, peer: Peer, slow_disk: Stuck, places: list[int]
) -> None:
    fields = {"offset": str(places[WANTED]), "group": "g", "delayLevel": "0"}
    fields |= {"originMsgId": offset_message_id(bytes(8), places[WANTED]), "unitMode": "false"}
    fields |= {"originTopic": "T", "maxReconsumeTimes": "16"}
    answer = await answer_of(broker, peer, slow_disk, RequestCode.CONSUMER_SEND_MSG_BACK, fields)
    assert answer.code == 0, answer.remark


async def test_what_the_broker_tells_of_itself(
    broker: BrokerApp, peer: Peer, slow_disk: Stuck
) -> None:
    answer = await answer_of(broker, peer, slow_disk, RequestCode.GET_BROKER_RUNTIME_INFO, {})
    assert f'"earliestMessageTimeStamp":"{START_MS}"'.encode() in bytes(answer.body)


async def test_who_asks_while_the_broker_stops_is_told_so(
    broker: BrokerApp, peer: Peer, slow_disk: Stuck, places: list[int]
) -> None:
    fields = {"offset": str(places[WANTED])}
    asked = asyncio.ensure_future(peer.call(RequestCode.VIEW_MESSAGE_BY_ID, fields))
    await until(lambda: broker.running.cold_reads.waiting > STUCK)
    slow_disk.may_end.set()
    await broker.stop()
    assert number_of(bytes((await asked).body)) == WANTED


async def test_the_extent_of_a_topic_whose_last_message_is_old(
    broker: BrokerApp, peer: Peer, slow_disk: Stuck
) -> None:
    # The last message itself was read when the broker started; this looks at all queues at once.
    slow_disk.may_end.set()
    answer = await peer.call(RequestCode.GET_TOPIC_STATS_INFO, {"topic": "T"})
    (extent,) = TopicStats.from_json(answer.body).offset_table.values()
    assert extent.last_update_timestamp == START_MS + (MESSAGES - 1) * STEP_MS
