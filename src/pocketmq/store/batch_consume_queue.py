"""The batch consume queue of a topic with queue.type=BatchCQ, as Apache RocketMQ keeps it.

One unit stands for one record, which holds one message or, as an inner batch, several:

    log_offset        8
    size              4
    tag_hash          8
    store_time_ms     8
    base              8   queue offset of the record's first message
    count             2   messages in the record
    compacted_offset  4   -1
    reserved          4   0

A queue offset is found by a binary search for the last unit that does not begin behind it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pocketmq.message.positions import QueueOffset
from pocketmq.store import space
from pocketmq.store.consume_queue import ConsumeQueue, Entry
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.mapped_file import MappingCache

_FORM = struct.Struct(">qiqqqhii")
UNIT_BYTES = _FORM.size


class BatchUnit(NamedTuple):
    """One record of the queue."""

    log_offset: int
    size: int
    tag_hash: int
    store_time_ms: int
    base: int
    messages: int
    compacted_offset: int = -1
    reserved: int = 0

    @property
    def following(self) -> int:
        """The queue offset behind the record."""
        return self.base + self.messages


class BatchConsumeQueue(ConsumeQueue):
    """Appends and finds records by queue offset; units are numbered by their place in the files."""

    __slots__ = ("_units",)
    is_batch = True

    def __init__(
        self,
        topic: str,
        queue_id: int,
        sequence: FileSequence,
        cache: MappingCache,
        dirty: set[ConsumeQueue],
        reserve_bytes_max: int,
    ) -> None:
        super().__init__(topic, queue_id, sequence, cache, dirty, reserve_bytes_max)
        self._units = 0

    @property
    def first(self) -> QueueOffset:
        """The queue offset of the first unit on the disk."""
        unit = self.unit(self._first_unit)
        return QueueOffset(unit.base if unit is not None else 0)

    @property
    def _first_unit(self) -> int:
        return -(-self._sequence.start // UNIT_BYTES)

    @property
    def end_entry(self) -> QueueOffset:
        """The queue offset under which the newest unit is found."""
        return QueueOffset(self.end - 1)

    def append_record(self, unit: BatchUnit) -> None:
        """Write one unit. Raise StoreFull. A unit that is there already is left alone."""
        if unit.base < self.end:
            last = self.unit(self._units - 1)
            if last is None or last.log_offset >= unit.log_offset:
                return
            # The topic was deleted and made anew: its queue began again at this offset.
            self.cut(QueueOffset(unit.base))
        start = self._units * UNIT_BYTES
        file = self._sequence.at(start) or self._add_file(start)
        at = start - file.start
        if at + UNIT_BYTES > file.reserved:
            step = min(max(file.reserved, space.PAGE_BYTES), self._reserve_bytes_max)
            file.reserve(at + UNIT_BYTES, step if file.reserved else 0)
        _FORM.pack_into(self._cache.map(file), at, *unit)
        self._units += 1
        self.end = QueueOffset(unit.following)
        self._dirty.add(self)

    # --- reading -------------------------------------------------------------------------------

    def unit(self, number: int) -> BatchUnit | None:
        """Return the n-th unit, or None outside the queue."""
        start = number * UNIT_BYTES
        file = self._sequence.at(start)
        if file is None or number >= self._units:
            return None
        return BatchUnit(*_FORM.unpack_from(self._cache.map(file), start - file.start))

    def unit_number(self, queue_offset: int) -> int:
        """Return the number of the unit that holds a queue offset."""
        low, high = self._first_unit, self._units
        while high - low > 1:
            middle = (low + high) // 2
            unit = self.unit(middle)
            if unit is not None and unit.base <= queue_offset:
                low = middle
            else:
                high = middle
        return low

    def entry(self, queue_offset: int) -> Entry | None:
        """Return (log_offset, size, tag_hash) of the record that holds a queue offset."""
        unit = self.unit(self.unit_number(queue_offset))
        if unit is None or not unit.base <= queue_offset < unit.following:
            return None
        return unit.log_offset, unit.size, unit.tag_hash

    def align(self, queue_offset: QueueOffset) -> QueueOffset:
        """Return the queue offset of the first message in the same record."""
        unit = self.unit(self.unit_number(queue_offset))
        return QueueOffset(unit.base) if unit is not None else queue_offset

    def first_at_or_behind(self, log_offset: int) -> QueueOffset:
        """Return the first message whose record begins at or behind `log_offset`."""
        low, high = self._first_unit, self._units
        while low < high:
            middle = (low + high) // 2
            unit = self.unit(middle)
            if unit is not None and unit.log_offset < log_offset:
                low = middle + 1
            else:
                high = middle
        unit = self.unit(low)
        return QueueOffset(unit.base) if unit is not None else self.end

    # --- recovery and deletion -----------------------------------------------------------------

    def load(self, files_checked: int) -> list[str]:
        """Find the files and the end, as `ConsumeQueue.load` does."""
        mended = self._sequence.load("batch consume queue", "mapperFileSizeBatchConsumeQueue")
        files = self._sequence.files
        for file in files:
            file.owner = self
        self._units = self._sequence.end // UNIT_BYTES
        first = files[-files_checked:][0].start // UNIT_BYTES if files else 0
        previous, following = -1, 0
        for number in range(first, self._units):
            unit = self.unit(number)
            assert unit is not None, "the unit lies within the files"
            good = unit.size > 0 and unit.messages > 0 and unit.base >= following
            if not good or unit.log_offset <= previous:
                self._units = number
                break
            previous, following = unit.log_offset, unit.following
        last = self.unit(self._units - 1)
        self.end = QueueOffset(last.following if last is not None else 0)
        self._drop_behind_end()
        return mended

    def _drop_behind_end(self) -> None:
        position = self._units * UNIT_BYTES
        for file in [x for x in self._sequence.files if x.start >= position]:
            self._cache.drop(file)
        self._sequence.drop_from(position)
        tail = self._sequence.at(position)
        if tail is not None:
            tail.reserved = (position - tail.start) // space.PAGE_BYTES * space.PAGE_BYTES

    def cut(self, queue_offset: QueueOffset) -> None:
        """Remove the units that hold `queue_offset` and what follows, leaving zeros."""
        if queue_offset >= self.end:
            return
        number = self.unit_number(queue_offset)
        self._cut_units(number)

    def cut_behind(self, log_end: int) -> None:
        """Remove the units whose records are not wholly before `log_end`."""
        number = self._units
        while number > self._first_unit:
            unit = self.unit(number - 1)
            if unit is None or unit.log_offset + unit.size <= log_end:
                break
            number -= 1
        if number < self._units:
            self._cut_units(number)

    def _cut_units(self, number: int) -> None:
        self._units = number
        last = self.unit(number - 1)
        self.end = QueueOffset(last.following if last is not None else 0)
        self._drop_behind_end()
        tail = self._sequence.at(number * UNIT_BYTES)
        if tail is not None:
            space.zero(tail.path, number * UNIT_BYTES - tail.start, tail.size)
            self._dirty.add(self)
        self._min_for = -1

    def last_log_end(self) -> int:
        """Return where the last record ends in the log; 0 for an empty queue."""
        last = self.unit(self._units - 1)
        return 0 if last is None else last.log_offset + last.size

    def retire_before(self, queue_offset: int) -> list[str]:
        """Forget files, never the last, whose units all come before; return their paths."""
        files = self._sequence.files
        count = 0
        for file in files[:-1]:
            last = self.unit(file.end // UNIT_BYTES - 1)
            if last is None or last.following > queue_offset:
                break
            count += 1
        for file in files[:count]:
            self._cache.drop(file)
        self._sequence.files = files[count:]
        return [file.path for file in files[:count]]

    def unflushed(self) -> list[str]:
        """Return the paths of the files that may hold units that were not flushed."""
        return [file.path for file in self._sequence.files[-2:]]
