"""What went through this broker: per topic, per group and topic, and in all.

The hot path adds to plain counters. A service takes snapshots of them: every ten seconds for the
figures of the last minute, every ten minutes for those of the last hour, every hour for the day.
RocketMQ's names of these statistics are the keys of `figures`.

    TOPIC_PUT_NUMS, TOPIC_PUT_SIZE     key topic           BROKER_PUT_NUMS     key cluster
    GROUP_GET_NUMS, GROUP_GET_SIZE     key topic@group     BROKER_GET_NUMS     key cluster
    SNDBCK_PUT_NUMS and others         key topic@group, counted by `add`
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from pocketmq.broker.state.counters import COUNT, DAY, HOUR, MINUTE, SIZE, Counter, Timeline
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.stats import BrokerStats

_AnyKey = TypeVar("_AnyKey", str, tuple[str, str])

KEYS_MAX: Final = 200_000

LATENCY_LIMITS_MS: Final = (0, 10, 50, 100, 200, 500, 1000, 2000, 3000, 4000, 5000, 10_000)
"""Upper ends of the classes in which the duration of sends is counted; one more is open."""


class Totals(NamedTuple):
    """What went through since the start."""

    put: int
    put_bytes: int
    put_failed: int
    found: int
    missed: int
    transferred: int


class Rates(NamedTuple):
    """Events per second over the last 10, 60 and 600 seconds."""

    ten_seconds: float
    minute: float
    ten_minutes: float


class Mornings(NamedTuple):
    """Messages put and taken since the start, at the last two midnights and now."""

    put_yesterday: int
    put_today: int
    put_now: int
    get_yesterday: int
    get_today: int
    get_now: int


class Statistics:
    """Counts on the event loop."""

    def __init__(self, cluster: str, clock: Clock, *, keys_max: int = KEYS_MAX) -> None:
        self._cluster = cluster
        self._clock = clock
        self._keys_max = keys_max
        self._topics: dict[str, Counter] = {}
        self._pairs: dict[tuple[str, str], Counter] = {}
        self._others: dict[tuple[str, str], Counter] = {}
        self._put = Counter()
        self._got = Counter()
        self._rest = Counter()  # what the limit on keys leaves without a counter of its own
        self._missed = 0
        self._failed = 0
        self._took = [0] * (len(LATENCY_LIMITS_MS) + 1)
        self._took_ms_max = 0
        self._timeline = Timeline(clock)
        self._seconds: deque[tuple[float, Totals]] = deque(maxlen=11)
        self._tens: deque[tuple[float, Totals]] = deque(maxlen=61)
        self._day = _day(clock.now_ms())
        self._put_mornings = [0, 0]
        self._get_mornings = [0, 0]
        self._sample()

    # -- counting: the hot path -------------------------------------------------------------

    def put(self, topic: str, count: int, size: int) -> None:
        """`count` messages of `size` bytes in all were stored for a topic."""
        counter = self._topics.get(topic) or self._new(self._topics, topic)
        counter.count += count
        counter.size += size
        counter.times += 1
        counter = self._put
        counter.count += count
        counter.size += size
        counter.times += 1

    def get(self, group: str, topic: str, count: int, size: int) -> None:
        """`count` messages of `size` bytes in all left for a group."""
        key = (group, topic)
        counter = self._pairs.get(key) or self._new(self._pairs, key)
        counter.count += count
        counter.size += size
        counter.times += 1
        counter = self._got
        counter.count += count
        counter.size += size
        counter.times += 1

    def miss(self) -> None:
        """A pull found nothing."""
        self._missed += 1

    def put_failed(self) -> None:
        """A send was refused by the store."""
        self._failed += 1

    def put_took(self, duration_ms: int) -> None:
        """A send was answered after this time."""
        self._took[bisect_left(LATENCY_LIMITS_MS, duration_ms)] += 1
        if duration_ms > self._took_ms_max:
            self._took_ms_max = duration_ms

    def add(self, name: str, key: str, count: int = 1, size: int = 0) -> None:
        """Count something rarer, under RocketMQ's name of the statistic."""
        counter = self._others.get((name, key)) or self._new(self._others, (name, key))
        counter.count += count
        counter.size += size
        counter.times += 1

    # -- snapshots --------------------------------------------------------------------------

    def step(self) -> None:
        """Take the snapshots that are due. Called once a second."""
        today = _day(self._clock.now_ms())
        if today != self._day:
            self._day = today
            self._put_mornings = [self._put_mornings[1], self._put.count]
            self._get_mornings = [self._get_mornings[1], self._got.count]
        self._sample()
        for period in self._timeline.due():
            for counter in self._counters():
                counter.snapshot(period)

    def _sample(self) -> None:
        now, totals = self._clock.monotonic(), self.totals
        self._seconds.append((now, totals))
        if not self._tens or now - self._tens[-1][0] >= 10:
            self._tens.append((now, totals))

    def _counters(self) -> Iterator[Counter]:
        yield self._put
        yield self._got
        yield from self._topics.values()
        yield from self._pairs.values()
        yield from self._others.values()

    # -- reading ----------------------------------------------------------------------------

    @property
    def totals(self) -> Totals:
        """What went through since the start."""
        put, got = self._put, self._got
        return Totals(put.count, put.size, self._failed, got.times, self._missed, got.count)

    def rates(self, field: str) -> Rates:
        """How fast one field of `Totals` grows."""
        now, totals = self._clock.monotonic(), self.totals
        minute = next((item for item in self._tens if now - item[0] <= 60.5), self._seconds[0])
        return Rates(
            *[
                _rate(now - then, getattr(totals, field) - getattr(old, field))
                for then, old in (self._seconds[0], minute, self._tens[0])
            ]
        )

    @property
    def mornings(self) -> Mornings:
        """Totals at the last two midnights and now."""
        return Mornings(*self._put_mornings, self._put.count, *self._get_mornings, self._got.count)

    @property
    def latency_classes(self) -> list[int]:
        """How many sends took up to each of `LATENCY_LIMITS_MS`, and longer than all."""
        return list(self._took)

    @property
    def latency_ms_max(self) -> int:
        """The longest time a send took."""
        return self._took_ms_max

    def put_tps(self, topic: str) -> float:
        """Messages per second into a topic, over the last minute."""
        counter = self._topics.get(topic)
        return 0.0 if counter is None else self._timeline.figure(counter, MINUTE, COUNT).tps

    def get_tps(self, group: str, topic: str) -> float:
        """Messages per second from a topic to a group, over the last minute."""
        counter = self._pairs.get((group, topic))
        return 0.0 if counter is None else self._timeline.figure(counter, MINUTE, COUNT).tps

    def figures(self, name: str, key: str) -> BrokerStats | None:
        """A statistic by RocketMQ's name, or None when nothing was counted under it."""
        found = self._find(name, key)
        if found is None:
            return None
        counter, value = found
        return BrokerStats(
            *[self._timeline.figure(counter, period, value) for period in (MINUTE, HOUR, DAY)]
        )

    def _find(self, name: str, key: str) -> tuple[Counter, int] | None:
        stem, _, what = name.rpartition("_")
        value = SIZE if what == "SIZE" else COUNT
        counter: Counter | None = None
        if name in ("TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE"):
            counter = self._topics.get(key)
        elif name in ("GROUP_GET_NUMS", "GROUP_GET_SIZE"):
            topic, _, group = key.partition("@")
            counter = self._pairs.get((group, topic))
        elif key == self._cluster and name in ("BROKER_PUT_NUMS", "BROKER_GET_NUMS"):
            counter = self._put if stem == "BROKER_PUT" else self._got
        else:
            counter = self._others.get((name, key))
            value = COUNT
        return None if counter is None else (counter, value)

    # -- forgetting -------------------------------------------------------------------------

    def remove_topic(self, topic: str) -> None:
        """Forget what was counted for a topic; totals stay."""
        self._topics.pop(topic, None)
        for pair in [pair for pair in self._pairs if pair[1] == topic]:
            del self._pairs[pair]

    def remove_group(self, group: str) -> None:
        """Forget what was counted for a group; totals stay."""
        for pair in [pair for pair in self._pairs if pair[0] == group]:
            del self._pairs[pair]

    def _new(self, table: dict[_AnyKey, Counter], key: _AnyKey) -> Counter:
        if len(table) >= self._keys_max:
            return self._rest
        counter = table[key] = Counter()
        return counter


def _rate(seconds: float, growth: int) -> float:
    return growth / seconds if seconds > 0 else 0.0


def _day(now_ms: int) -> int:
    return datetime.fromtimestamp(now_ms // 1000).toordinal()
