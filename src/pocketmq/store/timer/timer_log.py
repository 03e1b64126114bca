"""The timer log: one unit of 52 bytes for each message that waits, in the order they came.

    size          4   52
    previous      8   position of the unit before it in the same slot of the wheel, or -1
    kind          4   bits: 1 a unit, 2 waits only to be written again, 4 recalls another message
    written_ms    8   when it came, rounded down to the precision
    delay_ms      4   its slot's moment minus written_ms
    log_offset    8   the message in the commit log
    record_bytes  4
    topic_hash    4   Java hash of the topic it is meant for
    zero          8

Files have a fixed size. Where no unit and no blank fits any more, a blank ends the file: the bytes
that are left (4), zero (8), the magic of blanks (4).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pocketmq.store import space
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.mapped_file import MappedFile, MappingCache

_FORM: Final = struct.Struct(">iqiqiqiiq")
UNIT_BYTES: Final = _FORM.size
_BLANK: Final = struct.Struct(">iqI")
_BLANK_MAGIC: Final = 0xCBD43194
_RESERVE_BYTES: Final = 1024 * 1024
_MAPPED_MAX: Final = 32

UNIT: Final = 1
ROLL: Final = 2
DELETE: Final = 4


class TimerUnit(NamedTuple):
    """One entry of the log."""

    position: int
    previous: int
    kind: int
    written_ms: int
    delay_ms: int
    log_offset: int
    record_bytes: int
    topic_hash: int

    @property
    def due_ms(self) -> int:
        """The moment whose slot it is in."""
        return self.written_ms + self.delay_ms

    @property
    def is_stage(self) -> bool:
        """Whether the message is then to be written into the timer's queue again."""
        return bool(self.kind & ROLL)

    @property
    def is_recall(self) -> bool:
        """Whether it recalls another message."""
        return bool(self.kind & DELETE) and not self.kind & ROLL


class TimerLog:
    """Appends and reads units. `end` is set by whoever recovers."""

    def __init__(self, directory: Path, file_bytes: int) -> None:
        self._sequence = FileSequence(directory, file_bytes)
        self._cache = MappingCache(_MAPPED_MAX)
        self.end = 0

    @property
    def start(self) -> int:
        """The first position there is."""
        return self._sequence.start

    @property
    def limit(self) -> int:
        """The first position behind the last file."""
        return self._sequence.end

    @property
    def file_bytes(self) -> int:
        """The size of each file."""
        return self._sequence.file_size

    def load(self) -> None:
        """Find the files. Raise CorruptStore when they were made with another size."""
        self._sequence.load("timer log", "mappedFileSizeTimerLog")
        self.end = self._sequence.start

    def close(self) -> None:
        """Unmap all files."""
        for file in self._sequence.files:
            self._cache.drop(file)

    def append(
        self,
        previous: int,
        kind: int,
        written_ms: int,
        delay_ms: int,
        log_offset: int,
        record_bytes: int,
        topic_hash: int,
    ) -> int:
        """Append a unit; return its position. Raise StoreFull or StoreNotWritable."""
        file = self._file_with_room()
        at = self.end - file.start
        data = self._cache.map(file)
        if at + UNIT_BYTES > file.reserved:
            file.reserve(at + UNIT_BYTES, _RESERVE_BYTES)
        _FORM.pack_into(
            data, at, UNIT_BYTES, previous, kind, written_ms, delay_ms, log_offset, record_bytes,
            topic_hash, 0,
        )  # fmt: skip
        position, self.end = self.end, self.end + UNIT_BYTES
        return position

    def _file_with_room(self) -> MappedFile:
        sequence = self._sequence
        file = sequence.at(self.end)
        if file is not None:
            left = file.end - self.end
            if left >= UNIT_BYTES + _BLANK.size:
                return file
            data = self._cache.map(file)
            file.reserve(file.size, 0)
            _BLANK.pack_into(data, self.end - file.start, left, 0, _BLANK_MAGIC)
            self.end = file.end
            file = sequence.at(self.end)
        if file is None:
            file = sequence.create(self.end)
            sequence.files.append(file)
        return file

    def unit(self, position: int) -> TimerUnit | None:
        """The unit at a position before the end; None when there is none."""
        return self._read(position) if 0 <= position < self.end else None

    def _read(self, position: int) -> TimerUnit | None:
        file = self._sequence.at(position)
        if file is None or file.end - position < UNIT_BYTES:
            return None
        size, previous, kind, written_ms, delay_ms, log_offset, record_bytes, topic_hash, _ = (
            _FORM.unpack_from(self._cache.map(file), position - file.start)
        )
        if (
            size != UNIT_BYTES
            or not kind & UNIT
            or kind & ~(UNIT | ROLL | DELETE)
            or not -1 <= previous < position
            or written_ms <= 0
            or log_offset < 0
            or record_bytes <= 0
        ):
            return None
        return TimerUnit(
            position, previous, kind, written_ms, delay_ms, log_offset, record_bytes, topic_hash
        )

    def walk(self, position: int) -> Iterator[TimerUnit]:
        """The units from a position on, up to the first bytes that are none, wherever `end` is."""
        position = max(position, self._sequence.start)
        while (file := self._sequence.at(position)) is not None:
            unit = self._read(position)
            if unit is not None:
                yield unit
                position += UNIT_BYTES
            elif self._is_blank(file, position):
                position = file.end
            else:
                return

    def _is_blank(self, file: MappedFile, position: int) -> bool:
        if file.end - position < _BLANK.size:
            return False
        left, _, magic = _BLANK.unpack_from(self._cache.map(file), position - file.start)
        return bool(magic == _BLANK_MAGIC) and left == file.end - position

    def cut(self, position: int) -> None:
        """Let the log end here; what is behind is zeroed. Raise StoreError."""
        self.end = position
        try:
            for file in self._sequence.drop_from(position + 1):
                self._cache.drop(file)
            last = self._sequence.at(position)
            if last is not None:
                space.zero(last.path, position - last.start, last.size)
        except OSError as error:
            raise space.store_error(self._sequence.directory, error) from error

    def flush(self, first: int, last: int) -> None:
        """Force what was written between two positions to the disk. Blocks. Raise StoreError."""
        for file in list(self._sequence.files):
            if file.start < last and file.end > first:
                try:
                    space.sync_file(file.path)
                except OSError as error:
                    raise space.store_error(file.path, error) from error
            data = file.data
            if data is not None and hasattr(mmap, "MADV_DONTNEED"):
                data.madvise(mmap.MADV_DONTNEED)

    def forget_before(self, log_min: int) -> int:
        """Delete the files all of whose messages are gone from the commit log; return how many."""
        count = 0
        while len(self._sequence.files) > 1:
            oldest = self._sequence.files[0]
            units = (oldest.size - _BLANK.size) // UNIT_BYTES
            last = self._read(oldest.start + (units - 1) * UNIT_BYTES)
            if last is None or last.log_offset >= log_min:
                break
            self._sequence.files.pop(0)
            self._cache.drop(oldest)
            try:
                oldest.unlink()
            except OSError as error:
                raise space.store_error(oldest.path, error) from error
            count += 1
        return count
