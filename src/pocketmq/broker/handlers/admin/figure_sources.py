"""Where the figures of a broker come from: its tables, its store and its process.

Everything here is read in one go on the event loop, so a source may look at a table that changes
there. Names of numbers and counts are explained where they are used, in `metrics/`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pocketmq import __version__
from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.rules.attributes import MESSAGE_TYPE
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.clients import ConsumerGroup
from pocketmq.broker.state.statistics import LATENCY_LIMITS_MS
from pocketmq.broker.state.tables import Tables
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.figures import (
    ConsumerFigures,
    Count,
    Fact,
    Number,
    ProducerFigures,
    TopicFigures,
)
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.store import MessageStore

_OPEN_ENDED: Final = "+Inf"


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What tells of the moment: sends that wait for the disk, pulls that wait for messages."""

    waiting_sends: Callable[[], int]
    held_pulls: Callable[[], int]
    connections: Callable[[], int]
    model_numbers: Callable[[], Iterable[Number]]
    model_counts: Callable[[], Iterable[Count]]


class BrokerFigures:
    """Makes rows."""

    def __init__(
        self,
        config: BrokerConfig,
        store: MessageStore,
        tables: Tables,
        cold_reads: ColdReadService,
        live: LiveParts,
        clock: Clock,
    ) -> None:
        self._config = config
        self._store = store
        self._tables = tables
        self._cold_reads = cold_reads
        self._live = live
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._earliest_ms = 0
        self._log_dir = str(config.store.commit_log_dir or config.store.root / "commitlog")

    async def prepare(self) -> None:
        """Find out when the first message was stored, which may need the disk."""
        store = self._store
        record = await self._cold_reads.look_up(
            lambda: store.in_memory.decoded_record_at(store.min_log_offset)
        )
        self._earliest_ms = 0 if record is None else record.store_timestamp_ms

    def facts(self) -> Iterator[Fact]:
        """Who this is."""
        identity = self._config.identity
        yield Fact("cluster", identity.cluster)
        yield Fact("broker", identity.broker_name)
        yield Fact("role", identity.role)
        yield Fact("version", __version__)
        yield Fact("labels", self._config.metrics.labels)
        failure = self._store.failure
        yield Fact("not_writable", "" if failure is None else str(failure))

    def numbers(self) -> Iterator[Number]:
        """How it is."""
        yield Number("now_ms", self._clock.now_ms())
        yield Number("started_ms", self._started_ms)
        yield Number("id", self._config.identity.broker_id)
        yield Number("permission", self._tables.topics.broker_permission)
        yield Number("topics", len(self._tables.topics))
        yield Number("groups", len(self._tables.groups))
        yield from self._of_store()
        yield from self._of_traffic()
        yield from self._of_process()
        yield from self._live.model_numbers()

    def counts(self) -> Iterator[Count]:
        """What is counted for a topic, a group or a class."""
        limits = [*map(str, LATENCY_LIMITS_MS), _OPEN_ENDED]
        classes = self._tables.statistics.latency_classes
        for limit, number in zip(limits, classes, strict=True):
            yield Count("put_latency", limit, number)
        for name, key, number in self._tables.statistics.other_totals():
            yield Count(name, key, number)
        for what, topic, number in self._tables.transactions.totals():
            yield Count(f"transactions_{what.lower()}", topic, number)
        for topic in self._tables.waiting.topics():
            yield Count("timed", topic, self._tables.waiting.count(topic))
        yield from self._live.model_counts()

    def topic(self, config: TopicConfig) -> TopicFigures:
        """What went into a topic."""
        kind = config.attributes.get(MESSAGE_TYPE, "normal").lower()
        total = self._tables.statistics.put_total(config.topic_name)
        return TopicFigures(config.topic_name, kind, *total)

    def consumers(self, group: ConsumerGroup) -> list[ConsumerFigures]:
        """Who consumes in a group."""
        kinds = Counter((client.language, client.version) for client in group.members.values())
        return [
            ConsumerFigures(group.name, language, version, group.consume_type, members)
            for (language, version), members in kinds.items()
        ]

    def producers(self) -> Iterator[ProducerFigures]:
        """Who sends."""
        kinds: Counter[tuple[int, int]] = Counter()
        for _, members in self._tables.clients.producer_groups():
            kinds.update((client.language, client.version) for client in members)
        for (language, version), count in kinds.items():
            yield ProducerFigures(language, version, count)

    def _of_store(self) -> Iterator[Number]:
        store, usage = self._store, shutil.disk_usage(self._log_dir)
        yield Number("log_first", store.min_log_offset)
        yield Number("log_end", store.log_end)
        yield Number("flush_behind_bytes", store.log_end - store.flushed_offset)
        yield Number("dispatch_behind_bytes", store.log_end - store.dispatched_offset)
        yield Number("earliest_ms", self._earliest_ms)
        yield Number("disk_total_bytes", usage.total)
        yield Number("disk_free_bytes", usage.free)
        yield Number("writable", int(store.failure is None))

    def _of_traffic(self) -> Iterator[Number]:
        for name, value in self._tables.statistics.totals._asdict().items():
            yield Number(f"total_{name}", value)
        yield Number("sends_waiting", self._live.waiting_sends())
        yield Number("pulls_held", self._live.held_pulls())
        yield Number("cold_reads_waiting", self._cold_reads.waiting)
        yield Number("connections", self._live.connections())
        yield Number("clients", len(self._tables.clients))

    def _of_process(self) -> Iterator[Number]:
        used = os.times()
        yield Number("cpu_seconds", used.user + used.system)
        with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
            yield Number("resident_bytes", pages * os.sysconf("SC_PAGE_SIZE"))
