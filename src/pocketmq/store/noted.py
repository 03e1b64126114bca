"""What whoever appends already knows of its records, so that the dispatcher need not read them.

Without compiled leaves a scan takes longer than all else that is done to file a record. A note says
the same as a scan of its part of the log would; a note that is lost costs a scan, nothing more.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from pocketmq.message.scan import Filed

RECORDS_MAX: Final = 20_000


class Noted(NamedTuple):
    """A run of records that lie between two log offsets, and their packed keys; see scan.py."""

    start: int
    end: int
    records: list[Filed]
    keys: bytes


class Notes:
    """Notes in the order of the log, behind what was dispatched."""

    def __init__(self) -> None:
        self._runs: deque[Noted] = deque()
        self._records = 0

    def add(self, noted: Noted) -> None:
        """Keep a note, unless there are very many already."""
        if self._records < RECORDS_MAX:
            self._runs.append(noted)
            self._records += len(noted.records)

    def at(self, position: int, limit: int) -> Noted | None:
        """Return the note of records from `position` on that all end at or before `limit`."""
        runs = self._runs
        while runs and runs[0].start < position:
            self._records -= len(runs.popleft().records)
        if runs and runs[0].start == position and runs[0].end <= limit:
            return runs[0]
        return None

    def next_start(self, position: int, limit: int) -> int:
        """Return where the first note behind `position` starts, or `limit` when that is nearer."""
        if self._runs and position < self._runs[0].start < limit:
            return self._runs[0].start
        return limit
