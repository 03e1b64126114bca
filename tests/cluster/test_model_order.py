"""Ordered consumers: leases of queues, their takeover, and order over rebalances and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pulling import HAS_SUBSCRIPTION, pull_all
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.positions import QueueOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.queues import LockReply, LockRequest, MessageQueue
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.pull import MAY_SUSPEND, PullRequest

QUEUES = tuple(MessageQueue("T", "b", number) for number in range(4))
CHANGED = RequestCode.NOTIFY_CONSUMER_IDS_CHANGED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_795_240_000_000)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        yield app


async def ask_locks(
    peer: Peer, *numbers: int, group: str = "g", code: int = RequestCode.LOCK_BATCH_MQ
) -> list[int]:
    request = LockRequest(group, peer.client_id, tuple(QUEUES[number] for number in numbers))
    answer = await peer.call(code, body=request.to_json())
    assert answer.code == 0, answer.remark
    if code == RequestCode.UNLOCK_BATCH_MQ:
        return []
    return sorted(queue.queue_id for queue in LockReply.from_json(answer.body).locked)


async def unlock(peer: Peer, *numbers: int) -> None:
    await ask_locks(peer, *numbers, code=RequestCode.UNLOCK_BATCH_MQ)


async def test_a_rebalance_hands_queues_over_one_by_one(broker: BrokerApp) -> None:
    async with connected(broker, "old", "new") as (old, new):
        await old.heartbeat("T")
        assert await ask_locks(old, 0, 1, 2, 3) == [0, 1, 2, 3]
        await new.heartbeat("T")
        await until(lambda: CHANGED in old.asked_codes())
        assert await ask_locks(new, 2, 3) == [], "the old member still works on them"
        await unlock(old, 2)
        assert await ask_locks(new, 2, 3) == [2]
        assert await ask_locks(old, 0, 1, 2, 3) == [0, 1, 3]
        assert await ask_locks(new, 0, 1, 2, 3, group="other") == [0, 1, 2, 3], "groups apart"


async def test_a_silent_member_loses_its_queues_after_the_lease(
    broker: BrokerApp, clock: ManualClock
) -> None:
    async with connected(broker, "old", "new") as (old, new):
        await ask_locks(old, 0, 1)
        clock.advance(seconds=40)
        await ask_locks(old, 0)
        clock.advance(seconds=20)
        assert await ask_locks(new, 0, 1) == []
        clock.advance(ms=1)
        assert await ask_locks(new, 0, 1) == [1], "renewed after 40 s: 0 stays"
        clock.advance(seconds=41)
        assert await ask_locks(new, 0, 1) == [0, 1]
        assert await ask_locks(old, 0, 1) == []


async def test_locks_end_with_the_broker_and_are_taken_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    first = local_broker(tmp_path, clock)
    async with first as app, connected(app, "a") as (a,):
        assert await ask_locks(a, 0) == [0]
    second = local_broker(tmp_path, clock)
    async with second as app, connected(app, "b") as (b,):
        assert await ask_locks(b, 0) == [0]


async def test_order_is_kept_over_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    for start in (0, 50):
        running = local_broker(tmp_path, clock)
        async with running as app, connected(app, "one") as (peer,):
            for number in range(start, start + 50):
                await peer.send("T", b"%d" % number, number % 2)
            for queue_id in (0, 1):
                found = [int(m.body) for m in await pull_all(peer, "T", queue_id)]
                assert found == list(range(queue_id, start + 50, 2))


async def held_pull(peer: Peer, queue_id: int, offset: int) -> list[bytes]:
    """Wait for what comes next in a queue, as an ordered consumer does."""
    request = PullRequest(
        "g",
        "T",
        queue_id,
        QueueOffset(offset),
        32,
        MAY_SUSPEND | HAS_SUBSCRIPTION,
        QueueOffset(0),
        30_000,
        "*",
        1,
        "TAG",
    )
    answer = await peer.call(RequestCode.PULL_MESSAGE, request, timeout_ms=10_000)
    bodies, at, body = [], 0, bytes(answer.body)
    while at < len(body):
        record = decode_record(body, at)
        bodies.append(bytes(record.body))
        at += record.size
    return bodies


async def test_a_suspended_queue_blocks_no_other(broker: BrokerApp, clock: ManualClock) -> None:
    """One message of queue 0 fails again and again; its consumer waits a while before each try."""
    async with connected(broker, "one", "two") as (one, two):
        await one.heartbeat("T")
        assert await ask_locks(one, 0, 1) == [0, 1]
        for number in range(3):
            await one.send("T", b"a%d" % number, 0)
        assert await held_pull(one, 0, 0) == [b"a0", b"a1", b"a2"]
        for step in range(5):
            waiting = asyncio.create_task(held_pull(one, 1, step))
            await until(lambda: broker.running.long_poll.count == 1)
            clock.advance(seconds=20)  # queue 0 is suspended; its lock is renewed
            assert await ask_locks(one, 0, 1) == [0, 1]
            assert await ask_locks(two, 0, 1) == [], "nobody else gets it meanwhile"
            assert (await two.send("T", b"b%d" % step, 1)).code == 0
            assert await waiting == [b"b%d" % step], "queue 1 goes on"
        assert await held_pull(one, 0, 0) == [b"a0", b"a1", b"a2"], "in order, nothing skipped"
        assert broker.running.tables.offsets.query("g", "T", 0) in (None, 0)


@pytest.mark.parametrize("code", [RequestCode.LOCK_BATCH_MQ, RequestCode.UNLOCK_BATCH_MQ])
async def test_bad_lock_requests_are_refused(broker: BrokerApp, code: int) -> None:
    async with connected(broker, "one") as (peer,):
        answer = await peer.call(code, body=LockRequest("", "", QUEUES).to_json())
        assert answer.code == ResponseCode.INVALID_PARAMETER
        answer = await peer.call(code, body=b"{")
        assert answer.code == ResponseCode.SYSTEM_ERROR
        assert len(broker.running.tables.locks) == 0
