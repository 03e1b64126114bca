"""Pops that wait, those who only look, and ordered pops, over real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.pops import START_MS, ack, handles, pop, records, revive, send, tell
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PopConfig
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.pop import AckItem, BatchAck
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

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


async def ask(peer: Peer, code: int, **more: object) -> Command:
    fields = {"consumerGroup": "g", "topic": "T", "queueId": -1, **more}
    return await peer.call(code, {name: str(value) for name, value in fields.items()})


async def has_messages(peer: Peer, **more: object) -> str:
    answer = await ask(peer, RequestCode.NOTIFICATION, **{"pollTime": 0, "bornTime": 0, **more})
    assert answer.code == 0
    return (answer.fields or {})["hasMsg"]


def waiting(app: BrokerApp) -> int:
    return app.running.models.pops.poll.count("g", "T", -1)


async def test_a_notice_comes_with_the_message(broker: BrokerApp, peer: Peer) -> None:
    noticed = asyncio.create_task(has_messages(peer, pollTime=5000))
    await until(lambda: waiting(broker) == 1)
    await send(broker, peer, b"a")
    assert await noticed == "true"
    assert len(records(await pop(peer))) == 1, "nobody took it"
    assert await has_messages(peer) == "false"


async def test_with_sync_flush_a_pop_waits_for_its_check_points(tmp_path: Path) -> None:
    config = broker_config(tmp_path)
    store = replace(config.store, flush=replace(config.store.flush, mode="SYNC_FLUSH"))
    async with local_broker(tmp_path, store=store) as app, connected(app, "one") as (one,):
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        await send(app, one, b"a")
        disk_is_free = threading.Event()
        app.running.flush._thread.submit(disk_is_free.wait)
        try:
            popped = asyncio.create_task(pop(one))
            await until(lambda: app.running.flush.waiting)
            put = app.running.store.log_end
            assert app.running.store.flushed_offset < put
            assert not popped.done()
        finally:
            disk_is_free.set()
        assert len(records(await popped)) == 1
        assert app.running.store.flushed_offset >= put


async def test_a_notice_is_not_given_for_nothing(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    noticed = asyncio.create_task(has_messages(peer, pollTime=5000))
    await until(lambda: waiting(broker) == 1)
    clock.advance(seconds=6)
    assert await noticed == "false"


async def test_what_one_leaves_is_for_the_next(broker: BrokerApp, peer: Peer) -> None:
    await send(broker, peer, b"a", b"b")
    tables = broker.running.tables
    tables.offsets.commit("g", "T", 0, 2)
    poll = broker.running.models.pops.poll
    poll.sweep()  # the next one that lets all look again is a second away
    both = [asyncio.create_task(pop(peer, pollTime=5000, maxMsgNums=1)) for _ in range(2)]
    await until(lambda: waiting(broker) == 2)
    tables.offsets.commit("g", "T", 0, 0)
    poll.wake_one("g", "T")
    bodies = [
        bytes(record.body) for answer in await asyncio.gather(*both) for record in records(answer)
    ]
    assert sorted(bodies) == [b"a", b"b"], "at once, without another message"


async def test_only_so_many_wait(tmp_path: Path, clock: ManualClock) -> None:
    few = PopConfig(waiting_per_queue_max=1)
    async with local_broker(tmp_path, clock, pop=few) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        app.running.models.pops.poll.sweep()  # the next that lets all look again is a second away
        first = asyncio.create_task(pop(peer, pollTime=5000))
        await until(lambda: waiting(app) == 1)
        assert (await pop(peer, pollTime=5000)).code == ResponseCode.POLLING_FULL
        full = await ask(peer, RequestCode.NOTIFICATION, pollTime=5000, bornTime=0)
        assert (full.fields or {})["pollingFull"] == "true"
        other = asyncio.create_task(pop(peer, pollTime=5000, queueId=1))
        await until(lambda: app.running.models.pops.poll.count("g", "T", 1) == 1)
        counted = await ask(peer, RequestCode.POLLING_INFO, queueId=1)
        assert (counted.fields or {})["pollingNum"] == "1"
        await send(app, peer, b"a", queue_id=1)
        assert len(records(await first)) == 1, "the one that waits for any queue is served too"
        await send(app, peer, b"b", queue_id=1)
        assert len(records(await other)) == 1


async def test_pops_subscribe_their_group(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    assert (await pop(peer, exp="a || b")).code == ResponseCode.POLLING_TIMEOUT
    clients = broker.running.tables.clients
    known = clients.subscription("g", "T")
    assert known is not None
    assert known.expression == "a || b"
    assert clients.groups_subscribed_to("T") == ["g"]
    await pop(peer, exp="c")
    known = clients.subscription("g", "T")
    assert known is not None
    assert known.expression == "c"
    clock.advance(seconds=601)
    broker.running.clients.step()
    assert clients.subscription("g", "T") is None


async def test_peeking_shows_retried_messages_and_takes_nothing(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    nothing = await ask(peer, RequestCode.PEEK_MESSAGE, maxMsgNums=32)
    assert nothing.code == ResponseCode.PULL_NOT_FOUND
    await send(broker, peer, b"a")
    await pop(peer)
    clock.advance(seconds=12)
    assert await revive(broker) == 1
    await send(broker, peer, b"b", queue_id=1)
    for _ in range(2):
        peeked = await ask(peer, RequestCode.PEEK_MESSAGE, maxMsgNums=32)
        assert [bytes(record.body) for record in records(peeked)] == [b"b", b"a"]
        assert (peeked.fields or {})["restNum"] == "2"
    bad = await ask(peer, RequestCode.PEEK_MESSAGE, maxMsgNums=0)
    assert bad.code == ResponseCode.INVALID_PARAMETER


@pytest.mark.parametrize(
    "changed",
    [
        {"queue_id": 9},
        {"queue_id": -1},
        {"topic": "missing"},
        {"bits": "A"},
        {"bits": "/////w=="},
        {"revive_queue_id": 8},
        {"pop_time": -1},
        {"start_offset": 2**62},
        {"retry": "1"},
    ],
)
async def test_forged_batches_settle_nothing(
    broker: BrokerApp, peer: Peer, clock: ManualClock, changed: dict[str, object]
) -> None:
    await send(broker, peer, b"a")
    (good,) = handles(await pop(peer))
    fields: dict[str, object] = {
        "consumer_group": "g",
        "topic": "T",
        "start_offset": 0,
        "queue_id": 0,
        "revive_queue_id": good.revive_queue,
        "pop_time": good.pop_time_ms - 1,
        "invisible_time": good.invisible_ms,
        "bits": "AQ==",
        **changed,
    }
    body = BatchAck("b", (AckItem(**fields),)).to_json()  # type: ignore[arg-type]
    assert (await peer.call(RequestCode.BATCH_ACK_MESSAGE, body=body)).code == 0
    clock.advance(seconds=12)
    assert await revive(broker) == 1


async def test_an_ordered_queue_stays_taken_over_a_restart(
    tmp_path: Path, clock: ManualClock
) -> None:
    ordered = {"order": "true", "maxMsgNums": 2}
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        await send(app, peer, b"a", b"b", b"c")
        first, second = handles(await pop(peer, **ordered))
        assert (await ack(peer, first)).code == 0
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        assert (await pop(peer, **ordered)).code == ResponseCode.POLLING_TIMEOUT
        assert await has_messages(peer, order="true") == "false"
        renewed = await tell(peer, RENEW, second, invisibleTime=20_000)
        assert (renewed.fields or {})["invisibleTime"] == "20000"
        clock.advance(seconds=15)
        assert (await pop(peer, **ordered)).code == ResponseCode.POLLING_TIMEOUT, "renewed"
        assert (await ack(peer, second)).code == 0
        assert await has_messages(peer, order="true") == "true"
        answer = await pop(peer, **ordered)
        assert [bytes(record.body) for record in records(answer)] == [b"c"]


async def test_an_ack_lets_the_next_ordered_pop_go_on(broker: BrokerApp, peer: Peer) -> None:
    await send(broker, peer, b"a", b"b")
    (handle,) = handles(await pop(peer, order="true", maxMsgNums=1))
    held = asyncio.create_task(pop(peer, order="true", maxMsgNums=1, pollTime=5000))
    await until(lambda: waiting(broker) == 1)
    assert (await ack(peer, handle, offset=1)).code == ResponseCode.MESSAGE_ILLEGAL
    assert not held.done()
    assert (await ack(peer, handle)).code == 0
    assert [bytes(record.body) for record in records(await held)] == [b"b"]


async def test_what_ordered_pops_hold_goes_with_their_group(broker: BrokerApp, peer: Peer) -> None:
    await send(broker, peer, b"a")
    assert (await pop(peer, order="true")).code == 0
    orders, tables = broker.running.tables.orders, broker.running.tables
    assert orders.find("T", "g", 0) is not None
    fields = {"groupName": "g", "cleanOffset": "true"}
    code = RequestCode.DELETE_SUBSCRIPTIONGROUP
    assert (await peer.call(code, fields)).code == 0
    assert orders.find("T", "g", 0) is None
    assert (await pop(peer, order="true")).code == 0
    tables.offsets.reset("g", "T", 0, 0)
    assert (await pop(peer, order="true")).code == 0, "a reset frees the queue"
