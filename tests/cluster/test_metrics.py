"""Metrics and health of real brokers: what is told is what happened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser
from tests.support.local_broker import broker_config
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq.admin import Admin
from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import MetricsConfig
from pocketmq.broker.handlers.admin import figures
from pocketmq.errors import BrokerRefused
from pocketmq.metrics import Collector
from pocketmq.metrics.apache_reading import read_apache
from pocketmq.metrics.health import readiness
from pocketmq.metrics.reading import read_figures
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.admin import FiguresRequest

_parse: Any = parser.text_string_to_metric_families


class Page:
    """A page of metrics, read by prometheus-client."""

    def __init__(self, text: bytes) -> None:
        self._samples = [sample for family in _parse(text.decode()) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The one sample with this name and at least these labels."""
        found = self.values(name, **labels)
        assert len(found) == 1, f"{name}{labels}: {found}"
        return found[0]

    def values(self, name: str, **labels: str) -> list[float]:
        """All samples with this name and at least these labels."""
        return [
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def labels(self, name: str) -> list[Mapping[str, str]]:
        """The labels of all samples with this name."""
        return [sample.labels for sample in self._samples if sample.name == name]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path, "a") as running:
        running.create_topic("orders")
        yield running


async def _page(collector: Collector) -> Page:
    return Page((await collector.collect()).render(open_metrics=True))


async def _send(cluster: SdkCluster, count: int, topic: str = "orders") -> None:
    async with pocketmq.Producer(cluster.address) as producer:
        for number in range(count):
            await producer.send(topic, f"body {number}".encode())


async def test_messages_that_come_in_and_go_out_are_counted(cluster: SdkCluster) -> None:
    taken: list[bytes] = []

    async def take(message: pocketmq.ReceivedMessage) -> None:
        taken.append(message.body)

    await _send(cluster, 5)
    async with (
        Collector(cluster.address) as collector,
        pocketmq.Consumer(
            cluster.address, group="billing", topics="orders", handler=take, start_from="first"
        ),
    ):
        await until(lambda: len(taken) == 5)
        page = await _page(collector)
        base = {"cluster": "C", "node_type": "broker", "node_id": "a"}
        into = {"topic": "orders", "message_type": "normal", "is_system": "false", **base}
        out = {"topic": "orders", "consumer_group": "billing", "is_retry": "false", **base}
        assert page.value("rocketmq_messages_in_total", **into) == 5
        assert page.value("rocketmq_throughput_in_total", **into) > 5 * len("body 0")
        assert page.value("rocketmq_messages_out_total", **out) == 5
        assert page.value("rocketmq_throughput_out_total", **out) > 5 * len("body 0")
        assert page.value("rocketmq_consumer_connections", consumer_group="billing") == 1
        (member,) = page.labels("rocketmq_consumer_connections")
        assert member["consume_mode"] == "push" and member["protocol_type"] == "remoting"
        assert page.value("pocketmq_broker_up", address=str(cluster.brokers["a"].address)) == 1
        assert page.value("pocketmq_name_server_up") == 1


async def test_sizes_are_counted_since_they_were_first_asked_for(cluster: SdkCluster) -> None:
    await _send(cluster, 3)
    async with Collector(cluster.address) as collector:
        assert not (await _page(collector)).values("rocketmq_message_size_count")
        async with pocketmq.Producer(cluster.address) as producer:
            for size in (10, 2000, 2000, 10_000, 600_000):
                await producer.send("orders", os.urandom(size))
        orders = {"topic": "orders", "message_type": "normal"}
        for _ in range(2):  # what was counted is not counted again
            page = await _page(collector)
            limits = ("1024.0", "4096.0", "524288.0", "1048576.0", "+Inf")
            found = [page.value("rocketmq_message_size_bucket", le=x, **orders) for x in limits]
            assert found == [1, 3, 4, 5, 5]
            total = page.value("rocketmq_message_size_sum", **orders)
            assert 614_010 < total < 614_010 + 5 * 400
        cluster.brokers["a"].running.tables.topics.delete("orders")
        assert not (await _page(collector)).values("rocketmq_message_size_count")


