"""Java's string hash, on which tag filters and the key index of RocketMQ rest."""

from __future__ import annotations

import struct
from functools import lru_cache

_OWN_CHARACTERS = 4


def java_string_hash(text: str) -> int:
    """Return `String.hashCode()` of `text`: 31·h + unit over its UTF-16 units, as a signed i32."""
    return _signed(_continued(0, text))


@lru_cache(maxsize=4096)
def tag_hash(tag: str) -> int:
    """Return the hash that a consume queue stores for a tag; 0 for no tag."""
    return java_string_hash(tag)


def key_hash(topic: str, key: str) -> int:
    """Return the hash that the key index stores for `topic#key`; never negative."""
    # The unique keys of one producer differ in their last four characters, a counter, and in the
    # four before, a moment.
    value = _continued(_hash_up_to(topic, key[:-_OWN_CHARACTERS]), key[-_OWN_CHARACTERS:])
    if value & 0x8000_0000:
        value = 0x1_0000_0000 - value
    return 0 if value == 0x8000_0000 else value


@lru_cache(maxsize=4096)
def _hash_up_to(topic: str, beginning: str) -> int:
    first = _hash_of_first(topic, beginning[:-_OWN_CHARACTERS])
    return _continued(first, beginning[-_OWN_CHARACTERS:])


@lru_cache(maxsize=4096)
def _hash_of_first(topic: str, first: str) -> int:
    return _continued(0, f"{topic}#{first}")


def _continued(value: int, text: str) -> int:
    """The unsigned hash of some text whose beginning has the hash `value`, and goes on so."""
    # Cutting the number to 32 bits at the end alone is cheaper than at each step.
    if text.isascii():
        for unit in text.encode():
            value = 31 * value + unit
    else:
        units = text.encode("utf-16-be", "surrogatepass")
        for unit in struct.unpack(f">{len(units) // 2}H", units):
            value = (31 * value + unit) & 0xFFFFFFFF
    return value & 0xFFFFFFFF


def _signed(value: int) -> int:
    return value - 0x1_0000_0000 if value & 0x8000_0000 else value
