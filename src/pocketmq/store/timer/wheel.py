"""The timer wheel: for each moment within two weeks, the chain of messages that are due then.

1,209,600 slots of 32 bytes; a moment's slot is found by dividing, never by searching:

    tick     8   the moment divided by the precision: which turn of the wheel the slot belongs to
    first    8   timer log position of the oldest unit of this moment
    last     8   ... of the newest; each unit points to the one before it
    count    4   units waiting; one that recalls a message counts -1
    zero     4

The file is sparse and mapped. A slot of another turn counts as empty. What waits costs no memory of
this process: the kernel keeps the pages that are in use. Pages that were never written are not even
read: a file system in memory would have to find room for them, and kills who reads when it is full.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pocketmq.errors import CorruptStore
from pocketmq.store import space

SLOTS: Final = 2 * 7 * 86_400
ROUND_SLOTS: Final = SLOTS // 2
_FORM: Final = struct.Struct(">qqqii")
WHEEL_BYTES: Final = SLOTS * _FORM.size
_STRETCH_BYTES: Final = 64 * 1024
_PAGES: Final = -(-WHEEL_BYTES // space.PAGE_BYTES)
_PASSED_SLOTS: Final = 64  # divides SLOTS
_UNUSED: Final = bytes(_PASSED_SLOTS * _FORM.size)


class Slot(NamedTuple):
    """The messages due at one moment."""

    first: int
    last: int
    waiting: int


class TimerWheel:
    """Finds and changes slots."""

    def __init__(self, path: Path, precision_ms: int) -> None:
        self._path = str(path)
        self._precision_ms = precision_ms
        self._reserved = bytearray(WHEEL_BYTES // _STRETCH_BYTES + 1)
        self._backed = bytearray(_PAGES)
        self._data: mmap.mmap | None = None

    def open(self) -> bool:
        """Map the file; True when it had to be made.

        Raise StoreFull, StoreNotWritable or CorruptStore.
        """
        # A start that was killed while it made the file leaves an empty one.
        fresh = not os.path.exists(self._path) or os.path.getsize(self._path) == 0
        if fresh:
            space.create_sparse(self._path, WHEEL_BYTES)
        size = os.path.getsize(self._path)
        if size != WHEEL_BYTES:
            raise CorruptStore(
                f"{self._path} has {size} bytes, but a timer wheel has {WHEEL_BYTES}; move it "
                "away, and it is built again from the timer log"
            )
        try:
            with open(self._path, "r+b") as file:
                for first, last in space.data_ranges(file.fileno(), 0, WHEEL_BYTES):
                    self._mark_backed(first, last)
                self._data = mmap.mmap(file.fileno(), WHEEL_BYTES)
        except OSError as error:
            raise space.store_error(self._path, error) from error
        if hasattr(mmap, "MADV_RANDOM"):
            self._data.madvise(mmap.MADV_RANDOM)
        return fresh

    def close(self) -> None:
        """Unmap the file."""
        if self._data is not None:
            self._data.close()
            self._data = None

    def slot(self, moment_ms: int) -> Slot | None:
        """The slot of a moment, or None when nothing was ever due then."""
        tick = moment_ms // self._precision_ms
        at = tick % SLOTS * _FORM.size
        if not self._backed[at // space.PAGE_BYTES]:
            return None
        found, first, last, count, _ = _FORM.unpack_from(self._mapped, at)
        return Slot(first, last, count) if found == tick and last >= 0 else None

    def after(self, moment_ms: int, limit_ms: int) -> int:
        """The next moment, or a later one up to `limit_ms` when no slot in between was ever used.

        So a timer that has nothing to do for days is through with them at once.
        """
        tick = moment_ms // self._precision_ms
        at = tick % SLOTS
        fits = at % _PASSED_SLOTS == 0 and tick + _PASSED_SLOTS <= limit_ms // self._precision_ms
        if fits and self._read(at * _FORM.size, len(_UNUSED)) == _UNUSED:
            tick += _PASSED_SLOTS - 1
        return (tick + 1) * self._precision_ms

    def put(self, moment_ms: int, slot: Slot) -> None:
        """Set the slot of a moment. Raise StoreFull when the disk has no room for it."""
        tick = moment_ms // self._precision_ms
        at = tick % SLOTS * _FORM.size
        stretch = at // _STRETCH_BYTES
        if not self._reserved[stretch]:
            first = stretch * _STRETCH_BYTES
            last = min(first + _STRETCH_BYTES, WHEEL_BYTES)
            space.reserve(self._path, first, last)
            self._mark_backed(first, last)
            self._reserved[stretch] = 1
        _FORM.pack_into(self._mapped, at, tick, slot.first, slot.last, slot.waiting, 0)

    def clear(self, moment_ms: int) -> None:
        """Empty the slot of a moment."""
        self.put(moment_ms, Slot(-1, -1, 0))

    def slots(self, first_ms: int) -> Iterator[tuple[int, Slot]]:
        """All slots in use for `first_ms` and later, with their moments, in no order."""
        first_tick = first_ms // self._precision_ms
        for at in range(0, WHEEL_BYTES, space.PAGE_BYTES):
            page = self._read(at, min(space.PAGE_BYTES, WHEEL_BYTES - at))
            if page.count(0) == len(page):
                continue
            for tick, first, last, count, _ in _FORM.iter_unpack(page):
                if tick > 0 and tick >= first_tick and last >= 0:
                    yield tick * self._precision_ms, Slot(first, last, count)

    def flush(self) -> None:
        """Force changes to the disk. Blocks. Raise StoreFull or StoreNotWritable."""
        try:
            space.sync_file(self._path)
        except OSError as error:
            raise space.store_error(self._path, error) from error
        # What is waited for stays in the kernel's memory, not in this process's.
        if self._data is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._data.madvise(mmap.MADV_DONTNEED)

    def _mark_backed(self, first: int, last: int) -> None:
        pages = range(first // space.PAGE_BYTES, -(-last // space.PAGE_BYTES))
        self._backed[pages.start : pages.stop] = bytes([1]) * len(pages)

    def _read(self, at: int, size: int) -> bytes:
        """Return bytes of one page."""
        return self._mapped[at : at + size] if self._backed[at // space.PAGE_BYTES] else bytes(size)

    @property
    def _mapped(self) -> mmap.mmap:
        assert self._data is not None, "the wheel is not open"
        return self._data
