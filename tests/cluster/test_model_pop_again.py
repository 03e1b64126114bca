"""What was popped and not acknowledged comes again: where, when, how often, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pops import RETRY, START_MS, ack, handles, pop, records, revive, send, tell
from tests.support.pulling import props

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PopConfig, TimersConfig
from pocketmq.broker.rules.pop import Handle
from pocketmq.broker.rules.pop_records import read_check_point
from pocketmq.clock import ManualClock
from pocketmq.message.batch import decode_batch, encode_batch
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode

RETRY_SECOND = "%RETRY%g+T"
RENEW = RequestCode.CHANGE_MESSAGE_INVISIBLETIME


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def leave_one_open(app: BrokerApp, peer: Peer, clock: ManualClock, body: bytes) -> None:
    """Send a message, pop it, and let its time pass."""
    await send(app, peer, body)
    set_dice(app, 99)
    assert [bytes(record.body) for record in records(await pop(peer, maxMsgNums=1))] == [body]
    clock.advance(seconds=12)
    assert await revive(app) == 1


def set_dice(app: BrokerApp, number: int) -> None:
    """From now on all pops throw this."""
    service = app.running.models.pops.service
    assert service is not None
    service.dice = lambda: number


async def test_a_message_comes_again_and_again_and_is_counted(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await leave_one_open(broker, peer, clock, b"a")
    for times in range(1, 21):
        (record,) = records(await pop(peer))
        assert (record.reconsume_times, bytes(record.body)) == (times, b"a"), "no limit here"
        assert record.properties["1ST_POP_TIME"] == str(START_MS)
        clock.advance(seconds=12)
        assert await revive(broker) == 1


async def test_retry_topics_of_the_second_form(tmp_path: Path, clock: ManualClock) -> None:
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        await leave_one_open(app, peer, clock, b"old")
        assert app.running.store.queue_offsets(RETRY, 0) == (0, 1)
    second = PopConfig(second_retry_form=True)
    async with local_broker(tmp_path, clock, pop=second) as app, connected(app, "one") as (peer,):
        assert await revive(app) == 1, "that old one"
        await leave_one_open(app, peer, clock, b"new")
        assert app.running.store.queue_offsets(RETRY_SECOND, 0)[1] == 1
        answer = await pop(peer)
        found = {bytes(r.body): h for r, h in zip(records(answer), handles(answer), strict=True)}
        assert {body: handle.retry_flag for body, handle in found.items()} == {b"new": 2, b"old": 1}
        assert (await ack(peer, found[b"new"], topic=RETRY_SECOND)).code == 0
        assert (await ack(peer, found[b"old"])).code == 0
        clock.advance(seconds=12)
        assert await revive(app) == 0
        await leave_one_open(app, peer, clock, b"newer")
    alone = PopConfig(second_retry_form=True, read_first_retry_form=False)
    async with local_broker(tmp_path, clock, pop=alone) as app, connected(app, "one") as (peer,):
        assert [handle.retry_flag for handle in handles(await pop(peer))] == [2]


@pytest.mark.parametrize(("dice", "expected"), [(19, b"again"), (20, b"new")])
async def test_one_pop_in_five_looks_at_the_retry_topic_first(
    broker: BrokerApp, peer: Peer, clock: ManualClock, dice: int, expected: bytes
) -> None:
    await leave_one_open(broker, peer, clock, b"again")
    await send(broker, peer, b"new")
    set_dice(broker, dice)
    answer = await pop(peer, maxMsgNums=1)
    assert [bytes(record.body) for record in records(answer)] == [expected]
    assert (answer.fields or {})["restNum"] == "1"
    set_dice(broker, 100)
    assert len(records(await pop(peer))) == 1, "the other one, wherever it is"


async def test_the_retry_topic_may_be_shown(tmp_path: Path, clock: ManualClock) -> None:
    shown = PopConfig(show_retry_topic=True)
    async with local_broker(tmp_path, clock, pop=shown) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        await leave_one_open(app, peer, clock, b"a")
        (record,) = records(await pop(peer))
        assert (record.topic, "POP_CK" in record.properties) == (RETRY, False)


async def test_a_renewed_message_obeys_its_new_handle_alone(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a")
    (handle,) = handles(await pop(peer))
    for _ in range(3):
        clock.advance(seconds=8)
        answer = await tell(peer, RENEW, handle, invisibleTime=10_000)
        assert answer.code == 0
        fields = answer.fields or {}
        handle = Handle(0, int(fields["popTime"]), 10_000, int(fields["reviveQid"]), 0, "b", 0, 0)
        assert await revive(broker) == 0
    assert (await ack(peer, handle)).code == 0
    clock.advance(seconds=30)
    assert await revive(broker) == 0, "renewed three times, then acknowledged"


async def test_a_stale_handle_settles_nothing(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a")
    (stale,) = handles(await pop(peer))
    clock.advance(seconds=5)
    assert (await tell(peer, RENEW, stale, invisibleTime=10_000)).code == 0
    assert (await ack(peer, stale)).code == 0, "as Apache answers"
    clock.advance(seconds=12)
    assert await revive(broker) == 1


async def test_a_message_that_cannot_be_put_again_is_tried_later_and_later(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    # Its properties have no room for when it was popped first.
    properties = f"UNIQ_KEY\x01k\x02WAIT\x01true\x02BIG\x01{'x' * 32_670}\x02"
    assert (await peer.send("T", b"big", 0, properties)).code == 0
    await send(broker, peer, b"small")
    assert len(handles(await pop(peer))) == 2
    clock.advance(seconds=12)
    assert await revive(broker) == 1, "the other one"
    revive_topic, store = "rmq_sys_REVIVE_LOG_C", broker.running.store
    for times, wait in ((1, 10), (2, 20), (3, 30)):
        clock.advance(seconds=wait + 2)
        await revive(broker)
        points = [
            read_check_point(record.body)
            for queue in store.queue_ids(revive_topic)
            for offset in range(*store.queue_offsets(revive_topic, queue))
            if (entry := store.entry_of(revive_topic, queue, offset))
            and (record := store.decoded_record_at(entry[0]))
        ]
        again = [point for point in points if point.failures == times]
        assert [(point.start_offset, point.differences) for point in again] == [(0, (0,))]
    assert store.queue_offsets(RETRY, 0)[1] == 1


async def test_nothing_comes_again_when_topic_or_group_is_gone(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    tables = broker.running.tables
    await send(broker, peer, b"a")
    assert (await pop(peer)).code == (await pop(peer, consumerGroup="h")).code == 0
    tables.groups.delete("g")
    clock.advance(seconds=12)
    assert await revive(broker) == 1, "for h alone"
    assert broker.running.store.queue_offsets("%RETRY%h_T", 0)[1] == 1
    assert broker.running.store.queue_offsets(RETRY, 0)[1] == 0


async def test_new_groups_begin_where_they_want(broker: BrokerApp, peer: Peer) -> None:
    await send(broker, peer, b"a", b"b")
    at_end = await pop(peer, consumerGroup="end", initMode=1)
    assert len(records(at_end)) == 2, "the first message is still in memory"
    tables = broker.running.tables
    tables.offsets.reset("end", "T", 0, 1)
    again = await pop(peer, consumerGroup="end")
    assert [bytes(record.body) for record in records(again)] == [b"b"]


async def test_the_newest_message_is_what_a_new_group_gets_where_memory_does_not_count(
    tmp_path: Path, clock: ManualClock
) -> None:
    strict = PopConfig(new_group_looks_in_memory=False)
    async with local_broker(tmp_path, clock, pop=strict) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        await send(app, peer, b"a", b"b")
        answer = await pop(peer, initMode=1)
        assert [bytes(record.body) for record in records(answer)] == [b"b"]


async def test_acks_without_a_timer_are_refused(tmp_path: Path, clock: ManualClock) -> None:
    async with (
        local_broker(tmp_path, clock, timers=TimersConfig(enabled=False)) as app,
        connected(app, "one") as (peer,),
    ):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        await send(app, peer, b"a")
        assert (await pop(peer)).code == ResponseCode.SYSTEM_ERROR
        forged = Handle(0, START_MS, 1000, 0, 0, "b", 0, 0)
        assert (await ack(peer, forged)).code == ResponseCode.SYSTEM_ERROR
        assert (await tell(peer, RENEW, forged, invisibleTime=1)).code == ResponseCode.SYSTEM_ERROR


async def test_a_batch_that_is_kept_whole_is_popped_and_comes_again_as_one(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    attributes = {"queue.type": "BatchCQ"}
    broker.running.tables.topics.put(TopicConfig("B", 1, 1, attributes=attributes))
    for key in ("U1", "U2"):
        own = props(UNIQ_KEY=key, WAIT="true")
        fields = {
            "a": "p", "b": "B", "c": "TBW102", "d": "1", "e": "0", "f": "0", "g": str(START_MS),
            "h": "0", "i": own, "j": "0", "k": "false", "m": "true",
        }  # fmt: skip
        body = encode_batch([(0, b"%d" % number, b"") for number in range(10)])
        answer = await peer.call(RequestCode.SEND_BATCH_MESSAGE, fields, body)
        assert answer.fields["batchUniqId"] == key
    broker.running.dispatch.drain()
    popped = await pop(peer, topic="B")
    assert (popped.fields or {})["msgOffsetInfo"] == "0 0 0,10"
    first, _ = handles(popped)
    assert (await ack(peer, first, topic="B")).code == 0
    clock.advance(seconds=12)
    assert await revive(broker) == 1
    (record,) = records(await pop(peer, topic="B"))
    assert [bytes(item.body) for item in decode_batch(record.body)] == [
        b"%d" % number for number in range(10)
    ]


async def test_a_group_that_has_too_many_out_gets_no_more(
    tmp_path: Path, clock: ManualClock
) -> None:
    limited = PopConfig(limit_out=True, out_max=1)
    async with local_broker(tmp_path, clock, pop=limited) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        await send(app, peer, b"a", b"b", b"c", b"d")
        first, second = handles(await pop(peer, maxMsgNums=2))
        refused = await pop(peer)
        assert refused.code == ResponseCode.POLLING_TIMEOUT
        assert len(handles(await pop(peer, consumerGroup="h"))) == 4, "another group"
        assert (await ack(peer, first)).code == 0
        assert len(handles(await pop(peer, maxMsgNums=1))) == 1
        assert (await pop(peer)).code == ResponseCode.POLLING_TIMEOUT
        assert (await ack(peer, second)).code == 0
        assert len(handles(await pop(peer))) == 1
