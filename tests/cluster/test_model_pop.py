"""Pop consumption over real sockets: pops, acks, redelivery, order, bad requests."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pops import START_MS, ack, handles, pop, records, revive, send, tell
from tests.support.pulling import props
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PullConfig
from pocketmq.broker.rules.pop import parse_handle
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.pop import (
    AckItem,
    BatchAck,
)
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode


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


async def test_what_is_acknowledged_does_not_come_again(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a", b"b", b"c")
    answer = await pop(peer)
    assert [bytes(r.body) for r in records(answer)] == [b"a", b"b", b"c"]
    assert (answer.fields or {})["restNum"] == "0"
    first, second, third = handles(answer)
    assert (await ack(peer, first)).code == (await ack(peer, third)).code == 0
    assert (await pop(peer)).code == ResponseCode.POLLING_TIMEOUT
    clock.advance(seconds=9)
    assert await revive(broker) == 0
    clock.advance(seconds=3)
    assert await revive(broker) == 1
    again = await pop(peer)
    (record,) = records(again)
    assert (bytes(record.body), record.reconsume_times, record.topic) == (b"b", 1, "T")
    properties = record.properties
    assert properties["1ST_POP_TIME"] == str(START_MS)
    (handle,) = handles(again)
    assert parse_handle(properties["POP_CK"]) == handle
    assert handle.retry_flag == 1
    assert (await ack(peer, handle)).code == 0
    clock.advance(seconds=12)
    assert await revive(broker) == 0
    revive_topic = "rmq_sys_REVIVE_LOG_C"
    offsets, store = broker.running.tables.offsets, broker.running.store
    for queue in store.queue_ids(revive_topic):
        settled = offsets.query("CID_RMQ_SYS_REVIVE_GROUP", revive_topic, queue)
        assert settled == store.queue_offsets(revive_topic, queue)[1] - 1, "Apache's: the last"
    assert second.offset == 1


async def test_what_is_settled_in_time_does_not_come_back_at_all(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a", b"b")
    done = handles(await pop(peer))
    for handle in done:
        assert (await ack(peer, handle)).code == 0
    await send(broker, peer, b"c")
    (left,) = handles(await pop(peer))
    clock.advance(seconds=12)
    assert await revive(broker) == 1
    store, topic = broker.running.store, "rmq_sys_REVIVE_LOG_C"
    came_back = sum(store.queue_offsets(topic, queue)[1] for queue in store.queue_ids(topic))
    assert came_back == 1, "only the check point that was left"
    assert left.offset == 2
    timer = broker.running.models.timer
    assert timer is not None
    assert not timer.needless


async def test_a_restart_keeps_acks_and_what_is_open(tmp_path: Path, clock: ManualClock) -> None:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        async with connected(app, "one") as (peer,):
            await send(app, peer, b"a", b"b")
            first, _ = handles(await pop(peer))
            assert (await ack(peer, first)).code == 0
    clock.advance(seconds=20)
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        for _ in range(3):
            await revive(app)
        assert [bytes(r.body) for r in records(await pop(peer))] == [b"b"]


async def test_invisible_time_can_be_changed(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a")
    (handle,) = handles(await pop(peer))
    clock.advance(seconds=5)
    code = RequestCode.CHANGE_MESSAGE_INVISIBLETIME
    answer = await tell(peer, code, handle, invisibleTime=30_000)
    assert answer.code == 0
    assert (answer.fields or {})["popTime"] == str(START_MS + 5000)
    clock.advance(seconds=20)
    assert await revive(broker) == 0
    clock.advance(seconds=12)
    assert await revive(broker) == 1


async def test_many_are_acknowledged_at_once(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a", b"b", b"c")
    handle, *_ = handles(await pop(peer))
    item = AckItem(
        "g",
        "T",
        "0",
        handle.start_offset,
        handle.queue_id,
        handle.revive_queue,
        handle.pop_time_ms,
        handle.invisible_ms,
        base64.b64encode(b"\x85").decode(),
    )
    broken = AckItem("g", "T", bits="!!")
    body = BatchAck("b", (broken, item)).to_json()
    assert (await peer.call(RequestCode.BATCH_ACK_MESSAGE, body=body)).code == 0
    clock.advance(seconds=12)
    assert await revive(broker) == 1
    empty = await peer.call(RequestCode.BATCH_ACK_MESSAGE, body=BatchAck("b").to_json())
    assert empty.code == ResponseCode.NO_MESSAGE


async def test_ordered_pops_wait_for_acks(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send(broker, peer, b"a", b"b", b"c")
    popped = await pop(peer, order="true", maxMsgNums=2, attemptId="x")
    first, second = handles(popped)
    assert first.revive_queue == 999
    assert (await pop(peer, order="true")).code == ResponseCode.POLLING_TIMEOUT
    same = await pop(peer, order="true", maxMsgNums=2, attemptId="x")
    assert same.code == 0, "the same attempt may pass"
    first, second = handles(same)
    assert (await ack(peer, first)).code == 0
    clock.advance(seconds=11)
    again = await pop(peer, order="true", maxMsgNums=2, attemptId="y")
    assert [bytes(r.body) for r in records(again)] == [b"b", b"c"]
    assert "0 qo0%1 1" in (again.fields or {})["orderCountInfo"].split(";")
    assert (await ack(peer, second)).code == 0, "stale, and ignored"
    for handle in handles(again):
        assert (await ack(peer, handle)).code == 0
    assert broker.running.tables.offsets.query("g", "T", 0) == 3
    assert b'"popTime"' in broker.running.tables.orders.encode()


async def test_a_pop_waits_for_a_message(broker: BrokerApp, peer: Peer, tmp_path: Path) -> None:
    waiting = asyncio.create_task(pop(peer, pollTime=5000))
    poll = broker.running.models.pops.poll
    await until(lambda: poll.count("g", "T", -1) == 1)
    info = {"consumerGroup": "g", "topic": "T", "queueId": "-1"}
    polling = await peer.call(RequestCode.POLLING_INFO, info)
    assert (polling.fields or {})["pollingNum"] == "1"
    await send(broker, peer, b"late", queue_id=1)
    assert [bytes(r.body) for r in records(await waiting)] == [b"late"]
    notified = await peer.call(RequestCode.NOTIFICATION, {**info, "pollTime": "0", "bornTime": "0"})
    assert (notified.fields or {})["hasMsg"] == "false"
    await send(broker, peer, b"more")
    peeked = await peer.call(RequestCode.PEEK_MESSAGE, {**info, "maxMsgNums": "1"})
    assert [bytes(r.body) for r in records(peeked)] == [b"more"]
    notified = await peer.call(RequestCode.NOTIFICATION, {**info, "pollTime": "0", "bornTime": "0"})
    assert (notified.fields or {})["hasMsg"] == "true"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"maxMsgNums": 33}, ResponseCode.INVALID_PARAMETER),
        ({"maxMsgNums": 0}, ResponseCode.INVALID_PARAMETER),
        ({"queueId": 2}, ResponseCode.INVALID_PARAMETER),
        ({"queueId": -2}, ResponseCode.INVALID_PARAMETER),
        ({"invisibleTime": -1}, ResponseCode.INVALID_PARAMETER),
        ({"topic": "missing"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"consumerGroup": "no such group!"}, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST),
        ({"bornTime": START_MS - 1000}, ResponseCode.POLLING_TIMEOUT),
        ({"invisibleTime": 4 * 86_400_000}, ResponseCode.INVALID_PARAMETER),
        ({"exp": "||"}, ResponseCode.SUBSCRIPTION_PARSE_FAILED),
        ({"exp": "a >", "expType": "SQL92"}, ResponseCode.SUBSCRIPTION_PARSE_FAILED),
        ({"exp": "a > 1", "expType": "SQL91"}, ResponseCode.SUBSCRIPTION_PARSE_FAILED),
        ({"exp": "a > 1", "expType": "SQL92"}, ResponseCode.SYSTEM_ERROR),
    ],
)
async def test_bad_pops(
    broker: BrokerApp, peer: Peer, fields: dict[str, object], code: int
) -> None:
    answer = await pop(peer, **fields)
    assert answer.code == code
    assert answer.remark


async def test_sql_filters_pops(tmp_path: Path, clock: ManualClock) -> None:
    pull = PullConfig(property_filter=True)
    async with local_broker(tmp_path, clock, pull=pull) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        for size in (1, 5, 2, 7):
            assert (await peer.send("T", b"%d" % size, 0, props(size=size))).code == 0
        app.running.dispatch.drain()
        answer = await pop(peer, exp="size > 3", expType="SQL92")
        assert [bytes(r.body) for r in records(answer)] == [b"5", b"7"]
        assert [handle.offset for handle in handles(answer)] == [1, 3]
        assert (await ack(peer, handles(answer)[0])).code == 0
        clock.advance(seconds=12)
        assert await revive(app) == 1
        again = await pop(peer, exp="size > 100", expType="SQL92")
        assert [bytes(r.body) for r in records(again)] == [b"7"], "retried ones were wanted once"


async def test_a_waiting_pop_wakes_for_what_its_filter_wants(
    tmp_path: Path, clock: ManualClock
) -> None:
    pull = PullConfig(property_filter=True)
    async with local_broker(tmp_path, clock, pull=pull) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        poll = app.running.models.pops.poll
        poll.sweep()  # the next one that lets all look again is a second away
        asked = pop(peer, pollTime=5000, exp="size > 3", expType="SQL92")
        waiting = asyncio.create_task(asked)
        await until(lambda: poll.count("g", "T", -1) == 1)
        assert (await peer.send("T", b"1", 0, props(size=1))).code == 0
        app.running.dispatch.drain()
        assert poll.count("g", "T", -1) == 1, "not for this one"
        assert (await peer.send("T", b"9", 0, props(size=9))).code == 0
        assert [bytes(r.body) for r in records(await waiting)] == [b"9"]


async def test_forged_handles(broker: BrokerApp, peer: Peer, clock: ManualClock) -> None:
    await send(broker, peer, b"a")
    (good,) = handles(await pop(peer))
    for text in ("", "x", "0 0 0 9 0 b 0 0", "0 1 2 3 7 b 0", f"0 {2**63 - 1} 1 0 0 b 0 0"):
        answer = await ack(peer, good, extraInfo=text or " ")
        assert answer.code == ResponseCode.MESSAGE_ILLEGAL, text
    assert (await ack(peer, good, offset=5)).code == ResponseCode.NO_MESSAGE
    assert (await ack(peer, good, queueId=7)).code == ResponseCode.MESSAGE_ILLEGAL
    assert (await ack(peer, good, topic="missing")).code == ResponseCode.TOPIC_NOT_EXIST
    stale = parse_handle(f"0 {START_MS - 5} 10000 0 0 b 0 0")
    assert (await ack(peer, stale)).code == 0, "whose check point is not there"
    clock.advance(seconds=12)
    assert await revive(broker) == 1, "the forged ack settled nothing"


async def test_groups_disabled_and_brokers_unreadable(broker: BrokerApp, peer: Peer) -> None:
    tables = broker.running.tables
    tables.groups.put(SubscriptionGroup("g", consume_enable=False))
    assert (await pop(peer)).code == ResponseCode.NO_PERMISSION
    tables.topics.set_broker_permission(2)
    assert (await pop(peer, consumerGroup="h")).code == ResponseCode.NO_PERMISSION
