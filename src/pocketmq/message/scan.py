"""Reading many records at once: what the dispatcher files for each.

A scan walks records as they lie in a file and returns, for each that belongs in a consume queue,

    (topic, queue_id, queue_offset, log_offset, size, tag_hash, store_timestamp_ms)

and, packed in native byte order, what the key index files:

    key_hash   4
    log_offset 8
    store_ms   8

Half messages and rolled-back ones are in no consume queue; the latter are in no index either.
A scan checks structure, not checksums: it reads what was just written or already verified.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeAlias

from pocketmq import _speedups
from pocketmq.message.flags import (
    BORN_HOST_V6,
    STORE_HOST_V6,
    TRANSACTION_MASK,
    TRANSACTION_PREPARED,
    TRANSACTION_ROLLBACK,
)
from pocketmq.message.hashing import key_hash, tag_hash
from pocketmq.message.record import (
    FIXED,
    HEAD,
    LONG,
    MAGIC_BLANK,
    MAGIC_V1,
    MAGIC_V2,
    RECORD_BYTES_MIN,
    SHORT,
    Buffer,
)

Filed: TypeAlias = "tuple[str, int, int, int, int, int, int]"
Scan: TypeAlias = "tuple[Sequence[Filed], bytes, int, int]"

KEY_ENTRY = struct.Struct("=iqq")

END_LIMIT = 0
"""The scan reached its limit or its count."""
END_BLANK = 1
"""The scan met the blank that ends a file."""
END_INVALID = 2
"""The bytes at the returned position are not a record."""

_INT = struct.Struct(">i")


def measure_record_plain(data: Buffer, position: int, limit: int) -> tuple[int, int, int, int]:
    """Return (size, body position, body bytes, body CRC) of the record at `position`.

    The size is 0 for a blank and -1 for anything that is not a whole record before `limit`.
    """
    room = limit - position
    if room < 8:
        return -1, 0, 0, 0
    size, magic = struct.unpack_from(">iI", data, position)
    if magic == MAGIC_BLANK:
        return 0, 0, 0, 0
    if magic not in (MAGIC_V1, MAGIC_V2) or size < RECORD_BYTES_MIN or size > room:
        return -1, 0, 0, 0
    end = position + size
    (body_crc,) = _INT.unpack_from(data, position + 8)
    (sys_flag,) = _INT.unpack_from(data, position + 36)
    at = position + 75
    at += 20 if sys_flag & BORN_HOST_V6 else 8
    at += 20 if sys_flag & STORE_HOST_V6 else 8
    # `at` is now behind the shortest possible topic and properties lengths: 1 + 2 bytes.
    body_at = at - 3
    if at > end:
        return -1, 0, 0, 0
    (body_bytes,) = _INT.unpack_from(data, body_at - 4)
    topic_at = body_at + body_bytes
    wide = 2 if magic == MAGIC_V2 else 1
    if body_bytes < 0 or topic_at + wide + 2 > end:
        return -1, 0, 0, 0
    (topic_bytes,) = struct.unpack_from(">h" if wide == 2 else ">b", data, topic_at)
    properties_at = topic_at + wide + topic_bytes
    if topic_bytes < 0 or properties_at + 2 > end:
        return -1, 0, 0, 0
    (properties_bytes,) = struct.unpack_from(">h", data, properties_at)
    if properties_bytes < 0 or properties_at + 2 + properties_bytes != end:
        return -1, 0, 0, 0
    return size, body_at, body_bytes, body_crc


def scan_records_plain(
    data: Buffer, position: int, limit: int, log_offset: int, count_max: int
) -> Scan:
    """Walk at most `count_max` records that lie between `position` and `limit`.

    `log_offset` is that of the first. Return what to file, the packed keys, the position after the
    last record walked, and one of the END_ reasons.
    """
    filed: list[Filed] = []
    keys = bytearray()
    start = position
    for _ in range(count_max):
        if position >= limit:
            break
        here = log_offset + position - start
        size = _file_usual(data, position, limit, here, filed, keys)
        if size:
            position += size
            continue
        size, body_at, body_bytes, _ = measure_record_plain(data, position, limit)
        if size == 0:
            return filed, bytes(keys), position, END_BLANK
        if size < 0 or LONG.unpack_from(data, position + 28)[0] != here:
            return filed, bytes(keys), position, END_INVALID
        record = memoryview(data)[position : position + size]
        _file(record, body_at + body_bytes - position, here, filed, keys)
        record.release()
        position += size
    return filed, bytes(keys), position, END_LIMIT


def _file_usual(
    data: Buffer, position: int, limit: int, here: int, filed: list[Filed], keys: bytearray
) -> int:
    """File a record of the kind that nearly all are of; return its size, 0 when it is another."""
    if limit - position < RECORD_BYTES_MIN:
        return 0
    (
        size, magic, _, queue_id, _, queue_offset, log_offset, sys_flag, _, _, store_ms, _, _, _,
        body_bytes,
    ) = FIXED.unpack_from(data, position)  # fmt: skip
    end: int = position + size
    topic_at = position + FIXED.size + body_bytes
    if (
        magic != MAGIC_V1
        or sys_flag & (BORN_HOST_V6 | STORE_HOST_V6 | TRANSACTION_MASK)
        or log_offset != here
        or body_bytes < 0
        or end > limit
        or topic_at + 3 > end
    ):
        return 0
    properties_at = topic_at + 1 + data[topic_at]
    if data[topic_at] > 127 or properties_at + 2 > end:
        return 0
    (properties_bytes,) = SHORT.unpack_from(data, properties_at)
    if properties_bytes < 0 or properties_at + 2 + properties_bytes != end:
        return 0
    topic = str(data[topic_at + 1 : properties_at], "utf-8", "replace")
    tags, unique_key, key_list = _find_properties(bytes(data[properties_at + 2 : end]))
    filed.append(
        (topic, queue_id, queue_offset, here, size, tag_hash(tags) if tags else 0, store_ms)
    )
    if unique_key:
        keys += KEY_ENTRY.pack(key_hash(topic, unique_key), here, store_ms)
    if key_list:
        for key in key_list.split(" "):
            if key:
                keys += KEY_ENTRY.pack(key_hash(topic, key), here, store_ms)
    return end - position


def _file(
    record: memoryview, topic_at: int, log_offset: int, filed: list[Filed], keys: bytearray
) -> None:
    size, magic, _, queue_id, _, queue_offset, _, sys_flag, _ = HEAD.unpack_from(record)
    (store_ms,) = LONG.unpack_from(record, 68 if sys_flag & BORN_HOST_V6 else 56)
    wide = 2 if magic == MAGIC_V2 else 1
    (topic_bytes,) = struct.unpack_from(">h" if wide == 2 else ">b", record, topic_at)
    properties_at = topic_at + wide + topic_bytes
    topic = str(record[topic_at + wide : properties_at], "utf-8", "replace")
    tags, unique_key, key_list = _find_properties(bytes(record[properties_at + 2 :]))
    kind = sys_flag & TRANSACTION_MASK
    if not kind & TRANSACTION_PREPARED:
        tag = tag_hash(tags) if tags else 0
        filed.append((topic, queue_id, queue_offset, log_offset, size, tag, store_ms))
    if kind != TRANSACTION_ROLLBACK:
        for key in (unique_key, *key_list.split(" ")):
            if key:
                keys += KEY_ENTRY.pack(key_hash(topic, key), log_offset, store_ms)


def _find_properties(properties: bytes) -> tuple[str, str, str]:
    found = {b"TAGS": "", b"UNIQ_KEY": "", b"KEYS": ""}
    for segment in properties.split(b"\x02"):
        name, _, value = segment.partition(b"\x01")
        if name in found and value:
            found[name] = str(value, "utf-8", "replace")
    return found[b"TAGS"], found[b"UNIQ_KEY"], found[b"KEYS"]


if _speedups.has("records"):
    from pocketmq._speedups.records import measure_record as measure_record
else:
    measure_record = measure_record_plain

if _speedups.has("scans"):
    from pocketmq._speedups.scans import scan_records as scan_records
else:
    scan_records = scan_records_plain
