"""The SDK's consumers against our broker; tests/compat runs the same scenarios on Apache's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.sdk_cluster import sdk_cluster
from tests.support.sdk_scenarios import SCENARIOS
from tests.support.sdk_stage import Stage

import pocketmq
from pocketmq.broker.config import PullConfig


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("POCKETMQ_OFFSETS", str(tmp_path / "offsets"))
    async with sdk_cluster(tmp_path, pull=PullConfig(property_filter=True)) as cluster:

        async def create(topic: str) -> None:
            cluster.create_topic(topic)

        async with pocketmq.Producer(cluster.address, group="senders") as producer:
            yield Stage(cluster.address, create, producer)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("assert_kept", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_the_consumer_keeps_its_promise(
    stage: Stage, assert_kept: Callable[[Stage], Awaitable[None]]
) -> None:
    await assert_kept(stage)
