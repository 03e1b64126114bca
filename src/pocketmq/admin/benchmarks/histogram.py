"""A histogram of durations that is as exact for microseconds as for minutes.

Each power of two of microseconds is split into 32 classes, so that a quantile is at most 3 % too
high. Recording is one division of an integer and one addition, and two histograms add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_PARTS_BITS: Final = 5
_PARTS: Final = 1 << _PARTS_BITS
_CLASSES: Final = 40 * _PARTS


class Histogram:
    """Counts durations by class, and keeps the least, the greatest and the sum exactly."""

    def __init__(self) -> None:
        self._counts = [0] * _CLASSES
        self.count = 0
        self.sum_us = 0
        self.min_us = 0
        self.max_us = 0

    def record(self, seconds: float) -> None:
        """Count one duration. One below zero, of a clock that was set, counts as zero."""
        us = max(int(seconds * 1_000_000), 0)
        self._counts[_class_of(us)] += 1
        self.sum_us += us
        self.min_us = us if not self.count or us < self.min_us else self.min_us
        self.max_us = max(self.max_us, us)
        self.count += 1

    def add(self, other: Histogram) -> None:
        """Count all that another one has counted."""
        if not other.count:
            return
        self._counts = [a + b for a, b in zip(self._counts, other._counts, strict=True)]
        self.min_us = min(self.min_us, other.min_us) if self.count else other.min_us
        self.max_us = max(self.max_us, other.max_us)
        self.sum_us += other.sum_us
        self.count += other.count

    @property
    def mean_ms(self) -> float:
        """The average, 0 when nothing was counted."""
        return self.sum_us / self.count / 1000 if self.count else 0.0

    def quantile_ms(self, share: float) -> float:
        """What this share of durations did not exceed: 0.99 for the 99th percentile."""
        wanted = share * self.count
        seen = 0
        for number, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_end_of(number), self.max_us) / 1000
        return self.max_us / 1000

    def rows(self, rows_max: int) -> Iterator[tuple[float, float, int]]:
        """Yield at most this many neighbouring stretches: from, to (ms) and how many lie there."""
        used = [number for number, count in enumerate(self._counts) if count]
        if not used:
            return
        first, last = used[0], used[-1]
        step = max(-(-(last - first + 1) // rows_max), 1)
        for at in range(first, last + 1, step):
            until = min(at + step, last + 1)
            count = sum(self._counts[at:until])
            yield _end_of(at - 1) / 1000 if at else 0.0, _end_of(until - 1) / 1000, count


def _class_of(us: int) -> int:
    if us < _PARTS:
        return us
    shift = us.bit_length() - _PARTS_BITS - 1
    return min((shift << _PARTS_BITS) + (us >> shift), _CLASSES - 1)


def _end_of(number: int) -> int:
    """The first duration, in microseconds, that is beyond a class."""
    if number < 2 * _PARTS:
        return number + 1
    shift = (number >> _PARTS_BITS) - 1
    return (number - (shift << _PARTS_BITS) + 1) << shift
