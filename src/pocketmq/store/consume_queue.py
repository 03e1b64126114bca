"""The consume queue: for one queue of one topic, where each of its messages lies in the commit log.

Entries have a fixed size, so queue offset n is found by multiplying, never by searching:

    log_offset   8 bytes   where the record starts in the commit log
    size         4 bytes   how long the record is
    tag_hash     8 bytes   hash of the tag, so a filter can skip a record without reading it

A queue whose first entry is not number 0 (its topic lives on while its first messages are long
gone) begins with blanks, (0, 2147483647, 0), up to that entry. Blanks are no messages.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, TypeAlias

from pocketmq import _speedups
from pocketmq.message.positions import QueueOffset
from pocketmq.store import space
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.mapped_file import MappedFile, MappingCache

if TYPE_CHECKING:
    from pocketmq.message.record import Buffer

ENTRY = struct.Struct(">qiq")
ENTRY_BYTES = ENTRY.size
BLANK_SIZE = 0x7FFFFFFF
_BLANK = ENTRY.pack(0, BLANK_SIZE, 0)
_NO_DATA = bytearray()

Entry: TypeAlias = "tuple[int, int, int]"


class ConsumeQueue:
    """Appends and finds the entries of one queue."""

    __slots__ = (
        "_cache",
        "_data",
        "_dirty",
        "_floor",
        "_flushed",
        "_limit",
        "_min",
        "_min_for",
        "_position",
        "_reserve_bytes_max",
        "_sequence",
        "end",
        "queue_id",
        "suspect",
        "topic",
    )

    is_batch = False

    def __init__(
        self,
        topic: str,
        queue_id: int,
        sequence: FileSequence,
        cache: MappingCache,
        dirty: set[ConsumeQueue],
        reserve_bytes_max: int,
    ) -> None:
        self.topic = topic
        self.queue_id = queue_id
        self._sequence = sequence
        self._cache = cache
        self._dirty = dirty
        self._reserve_bytes_max = reserve_bytes_max
        self._data: mmap.mmap | bytearray = _NO_DATA
        self._position = 0
        self._limit = 0
        self._min = self._floor = QueueOffset(0)
        self._min_for = -1
        self._flushed = QueueOffset(0)
        self.end = QueueOffset(0)
        self.suspect = False

    @property
    def first(self) -> QueueOffset:
        """The queue offset of the first entry on the disk, blank or not."""
        return QueueOffset(-(-self._sequence.start // ENTRY_BYTES))

    @property
    def end_entry(self) -> QueueOffset:
        """The queue offset under which the newest entry is found."""
        return QueueOffset(self.end - 1)

    def unflushed(self) -> list[str]:
        """Return the paths of files with entries that were not flushed; they count as flushed."""
        first, self._flushed = self._flushed, self.end
        position = max(first - 1, 0) * ENTRY_BYTES
        return [file.path for file in self._sequence.files if file.end > position]

    def append_next(self, queue_offset: int, log_offset: int, size: int, tag_hash: int) -> bool:
        """Write the entry for `queue_offset` if it is the next, and has its place already."""
        position = self._position
        if queue_offset != self.end or position >= self._limit:
            return False
        put_entry(self._data, position, log_offset, size, tag_hash)
        self._position = position + ENTRY_BYTES
        # Calling a NewType costs as much as writing the entry.
        self.end = queue_offset + 1  # type: ignore[assignment]
        return True

    def append(self, queue_offset: int, log_offset: int, size: int, tag_hash: int) -> None:
        """Write the entry for `queue_offset`. Raise StoreFull when the disk has no room for it.

        An entry that is there already is put right if it differs: after a crash the log is read
        again from a point before its end.
        """
        if self.append_next(queue_offset, log_offset, size, tag_hash):
            return
        if self._make_room(queue_offset, log_offset, size, tag_hash):
            written = self.append_next(queue_offset, log_offset, size, tag_hash)
            assert written, "room was made for the next entry"

    def _make_room(self, queue_offset: int, log_offset: int, size: int, tag_hash: int) -> bool:
        """Aim at the end of the queue. Return False when the entry has been dealt with."""
        if queue_offset < self.end:
            self._put_right(QueueOffset(queue_offset), log_offset, size, tag_hash)
            return False
        if not self._sequence.files and queue_offset > 0:
            size_bytes = self._sequence.file_size
            start = queue_offset * ENTRY_BYTES // size_bytes * size_bytes
            self._add_file(start)
            self.end = QueueOffset(-(-start // ENTRY_BYTES))
            self._min_for = -1
        while self.end < queue_offset:
            self._aim()
            count = min(queue_offset - self.end, (self._limit - self._position) // ENTRY_BYTES)
            last = self._position + count * ENTRY_BYTES
            self._data[self._position : last] = _BLANK * count
            self.end = QueueOffset(self.end + count)
        self._aim()
        return True

    def _aim(self) -> None:
        """Make the place of the next entry mapped, backed by disk space, and known."""
        start = self.end * ENTRY_BYTES
        file = self._sequence.at(start)
        if file is None:
            file = self._add_file(start)
        at = start - file.start
        if at + ENTRY_BYTES > file.reserved:
            step = min(max(file.reserved, space.PAGE_BYTES), self._reserve_bytes_max)
            file.reserve(at + ENTRY_BYTES, step if file.reserved else 0)
        self._data = self._cache.map(file)
        self._position = at
        self._limit = file.reserved // ENTRY_BYTES * ENTRY_BYTES
        self._dirty.add(self)

    def _add_file(self, start: int) -> MappedFile:
        file = self._sequence.create(start)
        file.owner = self
        self._sequence.files.append(file)
        return file

    def _put_right(
        self, queue_offset: QueueOffset, log_offset: int, size: int, tag_hash: int
    ) -> None:
        held = self.entry(queue_offset)
        if held is None or held == (log_offset, size, tag_hash):
            return
        last = self.entry(QueueOffset(self.end - 1))
        if last is not None and last[0] < log_offset:
            # The topic was deleted and made anew: its queue began again at this offset.
            self.cut(queue_offset)
            self.append(queue_offset, log_offset, size, tag_hash)
            return
        start = queue_offset * ENTRY_BYTES
        file = self._sequence.at(start)
        if file is not None:
            put_entry(self._cache.map(file), start - file.start, log_offset, size, tag_hash)
            self._flushed = QueueOffset(min(self._flushed, queue_offset))
            self._dirty.add(self)

    def unmapped(self, file: MappedFile) -> None:
        """Forget the direct way to the end, which led into `file`."""
        if self._data is file.data:
            self._data, self._limit = _NO_DATA, 0

    def rest(self) -> None:
        """Make the next append take the long way, so that it reports the queue dirty again."""
        self._limit = 0

    # --- reading -------------------------------------------------------------------------------

    def piece(self, queue_offset: int) -> tuple[MappedFile, int, int] | None:
        """Return (mapped file, position of the entry, end of entries in that file), or None."""
        start = queue_offset * ENTRY_BYTES
        file = self._sequence.at(start)
        if file is None or queue_offset >= self.end:
            return None
        self._cache.map(file)
        return file, start - file.start, min(file.size, self.end * ENTRY_BYTES - file.start)

    def entry(self, queue_offset: int) -> Entry | None:
        """Return (log_offset, size, tag_hash) of one entry, or None outside the queue."""
        place = self.piece(queue_offset)
        if place is None or place[0].data is None:
            return None
        return ENTRY.unpack_from(place[0].data, place[1])

    def align(self, queue_offset: QueueOffset) -> QueueOffset:
        """Return the queue offset of the first message in the same record: itself."""
        return queue_offset

    def min_offset(self, log_min: int) -> QueueOffset:
        """Return the first entry whose record is kept, given where the log begins."""
        if self._min_for != log_min:
            found = self.first_at_or_behind(log_min)
            self._min_for = log_min
            self._min = QueueOffset(max(found, self._floor))
        return self._min

    def raise_floor(self, queue_offset: QueueOffset) -> None:
        """Hide entries before `queue_offset`, whose messages have outlived their topic's limit."""
        self._floor = QueueOffset(max(self._floor, min(queue_offset, self.end)))
        self._min = QueueOffset(max(self._min, self._floor))

    def first_at_or_behind(self, log_offset: int) -> QueueOffset:
        """Return the first entry, no blank, whose record begins at or behind `log_offset`."""
        low, high = self.first, self.end
        while low < high:
            middle = QueueOffset((low + high) // 2)
            held = self.entry(middle)
            if held is not None and (held[1] == BLANK_SIZE or held[0] < log_offset):
                low = QueueOffset(middle + 1)
            else:
                high = middle
        return low

    # --- recovery and deletion -----------------------------------------------------------------

    def load(self, files_checked: int) -> list[str]:
        """Find the files and, within the last few, the end. Return paths whose length was mended.

        Entries are believed up to the first that cannot be one; what is behind is cut off. The
        queue is suspect when its newest entries may have been lost: a file was short, there is
        damage behind the last entry, or the last entry fills its file, or there is no file.
        """
        mended = self._sequence.load("consume queue", "mappedFileSizeConsumeQueue")
        files = self._sequence.files
        for file in files:
            file.owner = self
        size = self._sequence.file_size
        whole = size // ENTRY_BYTES * ENTRY_BYTES
        previous = -1
        end = self._sequence.end // ENTRY_BYTES
        self.suspect = bool(mended) or not files
        for file in files[-files_checked:]:
            data = self._cache.map(file)
            count, previous = count_entries(data, 0, whole, previous)
            end = file.start // ENTRY_BYTES + count
            at = count * ENTRY_BYTES
            if at < whole:
                self.suspect |= any(data[at : at + space.PAGE_BYTES]) or file is not files[-1]
                break
        else:
            self.suspect = True
        self.end = QueueOffset(end)
        self._drop_behind_end()
        self._flushed = self.end
        return mended

    def _drop_behind_end(self) -> None:
        position = self.end * ENTRY_BYTES
        for file in [x for x in self._sequence.files if x.start >= position]:
            self._cache.drop(file)
        self._sequence.drop_from(max(position, 0))
        self._limit = 0
        tail = self._sequence.at(position)
        if tail is not None:
            at = position - tail.start
            tail.reserved = at // space.PAGE_BYTES * space.PAGE_BYTES

    def cut(self, queue_offset: QueueOffset) -> None:
        """Remove the entries from `queue_offset` on, leaving zeros."""
        if queue_offset >= self.end:
            return
        self.end = QueueOffset(max(queue_offset, self.first))
        self._flushed = QueueOffset(min(self._flushed, self.end))
        self._drop_behind_end()
        tail = self._sequence.at(self.end * ENTRY_BYTES)
        if tail is not None:
            space.zero(tail.path, self.end * ENTRY_BYTES - tail.start, tail.size)
            self._dirty.add(self)
        self._min_for = -1

    def cut_behind(self, log_end: int) -> None:
        """Remove the entries whose records are not wholly before `log_end`."""
        low, high = self.first, self.end
        while low < high:
            middle = QueueOffset((low + high) // 2)
            held = self.entry(middle)
            if held is not None and (held[1] == BLANK_SIZE or held[0] + held[1] <= log_end):
                low = QueueOffset(middle + 1)
            else:
                high = middle
        self.cut(low)

    def last_log_end(self) -> int:
        """Return where the record of the last entry ends in the log; 0 for an empty queue."""
        held = self.entry(QueueOffset(self.end - 1)) if self.end else None
        if held is None or held[1] == BLANK_SIZE:
            return 0
        return held[0] + held[1]

    def retire_before(self, queue_offset: int) -> list[str]:
        """Forget files, never the last, whose entries all come before; return their paths."""
        files = self._sequence.files
        retired = [x for x in files[:-1] if x.end <= queue_offset * ENTRY_BYTES]
        for file in retired:
            self._cache.drop(file)
        self._sequence.files = files[len(retired) :]
        return [file.path for file in retired]

    def close(self) -> None:
        """Drop every mapping."""
        self._limit = 0
        for file in self._sequence.files:
            self._cache.drop(file)


def put_entry_plain(
    data: mmap.mmap | bytearray, position: int, log_offset: int, size: int, tag_hash: int
) -> None:
    """Write one entry."""
    ENTRY.pack_into(data, position, log_offset, size, tag_hash)


def count_entries_plain(data: Buffer, position: int, limit: int, previous: int) -> tuple[int, int]:
    """Count entries that can be real: their log offsets grow, their sizes are positive.

    `previous` is the log offset before the first; blanks count wherever nothing real came before
    them. Return the count and the last log offset.
    """
    count = 0
    for at in range(position, limit - ENTRY_BYTES + 1, ENTRY_BYTES):
        log_offset, size, _ = ENTRY.unpack_from(data, at)
        if size != BLANK_SIZE or log_offset != 0:
            if size <= 0 or log_offset <= previous:
                break
            previous = log_offset
        count += 1
    return count, previous


if _speedups.has("queues"):
    from pocketmq._speedups.queues import count_entries as count_entries
    from pocketmq._speedups.queues import put_entry as put_entry
else:
    put_entry = put_entry_plain
    count_entries = count_entries_plain