async def test_lag_is_told_with_its_age(cluster: SdkCluster) -> None:
    await _send(cluster, 4)
    tables = cluster.brokers["a"].running.tables
    for queue_id in range(4):
        end = cluster.brokers["a"].running.store.queue_offsets("orders", queue_id)[1]
        tables.offsets.commit("billing", "orders", queue_id, max(end - 1, 0))
    await _send(cluster, 1)
    async with Collector(cluster.address) as collector:
        page = await _page(collector)
        billing = {"topic": "orders", "consumer_group": "billing", "is_retry": "false"}
        lag = page.value("rocketmq_consumer_lag_messages", **billing)
        extents = [
            cluster.brokers["a"].running.store.queue_offsets("orders", number)[1]
            for number in range(4)
        ]
        committed = [tables.offsets.query("billing", "orders", number) or 0 for number in range(4)]
        assert lag == sum(extents) - sum(committed) > 1
        assert page.value("rocketmq_consumer_ready_messages", **billing) == lag
        assert page.value("rocketmq_consumer_inflight_messages", **billing) == 0
        age = page.value("rocketmq_consumer_lag_latency_milliseconds", **billing)
        assert 0 <= age < 60_000
        tables.offsets.note_pull("billing", "orders", extents.index(max(extents)), max(extents))
        page = await _page(collector)
        assert page.value("rocketmq_consumer_inflight_messages", **billing) >= 1
        for queue_id, end in enumerate(extents):
            tables.offsets.commit("billing", "orders", queue_id, end)
        page = await _page(collector)
        assert page.value("rocketmq_consumer_lag_messages", **billing) == 0
        assert page.value("rocketmq_consumer_lag_latency_milliseconds", **billing) == 0


async def test_transactions_and_delays_are_told_by_topic(cluster: SdkCluster) -> None:
    async with pocketmq.Producer(cluster.address) as producer:
        await producer.send("orders", b"later", delay_level=18)
        async with producer.transaction("orders", b"yes"):
            pass
        with pytest.raises(LookupError):
            async with producer.transaction("orders", b"no"):
                raise LookupError
    async with Collector(cluster.address) as collector:
        page = await _page(collector)
        assert page.value("rocketmq_commit_messages_total", topic="orders") == 1
        assert page.value("rocketmq_rollback_messages_total", topic="orders") == 1
        assert page.value("rocketmq_half_messages", topic="orders") == 0
        assert page.value("pocketmq_delayed_messages", level="18") == 1


async def test_many_rows_come_in_pages_and_all_of_them(cluster: SdkCluster) -> None:
    count = 2 * figures.ROWS_PER_PAGE + 7
    running = cluster.brokers["a"].running
    before = len(running.tables.topics)
    for number in range(count):
        cluster.create_topic(f"many-{number}", queues=1)
        running.tables.offsets.commit(f"group-{number}", f"many-{number}", 0, 0)
    async with Collector(cluster.address) as collector:
        page = await _page(collector)
        assert len(page.values("rocketmq_messages_in_total")) == count + before
        assert len(page.values("rocketmq_consumer_lag_messages")) >= count
        assert page.value("rocketmq_topic_number") == count + before


async def test_an_unknown_section_is_refused_with_the_known_ones(cluster: SdkCluster) -> None:
    address = str(cluster.brokers["a"].address)
    async with Collector(cluster.address) as collector:
        ask = collector.admin.calls.ask
        with pytest.raises(BrokerRefused, match=r"no section 'x' .* topics"):
            await ask(address, RequestCode.COLLECT_FIGURES, FiguresRequest("x"))
        with pytest.raises(BrokerRefused, match="0 or more"):
            await ask(address, RequestCode.COLLECT_FIGURES, FiguresRequest("topics", -1))


