"""The cluster at a glance: the shapes that the overview, its stream and the brokers' page share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pocketmq.admin import BrokerState


@dataclass(frozen=True, slots=True)
class BrokerNow:
    """One broker now. What could not be asked is null."""

    cluster: str
    name: str
    id: int
    address: str
    up: bool
    error: str | None
    version: str | None
    boot_ms: int | None
    put_tps: float | None
    get_tps: float | None
    put_today: int | None
    get_today: int | None
    disk_ratio: float | None
    dispatch_behind_bytes: int | None
    latency_ms: float | None
    """The round trip of a small request from here."""
    put_p99_ms: float | None
    page_cache_lock_ms: int | None
    earliest_ms: int | None

    @classmethod
    def of(cls, state: BrokerState, latency_ms: float) -> BrokerNow:
        """A broker from what it says of itself."""
        broker = state.broker
        place = (broker.cluster, broker.name, broker.id, broker.address)
        if state.problem:
            return cls(*place, False, state.problem, *[None] * 12)
        figures = state.figures
        return cls(
            *place,
            True,
            None,
            state.version,
            state.started_ms,
            state.in_per_second,
            state.out_per_second,
            state.in_today,
            state.out_today,
            state.disk_used,
            state.dispatch_behind_bytes,
            round(latency_ms, 2),
            _decimal(figures, "putLatency99"),
            _whole(figures, "pageCacheLockTimeMills"),
            state.oldest_ms or None,
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all brokers."""

    put_tps: float | None
    get_tps: float | None
    put_today: int | None
    get_today: int | None
    topics: int | None
    groups: int | None
    clients: int | None
    lag: int | None
    dead_letters: int | None
    dead_letters_waiting: int | None
    """How many of them were not sent back yet; null: not asked yet."""
    disk_ratio: float | None


@dataclass(frozen=True, slots=True)
class TopTopic:
    """A topic among the busiest."""

    topic: str
    put_tps: float
    messages: int


@dataclass(frozen=True, slots=True)
class TopGroup:
    """A group among those furthest behind."""

    group: str
    lag: int
    members: int


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one moment."""

    at_ms: int
    put_tps: float | None
    get_tps: float | None
    latency_ms: float | None
    lag: int | None
    disk_ratio: float | None


@dataclass(frozen=True, slots=True)
class History:
    """The last moments, the newest last."""

    step_ms: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The cluster at a glance."""

    at_ms: int
    totals: Totals
    brokers: tuple[BrokerNow, ...]
    top_topics: tuple[TopTopic, ...]
    top_groups: tuple[TopGroup, ...]
    history: History

    def point(self) -> Point:
        """This moment in the charts."""
        latencies = [one.latency_ms for one in self.brokers if one.latency_ms is not None]
        totals = self.totals
        return Point(
            self.at_ms,
            totals.put_tps,
            totals.get_tps,
            max(latencies, default=None),
            totals.lag,
            totals.disk_ratio,
        )


def total(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return round(sum(known), 3) if known else None


def whole_total(values: Iterable[int | None]) -> int | None:
    """The same for counts."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _decimal(figures: Mapping[str, str], name: str) -> float | None:
    try:
        return float(figures[name])
    except (KeyError, ValueError):
        return None


def _whole(figures: Mapping[str, str], name: str) -> int | None:
    text = figures.get(name, "")
    return int(text) if text.isdigit() else None
