"""A counter and its past: snapshots at regular moments that are the same for all counters.

    period   a snapshot every   kept   gives the figures of the last
    MINUTE   10 seconds         7      minute
    HOUR     10 minutes         7      hour
    DAY      1 hour             25     day

The moments are kept once; a counter keeps its values alone, packed, so that many thousand topics
cost little. Snapshots from before a counter was made count as zero.
"""

from __future__ import annotations

from array import array
from typing import Final

from pocketmq.clock import Clock
from pocketmq.protocol.bodies.stats import StatsItem

MINUTE: Final = 0
HOUR: Final = 1
DAY: Final = 2

MESSAGES: Final = 0
BYTES: Final = 1
_VALUES: Final = 2

_SECONDS: Final = (10.0, 600.0, 3600.0)
_KEPT: Final = (7, 7, 25)


class Counter:
    """How many messages, and how many bytes. The hot path adds to the two fields directly."""

    __slots__ = ("_past", "bytes", "messages")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self._past: tuple[array[int], ...] | None = None

    def snapshot(self, period: int) -> None:
        """Remember the values as they are now."""
        if self._past is None:
            self._past = (array("q"), array("q"), array("q"))
        past = self._past[period]
        if len(past) >= _KEPT[period] * _VALUES:
            del past[:_VALUES]
        past.extend((self.messages, self.bytes))

    def before(self, period: int, snapshots: int) -> tuple[int, int]:
        """The values that many snapshots ago."""
        if self._past is None:
            return 0, 0
        past = self._past[period]
        at = len(past) - snapshots * _VALUES
        return (0, 0) if at < 0 else (past[at], past[at + 1])


class Timeline:
    """The moments of the snapshots."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moments = tuple([clock.monotonic()] for _ in _SECONDS)

    def due(self) -> list[int]:
        """The periods whose next snapshot is due now; their moments are noted."""
        now = self._clock.monotonic()
        due = []
        for period, moments in enumerate(self._moments):
            if now - moments[-1] >= _SECONDS[period]:
                moments.append(now)
                del moments[: -_KEPT[period]]
                due.append(period)
        return due

    def figure(self, counter: Counter, period: int, value: int) -> StatsItem:
        """Growth of a counter over a period, up to now: in all, a second and a message."""
        moments = self._moments[period]
        then = counter.before(period, len(moments))
        now = (counter.messages, counter.bytes)
        seconds = self._clock.monotonic() - moments[0]
        growth, messages = now[value] - then[value], now[MESSAGES] - then[MESSAGES]
        return StatsItem(
            growth,
            growth / seconds if seconds > 0 else 0.0,
            growth / messages if messages > 0 else 0.0,
        )