async def test_apaches_requests_tell_the_same_as_far_as_they_go(cluster: SdkCluster) -> None:
    await _send(cluster, 6)
    tables = cluster.brokers["a"].running.tables
    tables.groups.find_or_create("billing")
    store = cluster.brokers["a"].running.store
    consumed = next(number for number in range(4) if store.queue_offsets("orders", number)[1])
    tables.offsets.commit("billing", "orders", consumed, 1)
    address = str(cluster.brokers["a"].address)
    async with Collector(cluster.address) as collector:
        ours = await read_figures(collector.admin.calls, address)
        theirs = await read_apache(collector.admin.calls, address, "C", "a")
        assert ours is not None
        here = {row.topic: row.messages_in for row in ours.topics}
        there = {row.topic: row.messages_in for row in theirs.topics}
        assert here["orders"] == there["orders"] == 6
        assert here.keys() == there.keys()
        for name in ("topics", "groups", "log_end", "log_first", "disk_total_bytes"):
            assert theirs.numbers[name] == pytest.approx(ours.numbers[name], rel=0.1), name
        (progress,) = [row for row in theirs.progress if row.group == "billing"]
        assert (progress.topic, progress.lag) == ("orders", 5)
        assert dict(ours.facts)["cluster"] == theirs.facts["cluster"]


async def test_a_broker_that_is_gone_is_told_by_the_page(
    cluster: SdkCluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with Collector(broker=str(cluster.brokers["a"].address)) as collector:
        assert (await _page(collector)).value("pocketmq_broker_up") == 1
        await cluster.stop_broker("a")
        for _ in range(2):
            page = await _page(collector)
            assert page.value("pocketmq_broker_up") == 0
            assert not page.values("rocketmq_messages_in_total")
        told = [record for record in caplog.records if "metrics cannot be had" in record.message]
        assert len(told) == 1


async def test_readiness_names_what_is_wrong(cluster: SdkCluster) -> None:
    running = cluster.brokers["a"].running
    async with Collector(cluster.address) as collector:
        assert (await readiness(collector)).ready
        running.store.refuse_writes("the disk is full")
        found = await readiness(collector)
        assert not found.ready
        assert ("broker a", False) in [(check.name, check.ok) for check in found.checks]
        assert "the disk is full" in found.checks[-1].detail
        running.store.accept_writes()
        await cluster.stop_broker("a")
        found = await readiness(collector)
        assert not found.ready
    async with Collector("127.0.0.1:1") as collector:
        found = await readiness(collector)
        assert not found.ready and found.checks[0].name == "name server"


async def test_labels_of_the_configuration_are_on_every_sample(tmp_path: Path) -> None:
    config: Any = replace(
        broker_config(tmp_path), metrics=MetricsConfig(labels='zone:a,bad name:x,rack:"7"')
    )
    app = BrokerApp(config)
    await app.start()
    try:
        async with Collector(broker=str(app.address)) as collector:
            page = await _page(collector)
            for labels in page.labels("rocketmq_messages_in_total"):
                assert (labels["zone"], labels["rack"]) == ("a", '"7"')
    finally:
        await app.stop()


async def test_the_permission_is_the_one_of_now(cluster: SdkCluster) -> None:
    async with Admin(cluster.address) as admin:
        (broker,) = await admin.clusters.masters()
        for permission in (4, 6):
            await admin.brokers.update(broker, {"brokerPermission": str(permission)})
            async with Collector(cluster.address) as collector:
                page = await _page(collector)
                assert page.value("rocketmq_broker_permission") == permission


async def test_who_asks_at_the_same_time_shares_a_page(cluster: SdkCluster) -> None:
    async with Collector(cluster.address) as collector:
        first, second = await asyncio.gather(collector.collect(), collector.collect())
        assert first is second
        assert await collector.collect() is not first
