"""A broker whose time stands still, with one topic, and a client: for tests that need no more.

Tests that set up something else define fixtures of the same names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import START_MS, Peer, connected, local_broker

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.topic_config import TopicConfig


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one
