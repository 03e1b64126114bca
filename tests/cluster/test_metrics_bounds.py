"""A scrape of a big broker: its steps are short, so that sends go on in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

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

ROWS_PER_STEP_MAX = {"topics": 100, "progress": 16, "sizes": 50}


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


class Steps(NamedTuple):
    """What the broker did for one section: how much, and in how many turns of its loop."""

    rows: int
    turns: int


def _steps(running: RunningBroker, section: str) -> Steps:
    """Run the broker's part of a section step by step, as the event loop does."""
    handler = running.figures
    start = rows = count = 0
    while True:
        fields = {"section": section, "start": str(start)}
        command = Command(RequestCode.COLLECT_FIGURES, fields=fields)
        work: Any = handler.collect(None, command)  # type: ignore[arg-type]
        page: Command | None = None
        while page is None:
            count += 1
            try:
                work.send(None)
            except StopIteration as done:
                page = done.value
        body = bytes(page.body)
        rows += body.count(b"[") - 1
        start = int(body[len(b'{"next":') : body.index(b",")])
        if start == 0:
            return Steps(rows, count)


async def test_a_big_scrape_is_whole_and_made_of_short_steps(big: BrokerApp) -> None:
    sections = ("numbers", "counts", "topics", "deliveries", "progress", "sizes")
    found = {section: _steps(big.running, section) for section in sections}
    assert found["topics"].rows >= TOPICS
    assert found["progress"].rows == GROUPS * TOPICS_PER_GROUP
    looked_at = {"topics": TOPICS, "progress": GROUPS * TOPICS_PER_GROUP, "sizes": TOPICS}
    for section, most in ROWS_PER_STEP_MAX.items():
        assert found[section].turns >= looked_at[section] / most, section
    async with Collector(broker=str(big.address)) as collector:
        text = (await collector.collect()).render(open_metrics=False)
        assert text.count(b"\nrocketmq_consumer_lag_messages{") == GROUPS * TOPICS_PER_GROUP
        assert text.count(b"\nrocketmq_messages_in_total{") >= TOPICS
