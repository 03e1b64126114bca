"""What a producer or consumer did, in numbers.

    statistics = Statistics()
    producer = Producer("127.0.0.1:9876", group="orders", hooks=[statistics])
    ...
    print(statistics.topics["orders"].sent, statistics.topics["orders"].send_ms.quantile(0.99))

One object may be given to several clients; it then counts them together.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final

from pocketmq.client.hooks import ConsumeContext, Hook, RecallContext, SendContext

# Each bound is a quarter above the one before, from 0.05 ms to about five minutes.
BOUNDS_MS: Final = tuple(0.05 * 1.25**step for step in range(70))
OTHER_TOPICS: Final = "(other topics)"


class Durations:
    """How long things took, in buckets a quarter apart.

    >>> took = Durations()
    >>> for ms in (1, 2, 3, 100):
    ...     took.add(ms)
    >>> took.count, took.mean, 2 <= took.quantile(0.5) < 3, took.longest
    (4, 26.5, True, 100)
    """

    __slots__ = ("_buckets", "count", "longest", "total")

    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS_MS) + 1)
        self.count = 0
        self.total = 0.0
        self.longest = 0.0

    def add(self, ms: float) -> None:
        """Count one."""
        self._buckets[bisect_left(BOUNDS_MS, ms)] += 1
        self.count += 1
        self.total += ms
        self.longest = max(self.longest, ms)

    @property
    def mean(self) -> float:
        """The mean in milliseconds; 0 when nothing was counted."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """The milliseconds that this share of all took at most, to a quarter; 0 without any."""
        wanted, seen = share * self.count, 0
        for number, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                bound = BOUNDS_MS[number] if number < len(BOUNDS_MS) else self.longest
                return min(bound, self.longest)
        return 0.0


@dataclass(slots=True)
class TopicStatistics:
    """One topic of one client."""

    sent: int = 0
    """Messages that a broker stored, or that left one-way."""
    sent_bytes: int = 0
    """Bytes of their bodies, before compression."""
    send_failures: int = 0
    """Messages that could not be sent."""
    send_ms: Durations = field(default_factory=Durations)
    """How long each request took, retries included."""
    consumed: int = 0
    """Messages handled with success."""
    consumed_bytes: int = 0
    """Bytes of the bodies handed to handlers, as they were stored."""
    retried: int = 0
    """Messages that come again because the handler raised or asked for it."""
    timed_out: int = 0
    """Messages whose handler took too long."""
    handler_ms: Durations = field(default_factory=Durations)
    """How long handlers took."""
    recalled: int = 0
    """Delayed messages taken back."""
    last_error: str = ""
    """What went wrong last."""


class Statistics(Hook):
    """Counts by topic. Beyond `topics_max` topics, further ones are counted together."""

    def __init__(self, *, topics_max: int = 1000) -> None:
        self.topics: dict[str, TopicStatistics] = {}
        self._topics_max = topics_max

    def topic(self, name: str) -> TopicStatistics:
        """The numbers of a topic; zeros for one that was not seen."""
        found = self.topics.get(name)
        if found is None:
            if len(self.topics) >= self._topics_max:
                name = OTHER_TOPICS
            found = self.topics.setdefault(name, TopicStatistics())
        return found

    def after_send(self, context: SendContext) -> None:
        """A send was answered, or failed."""
        numbers = self.topic(context.topic)
        if context.error is not None:
            numbers.send_failures += len(context.unique_keys)
            numbers.last_error = str(context.error)
            return
        numbers.sent += len(context.unique_keys)
        numbers.sent_bytes += sum(context.body_bytes)
        if context.receipt is not None:
            numbers.send_ms.add(context.cost_ms)

    def after_consume(self, context: ConsumeContext) -> None:
        """Messages were handled."""
        for message in context.messages:
            numbers = self.topic(message.topic)
            numbers.consumed_bytes += len(message.raw_body)
            if context.status == "success":
                numbers.consumed += 1
            elif context.status == "timeout":
                numbers.timed_out += 1
            else:
                numbers.retried += 1
            if context.error is not None:
                numbers.last_error = f"{type(context.error).__name__}: {context.error}"
        if context.messages:
            self.topic(context.messages[0].topic).handler_ms.add(context.cost_ms)

    def after_recall(self, context: RecallContext) -> None:
        """A message was taken back, or not."""
        if context.error is None:
            self.topic(context.topic).recalled += 1

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """All numbers as plain values, ready for JSON."""
        return {name: _plain(numbers) for name, numbers in self.topics.items()}


def _plain(numbers: TopicStatistics) -> dict[str, Any]:
    return {
        name: _summary(value) if isinstance(value, Durations) else value
        for name in TopicStatistics.__slots__
        for value in (getattr(numbers, name),)
    }


def _summary(took: Durations) -> dict[str, float]:
    return {
        "count": took.count,
        "mean": round(took.mean, 3),
        "p50": round(took.quantile(0.5), 3),
        "p99": round(took.quantile(0.99), 3),
        "max": round(took.longest, 3),
    }
