"""The optional checksum over a whole record, kept as its last property.

    __CRC32#  0x01  ten decimal digits, the least significant first  0x02

It covers every byte of the record before it.
"""

from __future__ import annotations

import mmap
from zlib import crc32

from pocketmq.message.record import CRC_MASK, Buffer

_NAME = b"__CRC32#"
_ROOM = _NAME + b"\x01" + b"0" * 10 + b"\x02"
TAIL_BYTES = len(_ROOM)


def with_room(properties: bytes) -> bytes:
    """Return properties that end in room for the checksum, without one sent by a producer."""
    if _NAME in properties:
        kept = [x for x in properties.split(b"\x02") if x and not x.startswith(_NAME + b"\x01")]
        properties = b"".join(segment + b"\x02" for segment in kept)
    if properties and not properties.endswith(b"\x02"):
        properties += b"\x02"
    return properties + _ROOM


def seal(target: mmap.mmap | bytearray, position: int, size: int) -> None:
    """Fill in the checksum of the record just written at `position`."""
    covered = size - TAIL_BYTES
    digits = _digits(memoryview(target)[position : position + covered])
    at = position + covered + len(_NAME) + 1
    target[at : at + 10] = digits


def verify(data: Buffer, position: int, size: int) -> bool:
    """Say whether a record ends in a checksum, and in the right one."""
    tail = position + size - TAIL_BYTES
    view = memoryview(data)
    if bytes(view[tail : tail + len(_NAME) + 1]) != _NAME + b"\x01":
        return False
    at = tail + len(_NAME) + 1
    return bytes(view[at : at + 10]) == _digits(view[position:tail])


def _digits(covered: memoryview) -> bytes:
    return f"{crc32(covered) & CRC_MASK:010d}"[::-1].encode()
