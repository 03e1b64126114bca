"""The bytes of one stored message, in the commit log and in the answer to a pull.

    total_size            4   the whole record
    magic                 4   DAA320A7 (V1) or DAA320AB (V2); CBD43194 ends a file
    body_crc              4   CRC-32 of the body, its top bit cleared
    queue_id              4
    flag                  4   the application's
    queue_offset          8   which message of its queue
    log_offset            8   where the record itself starts
    sys_flag              4   see flags.py
    born_timestamp_ms     8   the producer's clock
    born_host        8 / 20   address and i32 port; 20 bytes when sys_flag has 0x10
    store_timestamp_ms    8   the broker's clock
    store_host       8 / 20   20 bytes when sys_flag has 0x20
    reconsume_times       4
    prepared_offset       8   of a committed transaction: where its half message lies
    body              4 + n
    topic             1 + n   2 + n in V2, which serves topics of more than 127 characters
    properties        2 + n   see properties.py

All integers are big-endian and signed. A properties CRC, when switched on, is the last 20 bytes.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TypeAlias

from pocketmq import _speedups
from pocketmq.errors import CorruptRecord, MalformedBody
from pocketmq.message.batch import decode_batch
from pocketmq.message.checksum import crc32
from pocketmq.message.flags import BORN_HOST_V6, STORE_HOST_V6
from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.message.properties import decode_property_bytes

MAGIC_V1 = 0xDAA320A7
MAGIC_V2 = 0xDAA320AB
MAGIC_BLANK = 0xCBD43194
BLANK_BYTES_MIN = 8
RECORD_BYTES_MIN = 91
TOPIC_CHARACTERS_V1_MAX = 127
TOPIC_BYTES_MAX = 32767
CRC_MASK = 0x7FFFFFFF

Buffer: TypeAlias = "bytes | bytearray | memoryview | mmap.mmap"
Writable: TypeAlias = "bytearray | mmap.mmap"

HEAD = struct.Struct(">IIiiiqqiq")
TAIL = struct.Struct(">iqi")
LONG = struct.Struct(">q")
SHORT = struct.Struct(">h")
# Of a record of two IPv4 hosts: all that comes before the body.
FIXED = struct.Struct(">IIiiiqqiq8sq8siqi")


@dataclass(frozen=True, slots=True)
class Record:
    """One stored message. `body` and `raw_properties` are views of the bytes it was read from."""

    size: int
    magic: int
    body_crc: int
    queue_id: int
    flag: int
    queue_offset: QueueOffset
    log_offset: LogOffset
    sys_flag: int
    born_timestamp_ms: int
    born_host: bytes
    store_timestamp_ms: int
    store_host: bytes
    reconsume_times: int
    prepared_offset: int
    body: memoryview
    topic: str
    raw_properties: memoryview

    @property
    def properties(self) -> dict[str, str]:
        """The properties, decoded anew at each call."""
        return decode_property_bytes(self.raw_properties)


def magic_of_topic(topic: str) -> int:
    """Return the record version a topic needs; RocketMQ counts UTF-16 units, not bytes."""
    if len(topic) * 2 <= TOPIC_CHARACTERS_V1_MAX:
        return MAGIC_V1
    units = len(topic.encode("utf-16-be", "surrogatepass")) // 2
    return MAGIC_V2 if units > TOPIC_CHARACTERS_V1_MAX else MAGIC_V1


def record_size(
    magic: int, hosts_bytes: int, body_bytes: int, topic_bytes: int, properties_bytes: int
) -> int:
    """Return how long a record of these parts is."""
    fixed = 76 if magic == MAGIC_V2 else 75
    return fixed + hosts_bytes + body_bytes + topic_bytes + properties_bytes


def write_record_plain(
    target: Writable,
    position: int,
    limit: int,
    log_offset: int,
    queue_offset: int,
    store_timestamp_ms: int,
    magic: int,
    queue_id: int,
    flag: int,
    sys_flag: int,
    born_timestamp_ms: int,
    born_host: bytes,
    store_host: bytes,
    reconsume_times: int,
    prepared_offset: int,
    body: bytes | memoryview,
    body_crc: int,
    topic: bytes,
    properties: bytes | memoryview,
) -> int:
    """Write one record at `position` and return its size.

    When the record and the blank that may have to follow it do not fit before `limit`, nothing is
    written and the answer is minus the size. The host bits of `sys_flag` are set here. The size and
    magic are written last, so that a writer killed half-way leaves no record.
    """
    body_bytes, topic_bytes, properties_bytes = len(body), len(topic), len(properties)
    sys_flag &= ~(BORN_HOST_V6 | STORE_HOST_V6)
    if magic == MAGIC_V1 and len(born_host) == len(store_host) == 8:
        size = 91 + body_bytes + topic_bytes + properties_bytes
        if position + size + BLANK_BYTES_MIN > limit:
            return -size
        head = FIXED.pack(
            size, magic, body_crc, queue_id, flag, queue_offset, log_offset, sys_flag,
            born_timestamp_ms, born_host, store_timestamp_ms, store_host, reconsume_times,
            prepared_offset, body_bytes,
        )  # fmt: skip
        middle = b"%c%b%b" % (topic_bytes, topic, SHORT.pack(properties_bytes))
    else:
        hosts_bytes = len(born_host) + len(store_host)
        size = record_size(magic, hosts_bytes, body_bytes, topic_bytes, properties_bytes)
        if position + size + BLANK_BYTES_MIN > limit:
            return -size
        if len(born_host) == 20:
            sys_flag |= BORN_HOST_V6
        if len(store_host) == 20:
            sys_flag |= STORE_HOST_V6
        head = b"".join(
            (
                HEAD.pack(
                    size, magic, body_crc, queue_id, flag, queue_offset, log_offset, sys_flag,
                    born_timestamp_ms,
                ),
                born_host,
                LONG.pack(store_timestamp_ms),
                store_host,
                TAIL.pack(reconsume_times, prepared_offset, body_bytes),
            )
        )  # fmt: skip
        topic_length = struct.pack(">H" if magic == MAGIC_V2 else ">B", topic_bytes)
        middle = topic_length + topic + SHORT.pack(properties_bytes)
    target[position + 8 : position + size] = b"".join((head[8:], body, middle, properties))
    target[position : position + 8] = head[:8]
    return size


def write_batch_plain(
    target: Writable,
    position: int,
    limit: int,
    log_offset: int,
    queue_offset: int,
    store_timestamp_ms: int,
    magic: int,
    queue_id: int,
    sys_flag: int,
    born_timestamp_ms: int,
    born_host: bytes,
    store_host: bytes,
    reconsume_times: int,
    batch: bytes | memoryview,
    topic: bytes,
) -> list[int] | int | None:
    """Write a record for each item of a wire batch; return their sizes.

    An int is minus the room that all of them need, when there is less; None means that the batch is
    not whole (`decode_batch` says why). Nothing has been written then.
    """
    try:
        items = decode_batch(batch)
    except MalformedBody:
        return None
    hosts_bytes = len(born_host) + len(store_host)
    sizes = [
        record_size(magic, hosts_bytes, len(body), len(topic), len(properties))
        for _, body, properties in items
    ]
    if position + sum(sizes) + BLANK_BYTES_MIN > limit:
        return -sum(sizes)
    for (flag, body, properties), size in zip(items, sizes, strict=True):
        write_record_plain(
            target, position, limit, log_offset, queue_offset, store_timestamp_ms, magic, queue_id,
            flag, sys_flag, born_timestamp_ms, born_host, store_host, reconsume_times, 0, body,
            crc32(body) & CRC_MASK, topic, properties,
        )  # fmt: skip
        position += size
        log_offset += size
        queue_offset += 1
    return sizes


def decode_record(data: Buffer, position: int = 0, *, verify_crc: bool = True) -> Record:
    """Return the record that starts at `position`. Raise CorruptRecord when it is not whole."""
    view = memoryview(data)
    try:
        return _decode(view, position, verify_crc)
    except (struct.error, IndexError) as error:
        raise CorruptRecord(position, "it ends too early") from error


def _decode(view: memoryview, start: int, verify_crc: bool) -> Record:
    head = HEAD.unpack_from(view, start)
    size, magic, body_crc, queue_id, flag, queue_offset, log_offset, sys_flag, born_ms = head
    if magic not in (MAGIC_V1, MAGIC_V2):
        raise CorruptRecord(start, f"its magic is {magic:08X}")
    if size < RECORD_BYTES_MIN or start + size > len(view):
        raise CorruptRecord(start, f"its size is {size}, with {len(view) - start} bytes left")
    view = view[start : start + size]
    at = HEAD.size
    born_end = at + (20 if sys_flag & BORN_HOST_V6 else 8)
    born_host = bytes(view[at:born_end])
    (store_ms,) = LONG.unpack_from(view, born_end)
    at = born_end + 8
    store_end = at + (20 if sys_flag & STORE_HOST_V6 else 8)
    store_host = bytes(view[at:store_end])
    reconsume_times, prepared_offset, body_bytes = TAIL.unpack_from(view, store_end)
    body_at = store_end + TAIL.size
    topic_length_at = body_at + body_bytes
    if body_bytes < 0 or topic_length_at > size:
        raise CorruptRecord(start, f"its body claims {body_bytes} bytes")
    wide = magic == MAGIC_V2
    (topic_bytes,) = struct.unpack_from(">h" if wide else ">b", view, topic_length_at)
    topic_at = topic_length_at + (2 if wide else 1)
    (properties_bytes,) = struct.unpack_from(">h", view, topic_at + max(topic_bytes, 0))
    properties_at = topic_at + topic_bytes + 2
    if topic_bytes < 0 or properties_bytes < 0 or properties_at + properties_bytes != size:
        raise CorruptRecord(start, "its lengths do not add up")
    body = view[body_at:topic_length_at]
    if verify_crc and body_bytes and crc32(body) & CRC_MASK != body_crc:
        raise CorruptRecord(start, "its body does not match its checksum")
    topic = str(view[topic_at : properties_at - 2], "utf-8", "replace")
    return Record(
        size, magic, body_crc, queue_id, flag, QueueOffset(queue_offset), LogOffset(log_offset),
        sys_flag, born_ms, born_host, store_ms, store_host, reconsume_times, prepared_offset,
        body, topic, view[properties_at:],
    )  # fmt: skip


if _speedups.has("records"):
    from pocketmq._speedups.records import write_batch as write_batch
    from pocketmq._speedups.records import write_record as write_record
else:
    write_batch = write_batch_plain
    write_record = write_record_plain
