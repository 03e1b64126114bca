"""Choosing what a pull gets: a walk over consume queue entries."""

from __future__ import annotations

import struct
from typing import NamedTuple

from pocketmq import _speedups
from pocketmq.message.record import MAGIC_V1, MAGIC_V2, RECORD_BYTES_MIN, Buffer
from pocketmq.store.consume_queue import ENTRY, ENTRY_BYTES

EXTENT = struct.Struct("=qq")
"""A stretch of the log, (log_offset, length), as the leaves hand it to each other."""


class PullLimits(NamedTuple):
    """What one answer may hold. `recent_from` splits recent messages from old ones."""

    count_max: int
    bytes_max: int
    count_recent_max: int
    bytes_recent_max: int
    count_old_max: int
    bytes_old_max: int
    recent_from: int
    log_min: int
    log_end: int


def select_extents_plain(
    data: Buffer,
    position: int,
    limit: int,
    limits: PullLimits,
    tag_hashes: frozenset[int] | None,
) -> tuple[bytes, int, int, int, int]:
    """Walk entries from `position` and choose records for one answer.

    Return (packed extents, count, bytes, entries passed, entries whose record is gone).
    Records that are neighbours in the log share an extent. The first record is always taken; an
    entry that would go beyond a limit ends the walk and is not passed.
    """
    extents: list[bytes] = []
    count = total = passed = gone = 0
    last_offset = last_length = 0
    for at in range(position, limit - ENTRY_BYTES + 1, ENTRY_BYTES):
        log_offset, size, tag_hash = ENTRY.unpack_from(data, at)
        if count:
            old = log_offset < limits.recent_from
            count_max = limits.count_old_max if old else limits.count_recent_max
            bytes_max = limits.bytes_old_max if old else limits.bytes_recent_max
            if count >= min(limits.count_max, count_max):
                break
            if total >= limits.bytes_max or total + size > min(limits.bytes_max, bytes_max):
                break
        passed += 1
        if tag_hashes is not None and _low_half(tag_hash) not in tag_hashes:
            continue
        if log_offset < limits.log_min or size <= 0 or log_offset + size > limits.log_end:
            gone += 1
            continue
        if last_length and last_offset + last_length == log_offset:
            last_length += size
        else:
            if last_length:
                extents.append(EXTENT.pack(last_offset, last_length))
            last_offset, last_length = log_offset, size
        count += 1
        total += size
    if last_length:
        extents.append(EXTENT.pack(last_offset, last_length))
    return b"".join(extents), count, total, passed, gone


def _low_half(tag_hash: int) -> int:
    """Return the low 32 bits as a signed number: what clients compare."""
    low = tag_hash & 0xFFFFFFFF
    return low - 0x1_0000_0000 if low & 0x8000_0000 else low


def count_chained_plain(data: Buffer, position: int, limit: int, log_offset: int) -> int:
    """Count records that follow each other exactly from `position` to `limit`; -1 if they do not.

    `log_offset` is that of the first. Size, magic and log offset of each must be right.
    """
    view = memoryview(data)
    count = 0
    while position < limit:
        if limit - position < RECORD_BYTES_MIN:
            return -1
        size = int.from_bytes(view[position : position + 4], "big")
        magic = int.from_bytes(view[position + 4 : position + 8], "big")
        held = int.from_bytes(view[position + 28 : position + 36], "big")
        if size < RECORD_BYTES_MIN or magic not in (MAGIC_V1, MAGIC_V2) or held != log_offset:
            return -1
        position += size
        log_offset += size
        count += 1
    return count if position == limit else -1


def gather_records_plain(
    data: Buffer, file_start: int, extents: bytes, total: int, count: int
) -> bytes | None:
    """Return the bytes of all extents, which lie in one file, in one piece.

    None when they are not exactly `count` whole records of `total` bytes.
    """
    view = memoryview(data)
    pieces: list[memoryview] = []
    found = 0
    for log_offset, length in EXTENT.iter_unpack(extents):
        at = log_offset - file_start
        if at < 0 or at + length > len(view):
            return None
        chained = count_chained_plain(data, at, at + length, log_offset)
        if chained < 0:
            return None
        found += chained
        pieces.append(view[at : at + length])
    gathered = b"".join(pieces)
    return gathered if found == count and len(gathered) == total else None


if _speedups.has("gather"):
    from pocketmq._speedups.gather import gather_records as gather_records
else:
    gather_records = gather_records_plain

if _speedups.has("queues"):
    from pocketmq._speedups.queues import count_chained as count_chained
    from pocketmq._speedups.queues import select_extents as select_extents
else:
    select_extents = select_extents_plain
    count_chained = count_chained_plain
