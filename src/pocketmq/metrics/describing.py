"""From what a broker told to samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from pocketmq.message import topics as names
from pocketmq.metrics import families as f
from pocketmq.metrics.families import Family
from pocketmq.metrics.reading import Reading
from pocketmq.metrics.text import Samples, escaped, label_text
from pocketmq.protocol.bodies.figures import SIZE_LIMITS
from pocketmq.protocol.codes import LanguageCode, version_name

_STORED: Final = 'storage_type="local",storage_medium="disk"'
_SIZE_LIMITS: Final = (*map(float, SIZE_LIMITS), math.inf)
_MODES: Final = {
    "CONSUME_ACTIVELY": "pull",
    "CONSUME_PASSIVELY": "push",
    "CONSUME_POP": "pop",
}

_NUMBERS: Final[Mapping[str, tuple[Family, str]]] = {
    "permission": (f.PERMISSION, ""),
    "topics": (f.TOPICS, ""),
    "groups": (f.GROUPS, ""),
    "connections": (f.CONNECTIONS, ""),
    "clients": (f.CLIENTS, ""),
    "flush_behind_bytes": (f.FLUSH_BEHIND, _STORED),
    "dispatch_behind_bytes": (f.DISPATCH_BEHIND, _STORED),
    "disk_total_bytes": (f.DISK_TOTAL, ""),
    "disk_free_bytes": (f.DISK_FREE, ""),
    "writable": (f.WRITABLE, ""),
    "total_put_failed": (f.PUTS_FAILED, ""),
    "total_found": (f.PULLS_FOUND, ""),
    "total_missed": (f.PULLS_MISSED, ""),
    "pulls_held": (f.PULLS_HELD, ""),
    "cpu_seconds": (f.CPU, ""),
    "resident_bytes": (f.RESIDENT, ""),
    "sends_waiting": (f.WATERMARK, 'processor="send"'),
    "cold_reads_waiting": (f.WATERMARK, 'processor="pull"'),
    "timerOffsetBehind": (f.TIMER_ENQUEUE_LAG, ""),
    "timer_enrolled": (f.TIMER_ENQUEUED, ""),
    "timer_delivered": (f.TIMER_DEQUEUED, ""),
    "pops_open": (f.POPS_OPEN, ""),
}
"""Numbers that are a sample as they are."""

_BY_TOPIC: Final[Mapping[str, Family]] = {
    "transactions_open": f.HALF,
    "transactions_commit": f.COMMITTED,
    "transactions_rollback": f.ROLLED_BACK,
    "timed": f.TIMING,
}
_BY_TOPIC_AND_GROUP: Final[Mapping[str, Family]] = {
    "DLQ_PUT_NUMS": f.TO_DEAD_LETTERS,
    "SNDBCK_PUT_NUMS": f.SENT_BACK,
}


class Description:
    """The samples of one broker."""

    def __init__(self, samples: Samples, reading: Reading) -> None:
        self._samples = samples
        self._reading = reading
        self._own_topics = names.broker_system_topics(
            reading.facts.get("cluster", ""), reading.facts.get("broker", "")
        )
        self._base = base_labels(
            reading.facts.get("cluster", ""), reading.facts.get("broker", "")
        ) + _extra_labels(reading.facts.get("labels", ""))
        self._now_ms = reading.numbers.get("now_ms", 0)

    def add_all(self) -> None:
        """Everything that was told."""
        self._add_broker()
        self._add_counts()
        self._add_topics()
        self._add_sizes()
        self._add_deliveries()
        self._add_progress()
        self._add_clients()

    def _labels(self, more: str) -> str:
        return f"{self._base},{more}" if more else self._base

    def _add(self, family: Family, value: float, more: str = "") -> None:
        self._samples.add(family, self._labels(more), value)

    def _add_broker(self) -> None:
        numbers, facts = self._reading.numbers, self._reading.facts
        for name, (family, more) in _NUMBERS.items():
            value = numbers.get(name)
            if value is not None:
                self._add(family, value, more)
        info = label_text(version=facts.get("version", ""), role=facts.get("role", ""))
        self._add(f.INFO, 1, info)
        if "disk_total_bytes" in numbers and "disk_free_bytes" in numbers:
            used = numbers["disk_total_bytes"] - numbers["disk_free_bytes"]
            self._add(f.STORAGE_SIZE, used, _STORED)
        if "log_end" in numbers and "log_first" in numbers:
            self._add(f.LOG_BYTES, numbers["log_end"] - numbers["log_first"])
        if numbers.get("earliest_ms", 0) > 0:
            self._add(f.RESERVE_TIME, self._age(numbers["earliest_ms"]), _STORED)
        if numbers.get("started_ms", 0) > 0:
            self._add(f.STARTED, numbers["started_ms"] / 1000)
        if "timerReadBehind" in numbers:
            self._add(f.TIMER_DEQUEUE_LATENCY, numbers["timerReadBehind"] * 1000)

    def _age(self, moment_ms: float) -> float:
        return max(self._now_ms - moment_ms, 0) if moment_ms > 0 else 0

    def _add_counts(self) -> None:
        latency: dict[float, int] = {}
        for name, key, value in self._reading.counts:
            if name == "put_latency":
                latency[math.inf if key == "+Inf" else float(key)] = value
            elif name == "delayed":
                self._add(f.DELAYED, value, label_text(level=key))
            elif name in _BY_TOPIC:
                self._add(_BY_TOPIC[name], value, label_text(topic=key))
            elif name in _BY_TOPIC_AND_GROUP:
                topic, _, group = key.partition("@")
                labels = label_text(
                    consumer_group=group, topic=topic, is_system=self._is_system(topic, group)
                )
                self._add(_BY_TOPIC_AND_GROUP[name], value, labels)
        if latency:
            self._samples.add_histogram(f.PUT_LATENCY, self._base, dict(sorted(latency.items())))

    def _of_topic(self, topic: str, kind: str) -> str:
        return self._labels(
            f'topic="{escaped(topic)}",message_type="{escaped(kind)}",'
            f'is_system="{self._is_system(topic)}"'
        )

    def _add_sizes(self) -> None:
        for row in self._reading.sizes:
            classes = dict(zip(_SIZE_LIMITS, row[2:-1], strict=True))
            labels = self._of_topic(row.topic, row.message_type)
            self._samples.add_histogram(f.MESSAGE_SIZE, labels, classes, row.bytes)

    def _add_topics(self) -> None:
        for topic, kind, messages, size in self._reading.topics:
            labels = self._of_topic(topic, kind)
            self._samples.add(f.MESSAGES_IN, labels, messages)
            if size >= 0:
                self._samples.add(f.THROUGHPUT_IN, labels, size)

    def _add_deliveries(self) -> None:
        for group, topic, messages, size in self._reading.deliveries:
            labels = self._pair(group, topic)
            self._samples.add(f.MESSAGES_OUT, labels, messages)
            self._samples.add(f.THROUGHPUT_OUT, labels, size)

    def _add_progress(self) -> None:
        add, age = self._samples.add, self._age
        for group, topic, lag, in_flight, ready, lag_since, ready_since in self._reading.progress:
            labels = self._pair(group, topic)
            add(f.LAG, labels, lag)
            add(f.IN_FLIGHT, labels, in_flight)
            add(f.READY, labels, ready)
            # A group that waits for something whose age is unknown must not look up to date.
            if lag_since > 0 or lag == 0:
                add(f.LAG_LATENCY, labels, age(lag_since))
            if ready_since > 0 or ready == ready_since == 0:
                add(f.QUEUEING_LATENCY, labels, age(ready_since))

    def _pair(self, group: str, topic: str) -> str:
        retry = "true" if topic.startswith(names.RETRY_PREFIX) else "false"
        return (
            f'{self._base},consumer_group="{escaped(group)}",topic="{escaped(topic)}",'
            f'is_retry="{retry}",is_system="{self._is_system(topic, group)}"'
        )

    def _is_system(self, topic: str, group: str = "") -> str:
        reserved = topic in self._own_topics or names.is_system_topic(topic)
        return "true" if reserved or names.is_system_group(group) else "false"

    def _add_clients(self) -> None:
        for language, version, members in self._reading.producers:
            self._add(f.PRODUCERS, members, _spoken(language, version))
        for group, language, version, consume_type, members in self._reading.consumers:
            mode = _MODES.get(consume_type, consume_type.lower())
            head = label_text(consumer_group=group)
            tail = label_text(consume_mode=mode, is_system=self._is_system("", group))
            self._add(f.CONSUMERS, members, f"{head},{_spoken(language, version)},{tail}")


def base_labels(cluster: str, broker: str) -> str:
    """What all samples of a broker carry."""
    return label_text(cluster=cluster, node_type="broker", node_id=broker)


def _extra_labels(text: str) -> str:
    """`zone:a,rack:7` of `metricsLabel` as labels; what is none is passed over, as by Apache."""
    found = ""
    for part in text.split(","):
        name, colon, value = part.strip().partition(":")
        if colon and name.isidentifier() and name.isascii() and name not in f.BASE_LABELS:
            found += f",{label_text(**{name: value})}"
    return found


def _spoken(language: int, version: int) -> str:
    try:
        spoken = LanguageCode(language).name.lower()
    except ValueError:
        spoken = str(language)
    version_text = version_name(version).lower()
    return label_text(language=spoken, version=version_text, protocol_type="remoting")
