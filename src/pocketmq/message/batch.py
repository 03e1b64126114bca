"""A batch on the wire: items one after another, in the body of one send request.

size         4   the whole item
magic        4   0, unused
crc          4   0, unused; the broker computes its own
flag         4   the application's flag
body         4 + n
properties   2 + n
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from pocketmq.errors import MalformedBody

_HEAD = struct.Struct(">iiiii")
_LENGTH = struct.Struct(">h")
ITEM_BYTES_MIN = _HEAD.size + _LENGTH.size


class BatchItem(NamedTuple):
    """One message of a batch. The body and properties are views of the batch."""

    flag: int
    body: memoryview
    properties: memoryview


def decode_batch(batch: bytes | memoryview) -> list[BatchItem]:
    """Return the items of a batch. Raise MalformedBody when its lengths contradict each other."""
    view = memoryview(batch)
    items = []
    position = 0
    while position < len(view):
        if len(view) - position < ITEM_BYTES_MIN:
            raise MalformedBody(f"a batch ends inside the head of an item at byte {position}")
        size, _, _, flag, body_bytes = _HEAD.unpack_from(view, position)
        body_at = position + _HEAD.size
        properties_at = body_at + body_bytes
        end = position + size
        if body_bytes < 0 or size < ITEM_BYTES_MIN or properties_at + 2 > end or end > len(view):
            raise MalformedBody(f"the batch item at byte {position} has lengths that do not fit")
        (properties_bytes,) = _LENGTH.unpack_from(view, properties_at)
        if properties_bytes < 0 or properties_at + 2 + properties_bytes != end:
            raise MalformedBody(f"the batch item at byte {position} has lengths that do not add up")
        items.append(BatchItem(flag, view[body_at:properties_at], view[properties_at + 2 : end]))
        position = end
    return items


def encode_batch(items: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """Return the wire form of (flag, body, properties) items."""
    parts = []
    for flag, body, properties in items:
        size = ITEM_BYTES_MIN + len(body) + len(properties)
        parts.append(_HEAD.pack(size, 0, 0, flag, len(body)))
        parts.append(body)
        parts.append(_LENGTH.pack(len(properties)))
        parts.append(properties)
    return b"".join(parts)
