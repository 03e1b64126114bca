"""Filters that look at whole records: which records of a stretch go into an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pocketmq.store.pull_scan import PullLimits

if TYPE_CHECKING:
    from pocketmq.store.reader import PullResult

Accept = Callable[[memoryview], bool]
"""Whether a whole record is wanted. One with a method `choose` looks at many records at a time."""
Choose = Callable[[memoryview], list[int]]


class Accepted:
    """The records of one answer that a filter accepts; neighbours share a view."""

    __slots__ = ("_bytes_max", "_choose", "_count_max", "is_full", "limits", "passed", "result")

    def __init__(self, result: PullResult, accept: Accept, limits: PullLimits) -> None:
        self.result = result
        self.limits = limits
        self.passed = 0
        self.is_full = False
        self._choose: Choose = getattr(accept, "choose", None) or _singly(accept)
        self._count_max = min(limits.count_max, limits.count_recent_max)
        self._bytes_max = min(limits.bytes_max, limits.bytes_recent_max)

    def take(self, view: memoryview) -> bool:
        """Take what is accepted of a stretch of whole records; False when one had no room."""
        result = self.result
        count, total = result.count, result.bytes
        begin = at = 0
        for size in self._choose(view):
            if size > 0:
                if count and (count >= self._count_max or total + size > self._bytes_max):
                    result.next_offset = int.from_bytes(view[at + 20 : at + 28], "big")
                    self.is_full = True
                    break
                count += 1
                total += size
            else:
                size = -size
                if begin < at:
                    result.views.append(view[begin:at])
                begin = at + size
            at += size
        if begin < at:
            result.views.append(view[begin:at])
        result.count, result.bytes = count, total
        has_room = not self.is_full
        self.is_full = self.is_full or count >= self._count_max
        return has_room


def _singly(accept: Accept) -> Choose:
    """Look at the records of a stretch one by one; the sizes of unwanted ones are negative."""

    def choose(stretch: memoryview) -> list[int]:
        sizes = []
        at = 0
        while at < len(stretch):
            size = int.from_bytes(stretch[at : at + 4], "big")
            sizes.append(size if accept(stretch[at : at + size]) else -size)
            at += size
        return sizes

    return choose
