"""Which messages of recent pops are still out, so that what is settled need not come back.

A check point and its acks are in the log and in the timer. When all messages of a check point are
acknowledged before it came back, neither it nor its acks matter any more, and the timer is told to
let them go. That spares most of what pops would cost later. It is a short cut only: what is not
known here, as after a restart or when too much is out, comes back and is settled then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pocketmq.broker.rules.pop_records import Key

CHECK_POINTS_MAX: Final = 100_000
NEEDLESS_MAX: Final = 200_000
_KEPT_MS: Final = 5000


class OpenPops:
    """Remembers check points until they are settled or come back. `topic`: the revive topic.

    `needless` are log offsets of records that need not come back, as the timer wants to know them.
    """

    def __init__(self, topic: str, needless: dict[int, str]) -> None:
        self._topic = topic
        self._needless = needless
        self._open: dict[Key, _Open] = {}
        self._ticks: dict[int, set[Key]] = {}
        self._settled: dict[int, list[int]] = {}
        self._counts: dict[tuple[str, str, int], int] = {}

    def opened(self, key: Key, steps: Sequence[int], tick_ms: int, place: int) -> None:
        """A check point is stored at a place of the log, and comes back after a tick."""
        if len(self._open) >= CHECK_POINTS_MAX or key in self._open:
            return
        self._open[key] = _Open(key[3], steps, tick_ms, place)
        self._count(key, len(steps))
        self._ticks.setdefault(tick_ms, set()).add(key)

    def acknowledged(self, key: Key, offsets: Sequence[int], place: int, read_ms: int) -> None:
        """Acks are stored at a place. What came back before the end of tick `read_ms` is over."""
        point = self._open.get(key)
        if point is None:
            return
        if point.tick_ms <= read_ms:
            self._drop(key)
            return
        point.places.append(place)
        before = point.out
        point.settle(offsets)
        self._count(key, point.out.bit_count() - before.bit_count())
        if not point.out:
            self._drop(key)
            if len(self._needless) >= NEEDLESS_MAX:
                return
            for settled in point.places:
                self._needless[settled] = self._topic
            self._settled.setdefault(point.tick_ms, []).extend(point.places)

    def passed(self, read_ms: int) -> None:
        """The timer has delivered what was due before a tick: forget what came back."""
        for tick_ms in [tick for tick in self._ticks if tick < read_ms]:
            for key in list(self._ticks[tick_ms]):
                self._drop(key)
        for tick_ms in [tick for tick in self._settled if tick < read_ms - _KEPT_MS]:
            for place in self._settled.pop(tick_ms):
                self._needless.pop(place, None)

    def groups(self) -> set[tuple[str, str]]:
        """The topics and groups that have messages out."""
        return {key[:2] for key in self._open}

    def count(self, topic: str, group: str, queue_id: int) -> int:
        """How many messages of a queue a group has out."""
        return self._counts.get((topic, group, queue_id), 0)

    def _drop(self, key: Key) -> None:
        point = self._open.pop(key, None)
        if point is None:
            return
        self._count(key, -point.out.bit_count())
        keys = self._ticks[point.tick_ms]
        keys.discard(key)
        if not keys:
            del self._ticks[point.tick_ms]

    def _count(self, key: Key, more: int) -> None:
        queue = key[:3]
        count = self._counts.get(queue, 0) + more
        if count:
            self._counts[queue] = count
        else:
            self._counts.pop(queue, None)

    def __len__(self) -> int:
        return len(self._open)


class _Open:
    """One check point: its steps, a bit for each that is out, and where its records lie."""

    __slots__ = ("is_dense", "out", "places", "start", "steps", "tick_ms")

    def __init__(self, start: int, steps: Sequence[int], tick_ms: int, place: int) -> None:
        self.start = start
        self.steps = steps
        self.is_dense = steps[-1] == len(steps) - 1
        self.out = (1 << len(steps)) - 1
        self.tick_ms = tick_ms
        self.places = [place]

    def settle(self, offsets: Sequence[int]) -> None:
        """Some are acknowledged; offsets that the check point never took do nothing."""
        bits, start, steps = 0, self.start, self.steps
        for offset in offsets:
            step = offset - start
            if self.is_dense:
                if 0 <= step < len(steps):
                    bits |= 1 << step
            elif step in steps:
                bits |= 1 << steps.index(step)
        self.out &= ~bits
