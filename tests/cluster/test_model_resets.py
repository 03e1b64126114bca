"""Offsets are reset while the group's members work: pulls, held pulls, pops and ordered pops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pops import START_MS, handles, pop, records, send
from tests.support.pulling import HAS_SUBSCRIPTION
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.positions import QueueOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.offsets import CommitOffsetRequest, ResetOffsetRequest
from pocketmq.protocol.requests.pull import COMMIT_OFFSET_VALID, MAY_SUSPEND, PullRequest


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def reset(tool: Peer, timestamp_ms: int) -> None:
    """What an operator's tool asks for."""
    request = ResetOffsetRequest("g", "T", -1, QueueOffset(-1), timestamp_ms, True)
    answer = await tool.call(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, request)
    assert answer.code == 0, answer.remark


class Member:
    """A consumer that pulls one queue, commits with each pull, and goes where it is told."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.offset = 0
        self.got: list[bytes] = []

    async def pull(self, *, hold: bool = False) -> int:
        """Pull once; return the answer's code."""
        flags = HAS_SUBSCRIPTION | COMMIT_OFFSET_VALID | (MAY_SUSPEND if hold else 0)
        at = QueueOffset(self.offset)
        request = PullRequest("g", "T", 0, at, 32, flags, at, 30_000, "*", 1, "TAG")
        answer = await self.peer.call(RequestCode.PULL_MESSAGE, request, timeout_ms=10_000)
        place, body = 0, bytes(answer.body)
        while place < len(body):
            record = decode_record(body, place)
            self.got.append(bytes(record.body))
            place += record.size
        self.offset = int(answer.fields["nextBeginOffset"])
        return answer.code


async def test_members_that_pull_go_back(broker: BrokerApp, peer: Peer, clock: ManualClock) -> None:
    member = Member(peer)
    await peer.heartbeat("T")
    await send(broker, peer, b"a", b"b")
    clock.advance(seconds=10)
    await send(broker, peer, b"c")
    assert await member.pull() == 0
    async with connected(broker, "tool") as (tool,):
        await reset(tool, START_MS + 10_000)
        commit = CommitOffsetRequest("g", "T", 0, QueueOffset(3))
        assert (await peer.call(RequestCode.UPDATE_CONSUMER_OFFSET, commit)).code == 0
        assert broker.running.tables.offsets.query("g", "T", 0) == 2, "commits wait for the pull"
        assert await member.pull() == ResponseCode.PULL_OFFSET_MOVED
        assert await member.pull() == 0
        assert member.got == [b"a", b"b", b"c", b"c"]
        assert await member.pull() != 0
        assert broker.running.tables.offsets.query("g", "T", 0) == 3
        await reset(tool, 0)
        assert await member.pull() == ResponseCode.PULL_OFFSET_MOVED
        assert await member.pull() == 0
        assert member.got[4:] == [b"a", b"b", b"c"]


async def test_a_held_pull_learns_of_a_reset_at_once(broker: BrokerApp, peer: Peer) -> None:
    member = Member(peer)
    await peer.heartbeat("T")
    await send(broker, peer, b"a")
    assert await member.pull() == 0
    held = asyncio.create_task(member.pull(hold=True))
    await until(lambda: broker.running.long_poll.count == 1)
    async with connected(broker, "tool") as (tool,):
        await reset(tool, 0)
    assert await held == ResponseCode.PULL_OFFSET_MOVED
    assert member.offset == 0
    assert await member.pull() == 0
    assert member.got == [b"a", b"a"]


async def test_a_waiting_pop_gets_what_a_reset_gives_back(broker: BrokerApp, peer: Peer) -> None:
    await send(broker, peer, b"a")
    assert len(records(await pop(peer))) == 1
    waiting = asyncio.create_task(pop(peer, pollTime=60_000))
    await until(lambda: broker.running.models.pops.poll.count("g", "T", -1) == 1)
    async with connected(broker, "tool") as (tool,):
        await reset(tool, 0)
    assert [bytes(record.body) for record in records(await waiting)] == [b"a"]


@pytest.mark.parametrize("order", ["false", "true"])
async def test_members_that_pop_go_back(broker: BrokerApp, peer: Peer, order: str) -> None:
    await send(broker, peer, b"a", b"b")
    assert len(handles(await pop(peer, order=order))) == 2
    assert (await pop(peer, order=order)).code == ResponseCode.POLLING_TIMEOUT
    async with connected(broker, "tool") as (tool,):
        await reset(tool, 0)
    again = await pop(peer, order=order)
    assert [bytes(record.body) for record in records(again)] == [b"a", b"b"]


async def test_a_reset_holds_for_who_comes_later(broker: BrokerApp, peer: Peer) -> None:
    member = Member(peer)
    await send(broker, peer, b"a", b"b")
    assert await member.pull() == 0
    assert await member.pull() != 0
    async with connected(broker, "tool", "two") as (tool, two):
        await reset(tool, 0)
        late = Member(two)
        late.offset = broker.running.tables.offsets.query("g", "T", 0) or 0
        assert await late.pull() == ResponseCode.PULL_OFFSET_MOVED
        assert await late.pull() == 0
        assert late.got == [b"a", b"b"]
