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
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from pocketmq.broker.state.counters import BYTES, DAY, HOUR, MESSAGES, MINUTE, Counter, Timeline
from pocketmq.clock import Clock
from pocketmq.protocol.bodies.stats import BrokerStats

TopicCounter = Counter

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
        self._put = Counter()  # brought up to date by `_sum_up`
        self._removed = Counter()  # what was put into topics that are gone
        self._got = Counter()
        self._rest = Counter()  # what the limit on keys leaves without a counter of its own
        self._found = 0
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

    def topic_counter(self, topic: str) -> TopicCounter:
        """The counter of messages put into a topic, for who adds to it again and again.

        It is valid until the topic is removed.
        """
        return self._topics.get(topic) or self._new(self._topics, topic)

    def put(self, topic: str, count: int, size: int) -> None:
        """`count` messages of `size` bytes in all were stored for a topic."""
        counter = self._topics.get(topic) or self._new(self._topics, topic)
        counter.messages += count
        counter.bytes += size

    def pair_counter(self, group: str, topic: str) -> Counter:
        """The counter of messages that left for a group, for who adds to it again and again.

        It is valid until the group or the topic is removed. `got` has to be told as well.
        """
        return self._pairs.get((group, topic)) or self._new(self._pairs, (group, topic))

    def get(self, group: str, topic: str, count: int, size: int) -> None:
        """`count` messages of `size` bytes in all left for a group."""
        counter = self.pair_counter(group, topic)
        counter.messages += count
        counter.bytes += size
        self.got(count, size, 1)

    def got(self, count: int, size: int, pulls: int) -> None:
        """`count` messages of `size` bytes in all left, in so many pulls."""
        self._got.messages += count
        self._got.bytes += size
        self._found += pulls

    def miss(self) -> None:
        """A pull found nothing."""
        self._missed += 1

    def put_failed(self) -> None:
        """A send was refused."""
        self._failed += 1

    def puts_took(self, count: int, duration_ms: int) -> None:
        """`count` sends were held for the disk, none of them longer than this."""
        self._took[bisect_left(LATENCY_LIMITS_MS, duration_ms)] += count
        if duration_ms > self._took_ms_max:
            self._took_ms_max = duration_ms

    def add(self, name: str, key: str, count: int = 1, size: int = 0) -> None:
        """Count something rarer, under RocketMQ's name of the statistic."""
        counter = self._others.get((name, key)) or self._new(self._others, (name, key))
        counter.messages += count
        counter.bytes += size

    # -- snapshots --------------------------------------------------------------------------

    def step(self) -> None:
        """Take the snapshots that are due. Called once a second."""
        self._sum_up()
        today = _day(self._clock.now_ms())
        if today != self._day:
            self._day = today
            self._put_mornings = [self._put_mornings[1], self._put.messages]
            self._get_mornings = [self._get_mornings[1], self._got.messages]
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
        self._sum_up()
        put = self._put
        return Totals(
            put.messages, put.bytes, self._failed, self._found, self._missed, self._got.messages
        )

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
        self._sum_up()
        put_before, put_today = self._put_mornings
        get_before, get_today = self._get_mornings
        return Mornings(
            put_before, put_today, self._put.messages, get_before, get_today, self._got.messages
        )

    @property
    def latency_classes(self) -> list[int]:
        """How many sends took up to each of `LATENCY_LIMITS_MS`, and longer than all.

        A send that is not held for the disk is answered within microseconds: the first class.
        """
        self._sum_up()
        at_once = max(self._put.messages - sum(self._took), 0)
        return [self._took[0] + at_once, *self._took[1:]]

    @property
    def latency_ms_max(self) -> int:
        """The longest time a send took."""
        return self._took_ms_max

    def put_tps(self, topic: str) -> float:
        """Messages per second into a topic, over the last minute."""
        counter = self._topics.get(topic)
        return 0.0 if counter is None else self._timeline.figure(counter, MINUTE, MESSAGES).tps

    def get_tps(self, group: str, topic: str) -> float:
        """Messages per second from a topic to a group, over the last minute."""
        counter = self._pairs.get((group, topic))
        return 0.0 if counter is None else self._timeline.figure(counter, MINUTE, MESSAGES).tps

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
        value = BYTES if what == "SIZE" else MESSAGES
        counter: Counter | None = None
        if name in ("TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE"):
            counter = self._topics.get(key)
        elif name in ("GROUP_GET_NUMS", "GROUP_GET_SIZE"):
            topic, _, group = key.partition("@")
            counter = self._pairs.get((group, topic))
        elif key == self._cluster and name in ("BROKER_PUT_NUMS", "BROKER_GET_NUMS"):
            self._sum_up()
            counter = self._put if stem == "BROKER_PUT" else self._got
        else:
            counter = self._others.get((name, key))
            value = MESSAGES
        return None if counter is None else (counter, value)

    # -- all of it --------------------------------------------------------------------------

    def put_total(self, topic: str) -> tuple[int, int]:
        """How many messages and bytes came into a topic since the start."""
        counter = self._topics.get(topic)
        return (0, 0) if counter is None else (counter.messages, counter.bytes)

    def got_each(self) -> Iterable[tuple[tuple[str, str], Counter]]:
        """Group and topic, and what left; nothing may be counted in between."""
        return self._pairs.items()

    def other_totals(self) -> Iterator[tuple[str, str, int]]:
        """Yield name, key and count of what `add` counted; see `got_each`."""
        for (name, key), counter in self._others.items():
            yield name, key, counter.messages

    # -- forgetting -------------------------------------------------------------------------

    def remove_topic(self, topic: str) -> None:
        """Forget what was counted for a topic; totals stay."""
        gone = self._topics.pop(topic, None)
        if gone is not None:
            self._removed.messages += gone.messages
            self._removed.bytes += gone.bytes
        for pair in [pair for pair in self._pairs if pair[1] == topic]:
            del self._pairs[pair]

    def remove_group(self, group: str) -> None:
        """Forget what was counted for a group; totals stay."""
        for pair in [pair for pair in self._pairs if pair[0] == group]:
            del self._pairs[pair]

    def _sum_up(self) -> None:
        # Sends add to their topic's counter alone, so that the hot path is short.
        counters = (self._removed, self._rest, *self._topics.values())
        self._put.messages = sum([counter.messages for counter in counters])
        self._put.bytes = sum([counter.bytes for counter in counters])

    def _new(self, table: dict[_AnyKey, Counter], key: _AnyKey) -> Counter:
        if len(table) >= self._keys_max:
            return self._rest if table is self._topics else Counter()
        counter = table[key] = Counter()
        return counter


def _rate(seconds: float, growth: int) -> float:
    return growth / seconds if seconds > 0 else 0.0


def _day(now_ms: int) -> int:
    return datetime.fromtimestamp(now_ms // 1000).toordinal()
