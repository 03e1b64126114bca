"""Where a group's filter stands in Apache's bloom filter: kept in consumerFilter.json.

Apache drops the whole file when these bits are not those it would compute, so they are written
although this broker does not calculate bit maps.
"""

from __future__ import annotations

from typing import Final

BITS: Final = 112
HASHES: Final = 3

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F


def bit_positions(group: str, topic: str) -> tuple[int, ...]:
    """The bits of a group's filter on a topic."""
    low_half = murmur3_low(f"{group}#{topic}".encode())
    first, second = _signed(low_half), _signed(low_half >> 32)
    found = []
    for number in range(1, HASHES + 1):
        combined = _signed(first + number * second)
        found.append((~combined if combined < 0 else combined) % BITS)
    return tuple(found)


def murmur3_low(data: bytes) -> int:
    """The low 64 bits of MurmurHash3 x64 128 with seed 0."""
    one = two = 0
    whole = len(data) - len(data) % 16
    for at in range(0, whole, 16):
        first = int.from_bytes(data[at : at + 8], "little")
        second = int.from_bytes(data[at + 8 : at + 16], "little")
        one ^= _mix_first(first)
        one = (_rotated(one, 27) + two) * 5 + 0x52DCE729 & _MASK
        two ^= _mix_second(second)
        two = (_rotated(two, 31) + one) * 5 + 0x38495AB5 & _MASK
    tail = data[whole:]
    if len(tail) > 8:
        two ^= _mix_second(int.from_bytes(tail[8:], "little"))
    if tail:
        one ^= _mix_first(int.from_bytes(tail[:8], "little"))
    one ^= len(data)
    two ^= len(data)
    one = one + two & _MASK
    two = two + one & _MASK
    return _finished(one) + _finished(two) & _MASK


def _mix_first(part: int) -> int:
    return _rotated(part * _C1 & _MASK, 31) * _C2 & _MASK


def _mix_second(part: int) -> int:
    return _rotated(part * _C2 & _MASK, 33) * _C1 & _MASK


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _MASK


def _finished(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33


def _signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - 0x1_0000_0000 if value & 0x8000_0000 else value
