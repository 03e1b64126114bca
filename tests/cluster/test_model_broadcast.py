"""Broadcast consumers: every member gets everything; offsets for members behind a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pulling import pull_all

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.pull import PullRequest

NAMESAKE = "g@broadcast"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_795_240_000_000)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        app.running.tables.groups.put(SubscriptionGroup("g"))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "proxy") as (one,):
        yield one


async def pull(peer: Peer, client: str, offset: int, topic: str = "T") -> Command:
    request = PullRequest(
        "g", topic, 0, QueueOffset(offset), 32, 4, QueueOffset(0), 0, "*", 0, "TAG",
        request_source=1, proxy_client_id=client,
    )  # fmt: skip
    return await peer.call(RequestCode.PULL_MESSAGE, request)


async def first_offset(peer: Peer, client: str) -> int:
    answer = await pull(peer, client, -1)
    assert (answer.code, answer.remark) == (ResponseCode.PULL_OFFSET_MOVED, "OFFSET_RESET")
    return int(answer.fields["nextBeginOffset"])


async def test_every_member_gets_every_message(broker: BrokerApp, peer: Peer) -> None:
    for number in range(10):
        await peer.send("T", b"%d" % number)
    async with connected(broker, "a", "b") as members:
        for member in members:
            await member.heartbeat("T", model="BROADCASTING")
            assert [int(m.body) for m in await pull_all(member, "T", 0, "g")] == list(range(10))


async def test_a_member_behind_a_proxy_goes_on_where_it_was(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    for _ in range(10):
        await peer.send("T")
    assert await first_offset(peer, "a") == 0
    answer = await pull(peer, "a", 4)
    assert (answer.code, answer.fields["nextBeginOffset"]) == (0, "10")
    assert await first_offset(peer, "a") == 4
    await pull(peer, "b", 7)
    broker.running.models.broadcast.step()
    offsets = broker.running.tables.offsets
    assert offsets.query(NAMESAKE, "T", 0) == 4
    assert await first_offset(peer, "newcomer") == 4, "where its group was"
    clock.advance(seconds=60)
    await pull(peer, "b", 9)
    clock.advance(seconds=60)
    broker.running.models.broadcast.step()
    assert offsets.query(NAMESAKE, "T", 0) == 9, "the others were silent for two minutes"
    assert await first_offset(peer, "a") == 9


async def test_the_groups_offset_survives_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    first = local_broker(tmp_path, clock)
    async with first as app, connected(app, "proxy") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        for _ in range(5):
            await peer.send("T")
        assert (await pull(peer, "a", 3)).code == 0
    second = local_broker(tmp_path, clock)
    async with second as app, connected(app, "proxy") as (peer,):
        assert await first_offset(peer, "a") == 3


async def test_refused_pulls_leave_nothing_behind(broker: BrokerApp, peer: Peer) -> None:
    for offset in (-1, 3):
        answer = await pull(peer, "a", offset, "missing")
        assert answer.code == ResponseCode.TOPIC_NOT_EXIST
    broker.running.tables.groups.put(SubscriptionGroup("g", consume_enable=False))
    assert (await pull(peer, "a", 3)).code == ResponseCode.NO_PERMISSION
    broker.running.models.broadcast.step()
    assert broker.running.tables.offsets.topics_of(NAMESAKE) == []
