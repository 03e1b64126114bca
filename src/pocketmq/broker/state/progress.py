"""When each group went past which offset, roughly: samples of committed offsets.

    topic@group, queue -> (moment, offset), (moment, offset), ...

A sample is kept when a group has moved. When a queue has too many, every second one of the older
half goes, so that the past is known ever more coarsely. In memory only: it answers questions about
the last hours, and costs the path of messages nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

SAMPLES_PER_QUEUE_MAX: Final = 120
QUEUES_MAX: Final = 50_000


class ProgressTable:
    """Remembers samples."""

    def __init__(self) -> None:
        self._moments: dict[tuple[str, int], array[int]] = {}
        self._offsets: dict[tuple[str, int], array[int]] = {}

    def sample(self, name: str, queue_id: int, offset: int, now_ms: int) -> None:
        """A group is here now. A step back begins anew."""
        key = (name, queue_id)
        offsets = self._offsets.get(key)
        if offsets is None:
            if len(self._offsets) >= QUEUES_MAX:
                return
            offsets = self._offsets[key] = array("q")
            self._moments[key] = array("q")
        moments = self._moments[key]
        if offsets and offset == offsets[-1]:
            return
        if offsets and offset < offsets[-1]:
            del offsets[:], moments[:]
        offsets.append(offset)
        moments.append(now_ms)
        if len(offsets) > SAMPLES_PER_QUEUE_MAX:
            half = len(offsets) // 2
            del offsets[1:half:2], moments[1:half:2]

    def passed_ms(self, name: str, queue_id: int, offset: int) -> int | None:
        """When a group was first seen beyond a message; None when it was not, or is forgotten."""
        key = (name, queue_id)
        offsets = self._offsets.get(key)
        if offsets is None:
            return None
        place = bisect_right(offsets, offset)
        return self._moments[key][place] if place < len(offsets) else None

    def forget(self, names: set[str]) -> None:
        """Keep only what belongs to these."""
        for key in [key for key in self._offsets if key[0] not in names]:
            del self._offsets[key], self._moments[key]

    def __len__(self) -> int:
        return len(self._offsets)
