"""A scrape of a big broker: its steps are short, so that sends go on in between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.local_broker import broker_config
from tests.support.store_builder import append

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.running import RunningBroker
from pocketmq.metrics import Collector
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

TOPICS = 1000
QUEUES = 8
GROUPS = 500
TOPICS_PER_GROUP = 4
FILLED = 100
"""Topics with messages. The files of more take seconds to close and add nothing to a step."""

STEP_SECONDS_MAX = 0.02
"""Processor time, so that a busy machine does not count; a step takes a tenth of it."""

SCRAPE_SECONDS_MAX = 0.4


@pytest.fixture
async def big(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    """A broker with a thousand topics of eight queues, and groups that are behind in some."""
    app = BrokerApp(broker_config(tmp_path))
    await app.start()
    running = app.running
    tables, store = running.tables, running.store
    tables.topics.put_all([TopicConfig(f"topic-{i}", QUEUES, QUEUES) for i in range(TOPICS)])
    tables.groups.put_all([SubscriptionGroup(f"group-{i}") for i in range(GROUPS)])
    for number in range(FILLED):
        for queue_id in range(QUEUES):
            append(store, f"topic-{number}", queue_id=queue_id, body=b"x")
    running.dispatch.drain()
    for number in range(GROUPS * TOPICS_PER_GROUP):
        group, topic = divmod(number, TOPICS_PER_GROUP)
        name = f"topic-{(group + topic * 7) % FILLED}"
        for queue_id in range(QUEUES):
            tables.offsets.commit(f"group-{group}", name, queue_id, number % 2)
    yield app
    await app.stop()


def _longest_step(running: RunningBroker, section: str) -> tuple[float, int]:
    """Run the broker's part of a section step by step: the longest, and how many rows came."""
    handler = running.figures
    start = rows = 0
    longest = 0.0
    while True:
        fields = {"section": section, "start": str(start)}
        command = Command(RequestCode.COLLECT_FIGURES, fields=fields)
        work: Any = handler.collect(None, command)  # type: ignore[arg-type]
        page: Command | None = None
        while page is None:
            began = time.thread_time()
            try:
                work.send(None)
            except StopIteration as done:
                page = done.value
            longest = max(longest, time.thread_time() - began)
        body = bytes(page.body)
        rows += body.count(b"[") - 1
        start = int(body[len(b'{"next":') : body.index(b",")])
        if start == 0:
            return longest, rows


async def test_a_big_scrape_is_whole_and_none_of_its_steps_is_long(big: BrokerApp) -> None:
    found = {
        section: _longest_step(big.running, section)
        for section in ("numbers", "counts", "topics", "deliveries", "progress", "sizes")
    }
    assert found["topics"][1] >= TOPICS
    assert found["progress"][1] == GROUPS * TOPICS_PER_GROUP
    for section, (longest, _) in found.items():
        assert longest < STEP_SECONDS_MAX, f"{section}: {longest * 1000:.1f} ms"
    async with Collector(broker=str(big.address)) as collector:
        text = (await collector.collect()).render(open_metrics=False)
        assert text.count(b"\nrocketmq_consumer_lag_messages{") == GROUPS * TOPICS_PER_GROUP
        assert text.count(b"\nrocketmq_messages_in_total{") >= TOPICS
        began = time.process_time()
        await collector.collect()
        # Both ends are in this process. A tenth of a second is what a scrape may take.
        assert time.process_time() - began < SCRAPE_SECONDS_MAX
