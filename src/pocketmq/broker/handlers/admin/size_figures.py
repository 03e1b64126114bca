"""How large messages are, for the section `sizes` of the figures.

Sends are too many to look at each. So the queues are read when somebody asks, from where they ended
the time before; the newest entries of a queue are in memory, and only those are read. A queue that
got more than that meanwhile is represented by its newest.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from typing import Final

from pocketmq.broker.rules.attributes import MESSAGE_TYPE
from pocketmq.broker.state.topics import TopicTable
from pocketmq.protocol.bodies.figures import SIZE_LIMITS, SizeFigures
from pocketmq.store import MessageStore

ENTRIES_MAX: Final = 2048
"""Of one queue, each time."""


class SizeSource:
    """Remembers where each queue ended when it was looked at, and what was counted since."""

    keys_per_step = 50

    def __init__(self, topics: TopicTable, store: MessageStore) -> None:
        self._topics = topics
        self._store = store
        self._ends: dict[str, list[int]] = {}
        self._counts: dict[str, list[int]] = {}
        topics.on_change(self._forget)

    def keys(self, start: int, count: int) -> list[str]:
        """Some topics."""
        return [topic.topic_name for topic in islice(self._topics.each(), start, start + count)]

    async def row(self, topic: str) -> SizeFigures | None:
        """What was counted so far and now, or None when that is nothing."""
        for number, stretch in enumerate(self._new(topic)):
            if number:
                await asyncio.sleep(0)
            self._count(topic, *stretch)
        counts, config = self._counts.get(topic), self._topics.find(topic)
        if counts is None or config is None:
            return None
        return SizeFigures(topic, config.attributes.get(MESSAGE_TYPE, "normal").lower(), *counts)

    def _new(self, topic: str) -> list[tuple[int, int, int]]:
        """What came since the time before: queue id, first and end. It is not new any more."""
        ends = self._store.queue_ends(topic)
        before = self._ends.get(topic)
        self._ends[topic] = ends
        if before is None or ends == before:
            return []
        found = []
        for queue_id, end in enumerate(ends):
            start = before[queue_id] if queue_id < len(before) else 0
            if end > start:
                found.append((queue_id, max(start, end - ENTRIES_MAX), end))
        return found

    def _count(self, topic: str, queue_id: int, start: int, end: int) -> None:
        counts = self._counts.get(topic)
        if counts is None:
            counts = self._counts[topic] = [0] * (len(SIZE_LIMITS) + 2)
        sizes = sorted(self._store.record_sizes(topic, queue_id, start, end))
        seen = 0
        for number, limit in enumerate(SIZE_LIMITS):
            until = bisect_left(sizes, limit + 1)
            counts[number] += until - seen
            seen = until
        counts[len(SIZE_LIMITS)] += len(sizes) - seen
        counts[-1] += sum(sizes)

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            if self._topics.find(name) is None:
                self._ends.pop(name, None)
                self._counts.pop(name, None)
