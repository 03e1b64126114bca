"""One index file: a hash table from key to log offset.

begin_timestamp_ms   8   store time of the first record
end_timestamp_ms     8   of the last
begin_log_offset     8
end_log_offset       8
used_slots           4
count                4   one more than the entries; entry 0 is never used
slots            4 × n   the newest entry of each slot, 0 for none
entries         20 × m   key_hash 4, log_offset 8, seconds since begin 4, older entry 4
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from pocketmq import _speedups
from pocketmq.message.scan import KEY_ENTRY
from pocketmq.store.mapped_file import MappedFile

HEADER = struct.Struct(">qqqqii")
HEADER_BYTES = HEADER.size
ENTRY = struct.Struct(">iqii")
ENTRY_BYTES = ENTRY.size
_SLOT = struct.Struct(">i")
_SECONDS_MAX = 0x7FFFFFFF
_RESERVE_STEP_BYTES = 1024 * 1024


Require: TypeAlias = "Callable[[MappedFile, int, int], None]"
"""Told (file, position, length) before these bytes are looked at; may raise NotInMemory."""


class IndexHeader(NamedTuple):
    """The first forty bytes."""

    begin_timestamp_ms: int
    end_timestamp_ms: int
    begin_log_offset: int
    end_log_offset: int
    used_slots: int
    next_number: int


def index_file_bytes(slots: int, entries: int) -> int:
    """Return the size of an index file."""
    return HEADER_BYTES + slots * 4 + entries * ENTRY_BYTES


class IndexFile:
    """Puts and finds keys in one file."""

    def __init__(self, path: str, slots: int, entries: int) -> None:
        self.slots = slots
        self.entries = entries
        self.file = MappedFile(path, 0, index_file_bytes(slots, entries))
        self._entries_at = HEADER_BYTES + slots * 4

    @property
    def header(self) -> IndexHeader:
        """The header as it is now; a count of 0 on the disk means 1."""
        begin_ms, end_ms, begin, end, used, count = HEADER.unpack_from(self.file.map())
        return IndexHeader(begin_ms, end_ms, begin, end, used, max(count, 1))

    @property
    def next_number(self) -> int:
        """The number of the next entry, alone: it is asked for each time that keys are put."""
        (count,) = _SLOT.unpack_from(self.file.map(), HEADER_BYTES - 4)
        return max(int(count), 1)

    @property
    def is_full(self) -> bool:
        """Whether the next key needs another file."""
        return self.next_number >= self.entries

    def put(self, keys: bytes, first: int) -> int:
        """Put packed keys from byte `first` on; return the byte behind the last that had room.

        Raise StoreFull when the disk has no room.
        """
        data = self.file.map()
        wanted = (len(keys) - first) // KEY_ENTRY.size
        count = self.next_number
        if count >= self.entries:
            return first
        needed = self._entries_at + min(count + wanted, self.entries) * ENTRY_BYTES
        if needed > self.file.reserved:
            self.file.reserve(needed, _RESERVE_STEP_BYTES)
        return put_keys(data, keys, first, self.slots, self.entries)

    def find(
        self,
        key_hash: int,
        begin_ms: int,
        end_ms: int,
        count_max: int,
        require: Require | None = None,
    ) -> list[int]:
        """Return log offsets of records with this key hash and time, the newest first."""
        data = self.file.map()
        header = self.header
        found: list[int] = []
        slot_at = HEADER_BYTES + key_hash % self.slots * 4
        if require is not None:
            require(self.file, slot_at, 4)
        (number,) = _SLOT.unpack_from(data, slot_at)
        while 0 < number < header.next_number and len(found) < count_max:
            at = self._entries_at + number * ENTRY_BYTES
            if require is not None:
                require(self.file, at, ENTRY_BYTES)
            held, log_offset, seconds, older = ENTRY.unpack_from(data, at)
            moment = header.begin_timestamp_ms + seconds * 1000
            if held == key_hash and begin_ms <= moment <= end_ms:
                found.append(log_offset)
            if older >= number or moment < begin_ms:
                break
            number = older
        return found

    def mend(self, log_end: int) -> int:
        """Make the file whole again after a crash; return the log offset up to which it is.

        Entries are believed as long as their log offsets do not fall and lie before `log_end`; the
        slots, which may be older or newer than the entries, are built anew from them. A file from
        elsewhere may lack disk space for that. Raise StoreFull when there is none.
        """
        data = self.file.map()
        header = self.header
        written = self._entries_at + min(header.next_number, self.entries) * ENTRY_BYTES
        self.file.reserved = 0
        self.file.reserve(written, 0)
        count = rebuild_slots(data, self.slots, min(header.next_number, self.entries), log_end)
        if count <= 1:
            HEADER.pack_into(data, 0, 0, 0, 0, 0, 0, 0)
            return 0
        at = self._entries_at + (count - 1) * ENTRY_BYTES
        _, last, seconds, _ = ENTRY.unpack_from(data, at)
        (used,) = _SLOT.unpack_from(data, 32)
        end_ms = header.end_timestamp_ms
        if count != header.next_number:
            end_ms = header.begin_timestamp_ms + seconds * 1000 + 999
        HEADER.pack_into(
            data, 0, header.begin_timestamp_ms, end_ms, header.begin_log_offset, last, used, count
        )
        return int(last)


def put_keys_plain(
    data: mmap.mmap | bytearray, keys: bytes, first: int, slots: int, entries: int
) -> int:
    """Put packed keys into an index file until it is full; see `IndexFile.put`."""
    begin_ms, end_ms, begin, end, used, count = HEADER.unpack_from(data)
    count = max(count, 1)
    entry_at = HEADER_BYTES + slots * 4 + count * ENTRY_BYTES
    last = min(first + (entries - count) * KEY_ENTRY.size, len(keys))
    read_slot, write_slot, write_entry = _SLOT.unpack_from, _SLOT.pack_into, ENTRY.pack_into
    seconds, seconds_of = 0, -1
    for key_hash, log_offset, store_ms in KEY_ENTRY.iter_unpack(keys[first:last]):
        slot_at = HEADER_BYTES + key_hash % slots * 4
        (older,) = read_slot(data, slot_at)
        if older <= 0 or older >= count:
            older = 0
            used += 1
        if count == 1:
            begin_ms, begin = store_ms, log_offset
        if store_ms != seconds_of:
            seconds_of = store_ms
            since = max((store_ms - begin_ms) // 1000, 0) if begin_ms > 0 else 0
            seconds = min(since, _SECONDS_MAX)
        write_entry(data, entry_at, key_hash, log_offset, seconds, older)
        write_slot(data, slot_at, count)
        count += 1
        entry_at += ENTRY_BYTES
        end_ms, end = store_ms, log_offset
    HEADER.pack_into(data, 0, begin_ms, end_ms, begin, end, used, count)
    return max(first, int(last))


def rebuild_slots_plain(data: mmap.mmap | bytearray, slots: int, count: int, log_end: int) -> int:
    """Build the slots from the entries; write how many are used; return the believable count."""
    entries_at = HEADER_BYTES + slots * 4
    data[HEADER_BYTES:entries_at] = bytes(slots * 4)
    previous = -1
    used = 0
    number = 1
    while number < count:
        at = entries_at + number * ENTRY_BYTES
        key_hash, log_offset, seconds, _ = ENTRY.unpack_from(data, at)
        if key_hash < 0 or log_offset < previous or log_offset >= log_end or seconds < 0:
            break
        if log_offset == 0 and number > 1 and previous > 0:
            break
        slot_at = HEADER_BYTES + key_hash % slots * 4
        (older,) = _SLOT.unpack_from(data, slot_at)
        used += older == 0
        _SLOT.pack_into(data, at + 16, older)
        _SLOT.pack_into(data, slot_at, number)
        previous = log_offset
        number += 1
    _SLOT.pack_into(data, 32, used)
    return number


if _speedups.has("keys"):
    from pocketmq._speedups.keys import put_keys as put_keys
    from pocketmq._speedups.keys import rebuild_slots as rebuild_slots
else:
    put_keys = put_keys_plain
    rebuild_slots = rebuild_slots_plain
