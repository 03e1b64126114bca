"""What a pull is answered: one test for each status of the store, and for each check, in order."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.failing_disk import FailingDisk
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PullConfig, TopicsConfig
from pocketmq.clock import ManualClock
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.bodies.heartbeat import ConsumerData, Heartbeat, SubscriptionData
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.offsets import ResetOffsetRequest
from pocketmq.protocol.requests.pull import HAS_SUBSCRIPTION, PullRequest

FOUND, NOT_FOUND, RETRY, MOVED = 0, 19, 20, 21


async def pull(
    peer: Peer,
    offset: int = 0,
    *,
    group: str = "g",
    topic: str = "T",
    queue_id: int = 0,
    count: int = 32,
    sys_flag: int = HAS_SUBSCRIPTION,
    expression: str | None = "*",
    version: int = 0,
    kind: str | None = None,
    code: int = RequestCode.PULL_MESSAGE,
) -> Command:
    place = QueueOffset(offset)
    request = PullRequest(
        group, topic, queue_id, place, count, sys_flag, QueueOffset(0), 0, expression, version, kind
    )
    return await peer.call(code, request)


def told(answer: Command) -> tuple[int, str | None, int, int, int]:
    """Code, status, and the next, smallest and largest offset."""
    fields = answer.fields
    offsets = [int(fields[name]) for name in ("nextBeginOffset", "minOffset", "maxOffset")]
    assert fields["suggestWhichBrokerId"] == "0"
    return answer.code, answer.remark, offsets[0], offsets[1], offsets[2]


async def fill(peer: Peer, count: int, queue_id: int = 0) -> None:
    for number in range(count):
        answer = await peer.send("T", b"%d" % number, queue_id, f"TAGS\x01t{number % 2}\x02")
        assert answer.code == 0, answer.remark


def damage(path: Path, position: int, written: bytes) -> None:
    """Overwrite a few bytes of a file."""
    with path.open("r+b") as file:
        file.seek(position)
        file.write(written)


# -- statuses -------------------------------------------------------------------------------


async def test_found_tells_where_to_go_on(peer: Peer) -> None:
    await fill(peer, 5)
    answer = await pull(peer, 1, count=3)
    assert told(answer) == (FOUND, "FOUND", 4, 0, 5)
    assert len(answer.body)


async def test_nothing_that_matches_is_passed(peer: Peer) -> None:
    await fill(peer, 5)
    answer = await pull(peer, 1, expression="unknown")
    assert told(answer) == (RETRY, "NO_MATCHED_MESSAGE", 5, 0, 5)
    assert not len(answer.body)


async def test_a_message_that_is_going_is_passed(peer: Peer, tmp_path: Path) -> None:
    await fill(peer, 5)
    # The entry now points behind the log, as one does whose log file was taken away.
    damage(tmp_path / "consumequeue" / "T" / "0" / ("0" * 20), 4 * 20, struct.pack(">q", 2**40))
    assert told(await pull(peer, 4)) == (RETRY, "MESSAGE_WAS_REMOVING", 5, 0, 5)
    assert told(await pull(peer, 1)) == (FOUND, "FOUND", 5, 0, 5)


@pytest.mark.parametrize(("offset", "code"), [(0, NOT_FOUND), (3, MOVED)])
async def test_a_queue_that_was_never_used(peer: Peer, offset: int, code: int) -> None:
    answer = await pull(peer, offset, queue_id=3)
    assert told(answer) == (code, "NO_MATCHED_LOGIC_QUEUE", 0, 0, 0)


@pytest.mark.parametrize(("offset", "code"), [(0, NOT_FOUND), (3, MOVED)])
async def test_a_queue_whose_first_message_is_not_visible_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, code: int
) -> None:
    disk = FailingDisk(monkeypatch)
    config = broker_config(tmp_path).store
    store = replace(config, flush=replace(config.flush, mode="SYNC_FLUSH"))
    async with local_broker(tmp_path, store=store) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        with disk.stuck():
            sent = asyncio.ensure_future(peer.send("T"))
            await until(lambda: app.running.flush.waiting)
            answer = await pull(peer, offset)
        assert told(answer) == (code, "NO_MESSAGE_IN_QUEUE", 0, 0, 0)
        assert (await sent).code == 0
        assert told(await pull(peer)) == (FOUND, "FOUND", 1, 0, 1)


async def test_the_end_of_the_queue_has_nothing_yet(peer: Peer) -> None:
    await fill(peer, 5)
    assert told(await pull(peer, 5)) == (NOT_FOUND, "OFFSET_OVERFLOW_ONE", 5, 0, 5)


async def test_far_behind_the_end_is_moved_to_the_end(peer: Peer) -> None:
    await fill(peer, 5)
    assert told(await pull(peer, 6)) == (MOVED, "OFFSET_OVERFLOW_BADLY", 5, 0, 5)


async def test_before_the_first_message_is_moved_to_it(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    kept = TopicConfig("T", 4, 4, attributes={"reserve.time": "60000"})
    broker.running.tables.topics.put(kept)
    await fill(peer, 2)
    clock.advance(seconds=50)
    await fill(peer, 3)
    clock.advance(seconds=20)
    await broker.running.retention.step()
    assert told(await pull(peer, 0)) == (MOVED, "OFFSET_TOO_SMALL", 2, 2, 5)
    assert told(await pull(peer, 2)) == (FOUND, "FOUND", 5, 2, 5)


async def test_an_operators_reset_moves_the_next_pull(peer: Peer) -> None:
    await fill(peer, 5)
    assert told(await pull(peer, 5))[0] == NOT_FOUND
    reset = ResetOffsetRequest("g", "T", 0, QueueOffset(2))
    assert (await peer.call(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, reset)).code == 0
    assert told(await pull(peer, 5)) == (MOVED, "OFFSET_RESET", 2, 0, 5)
    assert told(await pull(peer, 5))[:2] == (NOT_FOUND, "OFFSET_OVERFLOW_ONE")


# -- checks ---------------------------------------------------------------------------------


async def beat(peer: Peer, expression: str = "*", kind: str = "TAG", **more: object) -> None:
    """Present the peer as a consumer of T; `more` goes into its subscription and group."""
    version, model = int(str(more.get("version", 5))), str(more.get("model", "CLUSTERING"))
    topic = str(more.get("topic", "T"))
    wants = SubscriptionData(topic, expression, sub_version=version, expression_type=kind)
    data = ConsumerData("g", message_model=model, subscription_data_set=(wants,))
    body = Heartbeat(peer.client_id, (), (data,)).to_json()
    assert (await peer.call(RequestCode.HEART_BEAT, body=body)).code == 0


def refused(answer: Command) -> tuple[int, str | None]:
    assert not len(answer.body)
    assert answer.remark
    return answer.code, answer.fields.get("forbiddenType")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    """A broker that creates no groups and takes no lite pulls."""
    topics = TopicsConfig(auto_create_groups=False)
    async with local_broker(tmp_path, topics=topics, pull=PullConfig(lite=False)) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        yield app


async def test_the_first_check_that_fails_decides(strict: BrokerApp) -> None:
    """All that can be wrong is, and is put right step by step."""
    topics, groups = strict.running.tables.topics, strict.running.tables.groups
    async with connected(strict, "one") as (peer,):

        async def code(number: int = RequestCode.PULL_MESSAGE) -> tuple[int, str | None]:
            return refused(
                await pull(peer, queue_id=4, topic="U", expression="a >", kind="SQL92", code=number)
            )

        topics.set_broker_permission(2)
        assert await code() == (ResponseCode.NO_PERMISSION, "1")
        topics.set_broker_permission(6)
        assert await code(RequestCode.LITE_PULL_MESSAGE) == (ResponseCode.NO_PERMISSION, "1")
        assert await code() == (ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, None)
        groups.put(SubscriptionGroup("g", consume_enable=False))
        assert await code() == (ResponseCode.NO_PERMISSION, "2")
        groups.put(SubscriptionGroup("g"))
        assert await code() == (ResponseCode.TOPIC_NOT_EXIST, None)
        topics.put(TopicConfig("U", 4, 4, perm=2))
        assert await code() == (ResponseCode.NO_PERMISSION, "3")
        topics.put(TopicConfig("U", 4, 4))
        assert await code() == (ResponseCode.INVALID_PARAMETER, None)
        topics.put(TopicConfig("U", 5, 5))
        assert await code() == (ResponseCode.SUBSCRIPTION_PARSE_FAILED, None)
        answer = await pull(peer, queue_id=4, topic="U", expression="a > 1", kind="SQL92")
        assert refused(answer) == (ResponseCode.SYSTEM_ERROR, None), "SQL92 is switched off"
        assert "enablePropertyFilter" in str(answer.remark)


async def test_without_a_subscription_the_first_check_that_fails_decides(
    broker: BrokerApp, peer: Peer
) -> None:
    groups = broker.running.tables.groups
    groups.put(SubscriptionGroup("g", consume_broadcast_enable=False))
    groups.set_readable("g", "T", False)

    async def code() -> tuple[int, str | None]:
        return refused(await pull(peer, sys_flag=0, expression=None, version=6))

    assert await code() == (ResponseCode.SUBSCRIPTION_NOT_EXIST, None)
    await beat(peer, topic="other", model="BROADCASTING")
    assert await code() == (ResponseCode.NO_PERMISSION, "4")
    groups.put(SubscriptionGroup("g"))
    assert await code() == (ResponseCode.NO_PERMISSION, "5")
    groups.set_readable("g", "T", True)
    assert await code() == (ResponseCode.SUBSCRIPTION_NOT_EXIST, None)
    await beat(peer, version=5)
    assert await code() == (ResponseCode.SUBSCRIPTION_NOT_LATEST, None)
    await beat(peer, version=6)
    answer = await pull(peer, sys_flag=0, expression=None, version=6)
    assert told(answer)[0] == NOT_FOUND


async def test_a_filter_that_makes_no_sense_is_not_known(tmp_path: Path) -> None:
    async with (
        local_broker(tmp_path, pull=PullConfig(property_filter=True)) as app,
        connected(app, "one") as (peer,),
    ):
        tables = app.running.tables
        tables.topics.put(TopicConfig("T", 4, 4))

        async def code(version: int) -> int:
            return (await pull(peer, sys_flag=0, expression=None, version=version)).code

        await beat(peer, "a >", "SQL92", version=5)
        assert await code(5) == ResponseCode.FILTER_DATA_NOT_EXIST
        await beat(peer, "a > 1", "SQL92", version=6)
        assert await code(6) == NOT_FOUND
        stale = await pull(peer, sys_flag=0, expression=None, version=7)
        assert refused(stale) == (ResponseCode.SUBSCRIPTION_NOT_LATEST, None)


async def test_pull_consumers_are_refused_where_that_is_asked_for(tmp_path: Path) -> None:
    async with (
        local_broker(tmp_path, pull=PullConfig(reject_pull_consumers=True)) as app,
        connected(app, "one") as (peer,),
    ):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        assert refused(await pull(peer)) == (ResponseCode.SUBSCRIPTION_NOT_EXIST, None)
        await beat(peer)
        assert told(await pull(peer))[0] == NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({}, "consumerGroup"),
        ({"queueId": "x"}, "queueId"),
        ({"queueOffset": str(2**63)}, "queueOffset"),
    ],
)
async def test_a_pull_with_odd_fields_is_told_which(
    peer: Peer, fields: dict[str, str], hint: str
) -> None:
    whole = {"consumerGroup": "g", "topic": "T", "queueId": "0", "queueOffset": "0"}
    whole |= {"maxMsgNums": "1", "sysFlag": "4", "commitOffset": "0", "subscription": "*"}
    asked = {**whole, "suspendTimeoutMillis": "0", "subVersion": "0", **fields} if fields else {}
    answer = await peer.call(RequestCode.PULL_MESSAGE, asked)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert hint in str(answer.remark)


@pytest.mark.parametrize("offset", [-1, -(2**63)])
async def test_negative_offsets_are_moved_to_the_first_message(peer: Peer, offset: int) -> None:
    await fill(peer, 2)
    assert told(await pull(peer, offset)) == (MOVED, "OFFSET_TOO_SMALL", 0, 0, 2)
