"""Metrics, health and `pocketmq bench` in front of Apache's servers."""

from __future__ import annotations

import asyncio
import math
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import parser
from tests.compat.conftest import Apaches
from tests.support.apache import OLD_VERSION, VERSION

import pocketmq
from pocketmq.admin import Admin
from pocketmq.admin.benchmarks import Plan, run_benchmark
from pocketmq.client.config import ClientConfig
from pocketmq.metrics import Collector, families
from pocketmq.metrics.health import readiness

Sample = tuple[str, str, str]
"""Name, group and topic."""

SECONDS_MAX = 60


@pytest.mark.timeout(180)
@pytest.mark.parametrize("version", [VERSION, OLD_VERSION])
async def test_metrics_tell_what_apaches_broker_holds(apaches: Apaches, version: str) -> None:
    address = apaches(version).name_server
    topic, group = f"metrics-{uuid.uuid4().hex[:8]}", f"metrics-{uuid.uuid4().hex[:8]}"
    taken = asyncio.Event()

    async def take(message: pocketmq.ReceivedMessage) -> None:
        taken.set()

    async with Admin(_patient(address)) as admin, Collector(admin=admin) as collector:
        await admin.topics.create(topic, queues=1)
        await admin.groups.create(group)
        async with pocketmq.Producer(address) as producer:
            await producer.send(topic, b"one")
            async with pocketmq.Consumer(
                address, group=group, topics=topic, handler=take, start_from="first"
            ):
                await asyncio.wait_for(taken.wait(), 60)
                here = await _values(collector, until=("rocketmq_consumer_connections", group, ""))
                assert here["rocketmq_consumer_connections", group, ""] == 1
            for _ in range(3):
                await producer.send(topic, b"more")
        found = await _values(collector, until=("rocketmq_messages_in_total", "", topic))
        assert found["rocketmq_messages_in_total", "", topic] == 4
        assert found["rocketmq_consumer_lag_messages", group, topic] == 3
        # A pull that waited when the group left may have been answered with the first of them.
        assert found["rocketmq_consumer_ready_messages", group, topic] in (2, 3)
        assert 0 <= found["rocketmq_consumer_lag_latency_milliseconds", group, topic] < 600_000
        for family in (families.TOPICS, families.GROUPS, families.STORAGE_SIZE, families.UP,
                       families.LOG_BYTES, families.STARTED, families.DISK_FREE):  # fmt: skip
            assert found[family.name, "", ""] > 0, family.name
        assert found["rocketmq_storage_dispatch_behind_bytes", "", ""] >= 0
        ready = await readiness(collector)
        assert ready.ready, ready


@pytest.mark.timeout(180)
@pytest.mark.parametrize("version", [VERSION])
async def test_bench_measures_apaches_broker(apaches: Apaches, version: str) -> None:
    address = apaches(version).name_server
    config = _patient(address)
    for load in ("send", "end-to-end", "ordered", "transactions", "consume"):
        plan = Plan(
            load, seconds=60, messages=100, warm_up_seconds=0, in_flight=4, body_bytes=100, queues=2
        )
        result = await run_benchmark(plan, config)
        assert result.messages >= 100 and not result.failures, result
        assert result.out_of_order == 0
        async with Admin(config) as admin:
            assert plan.topic not in await admin.topics.names(everything=True)


def _patient(address: str) -> ClientConfig:
    """For servers on a machine that is busy with other tests."""
    return replace(ClientConfig.of(address), call_timeout_ms=20_000)


async def _values(collector: Collector, until: Sample) -> dict[Sample, float]:
    """Each sample's value by name, group and topic, once that one is there.

    On a busy machine an Apache broker may not answer in time; then the page says so.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SECONDS_MAX
    found = await _page(collector)
    while until not in found:
        assert loop.time() < deadline, f"no {until} within {SECONDS_MAX} s"
        assert found["pocketmq_broker_up", "", ""] == 0, f"no {until}"
        found = await _page(collector)
    return found


async def _page(collector: Collector) -> dict[Sample, float]:
    text = (await collector.collect()).render(open_metrics=False).decode()
    assert re.search(r"^pocketmq_name_server_up 1$", text, re.M)
    parse: Any = parser.text_string_to_metric_families
    found = {}
    for family in parse(text):
        for name, labels, value, *_ in family.samples:
            assert not math.isnan(value)
            found[name, labels.get("consumer_group", ""), labels.get("topic", "")] = value
    return found
