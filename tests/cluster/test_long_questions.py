"""Questions about all topics and groups of a big broker do not stand in the way of sends.

How long others wait is counted in the processor time that one turn of the loop takes, which does
not depend on what else the machine does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.services import long_work
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.stats import (
    BrokerConsumeStats,
    ConsumeStats,
    ConsumeTimeSpan,
    GroupOffset,
    QueueTimeSpan,
    TopicOffset,
    TopicStats,
    filled,
    group_item,
    items,
    rows,
)
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.groups import BrokerConsumeStatsRequest, ConsumeStatsRequest

TOPICS = 60
QUEUES = 64
TURN_SECONDS_MAX = 0.03


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path) as app:
        tables = app.running.tables
        tables.groups.put_all(SubscriptionGroup(name) for name in ("all", "some"))
        tables.topics.put_all(TopicConfig(f"T{n}", QUEUES, QUEUES) for n in range(TOPICS))
        for n in range(TOPICS):
            for queue_id in range(QUEUES):
                tables.offsets.commit("all", f"T{n}", queue_id, 0)
        tables.offsets.commit("some", "T1", 0, 0)
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


@asynccontextmanager
async def watched_turns() -> AsyncIterator[list[float]]:
    """The processor time of each turn of the loop."""
    turns: list[float] = []

    async def watch() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            turns.append(time.thread_time() - began)

    task = asyncio.ensure_future(watch())
    try:
        yield turns
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def all_of_group(peer: Peer) -> Command:
    return await peer.call(RequestCode.GET_CONSUME_STATS, ConsumeStatsRequest("all"))


async def all_groups(peer: Peer) -> Command:
    request = BrokerConsumeStatsRequest(is_order=False)
    return await peer.call(RequestCode.GET_BROKER_CONSUME_STATS, request)


@pytest.mark.parametrize("ask", [all_of_group, all_groups])
async def test_a_long_answer_takes_the_loop_a_little_at_a_time(
    peer: Peer, ask: Callable[[Peer], Awaitable[Command]]
) -> None:
    async with watched_turns() as turns:
        answer = await ask(peer)
    assert answer.code == 0
    # Other tasks of the broker have turns of their own; nearly all of these are the question's.
    turns.sort()
    assert turns[len(turns) * 99 // 100] < TURN_SECONDS_MAX
    assert sum(turns) > 5 * long_work.STEP_SECONDS


async def test_the_figures_of_all_groups_are_complete(broker: BrokerApp, peer: Peer) -> None:
    await peer.send("T1", queue_id=0)
    answer = await all_groups(peer)
    stats = BrokerConsumeStats.from_json(answer.body)
    found = {name: tables for item in stats.consume_stats_list for name, tables in item.items()}
    assert len(found["all"]) == TOPICS
    assert [len(table.offset_table) for table in found["all"]] == [QUEUES] * TOPICS
    assert (stats.total_diff, stats.broker_addr) == (2, peer.address)
    table = found["some"][0].offset_table
    assert table[MessageQueue("T1", "b", 0)] == GroupOffset(1, 0, 0, 0)
    answer = await all_of_group(peer)
    assert len(ConsumeStats.from_json(answer.body).offset_table) == TOPICS * QUEUES


async def test_an_answer_that_no_client_could_read_is_refused(tmp_path: Path) -> None:
    config = broker_config(tmp_path)
    config = replace(config, listen=replace(config.listen, frame_bytes_max=64 * 1024))
    app = BrokerApp(config)
    await app.start()
    try:
        async with connected(app, "one") as (peer,):
            app.running.tables.topics.put(TopicConfig("T", 1000, 1000))
            app.running.tables.offsets.commit("g", "T", 0, 0)
            answer = await peer.call(RequestCode.GET_CONSUME_STATS, ConsumeStatsRequest("g"))
            assert answer.code == ResponseCode.SYSTEM_ERROR
            assert "longer than 65536 bytes" in (answer.remark or "")
            assert "ask for one group" in (answer.remark or "")
    finally:
        await app.stop()


def test_pieces_make_the_document_that_would_be_written_whole() -> None:
    queues = [MessageQueue(f'"{n}"', "b", n) for n in range(5)]
    extents = {queue: TopicOffset(queue.queue_id, 9, 1) for queue in queues}
    offsets = {queue: GroupOffset(9, queue.queue_id, 0, 1) for queue in queues}
    spans = [QueueTimeSpan(queue, 1, 2, 3, 4, "a", "b", "c") for queue in queues]
    first, last = dict(list(offsets.items())[:2]), dict(list(offsets.items())[2:])
    whole = ConsumeStats(offsets, 1.5).to_json()
    assert filled(ConsumeStats({}, 1.5), [rows(first), b"", rows(last)]) == whole
    assert filled(TopicStats({}, 2.0), [rows(extents)]) == TopicStats(extents, 2.0).to_json()
    assert (
        filled(ConsumeTimeSpan(), [items(spans[:1]), items(spans[1:])])
        == ConsumeTimeSpan(tuple(spans)).to_json()
    )
    groups: tuple[dict[str, tuple[ConsumeStats, ...]], ...]
    groups = ({'"g"': (ConsumeStats(offsets, 1.5),) * 2}, {"h": ()})
    pieces = [group_item('"g"', [whole, whole]), group_item("h", [])]
    assert (
        filled(BrokerConsumeStats((), "a", 1, 2), pieces)
        == BrokerConsumeStats(groups, "a", 1, 2).to_json()
    )
