"""Java's string hash, on which tag filters and the key index of RocketMQ rest."""

from __future__ import annotations

import struct
from functools import lru_cache


def java_string_hash(text: str) -> int:
    """Return `String.hashCode()` of `text`: 31·h + unit over its UTF-16 units, as a signed i32."""
    units = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for unit in struct.unpack(f">{len(units) // 2}H", units):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value - 0x1_0000_0000 if value & 0x8000_0000 else value


@lru_cache(maxsize=4096)
def tag_hash(tag: str) -> int:
    """Return the hash that a consume queue stores for a tag; 0 for no tag."""
    return java_string_hash(tag)


def key_hash(topic: str, key: str) -> int:
    """Return the hash that the key index stores for `topic#key`; never negative."""
    value = abs(java_string_hash(f"{topic}#{key}"))
    return 0 if value == 0x8000_0000 else value
