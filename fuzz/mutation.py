"""Random damage to bytes, of the kinds that parsers get wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

TOKENS = (
    b'"extFields":{',
    b'"code":',
    b'"body"',
    b'"$ref":"$.a"',
    b"null",
    b"1e999",
    b"-",
    b"\\u",
    b"\\ud800",
    b"'",
    b"/*",
    b"//",
    b"{{",
    b"}:",
    b"[[[[[[[[",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"99999999999999999999",
    b"2147483648",
)
NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    2**24,
    2**31 - 1,
    2**32 - 1,
)
INPUT_BYTES_MAX = 64 * 1024


def mutate(random_source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` after one to six random changes, one of which may be a piece of another input."""
    changed = bytearray(data)
    for _ in range(random_source.randint(1, 6)):
        random_source.choice(_CHANGES)(random_source, changed, others)
    return bytes(changed[:INPUT_BYTES_MAX])


def _place(source: random.Random, data: bytearray) -> int:
    return source.randrange(len(data) + 1)


def _span(source: random.Random, data: bytearray) -> tuple[int, int]:
    start = _place(source, data)
    return start, min(len(data), start + source.choice((1, 2, 4, 8, 32, 256)))


def _flip_bit(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def _set_byte(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[source.randrange(len(data))] = source.randrange(256)


def _set_number(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    width = source.choice((1, 2, 4, 8))
    start = _place(source, data)
    number = source.choice(NUMBERS) % (1 << 8 * width)
    data[start : start + width] = number.to_bytes(width, "big")


def _insert_token(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start = _place(source, data)
    data[start:start] = source.choice(TOKENS)


def _overwrite_token(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start, token = _place(source, data), source.choice(TOKENS)
    data[start : start + len(token)] = token


def _delete(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start, end = _span(source, data)
    del data[start:end]


def _repeat(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start, end = _span(source, data)
    data[start:start] = data[start:end] * source.choice((1, 2, 16))


def _truncate(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[_place(source, data) :]


def _splice(source: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = source.choice(others)
    if other:
        data[_place(source, data) :] = other[source.randrange(len(other)) :]


_CHANGES: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip_bit,
    _set_byte,
    _set_number,
    _insert_token,
    _overwrite_token,
    _delete,
    _repeat,
    _truncate,
    _splice,
)
