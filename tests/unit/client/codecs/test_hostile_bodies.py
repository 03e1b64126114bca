"""Bodies made to hurt are refused, quickly, with a reason; nothing else than that comes out."""

from __future__ import annotations

import random
import struct
import time
from typing import Any

import pytest
from tests.unit.client.codecs.test_golden_bodies import CODECS, SAMPLES

from pocketmq.client.codecs import DecodeLimits, HessianCodec, JavaCodec, JsonCodec
from pocketmq.errors import BodyUndecodable

MAGIC = b"\xac\xed\x00\x05"
LIST = b"sr\x00\x13java.util.ArrayList\x78\x81\xd2\x1d\x99\xc7\x61\x9d\x03\x00\x01I\x00\x04sizexp"


def java_list(items: bytes, first: bool, class_handle: int = 0) -> bytes:
    """An ArrayList of two items; the first one in a stream describes the class."""
    head = LIST if first else b"sq" + struct.pack(">I", 0x7E0000 + class_handle)
    return head + struct.pack(">i", 2) + b"w\x04" + struct.pack(">i", 2) + items + b"x"


def bomb(levels: int) -> bytes:
    """A list of a list and a reference to it, and so on: 2 to the power of `levels` values."""
    # Handles: 0 the class, 1 the outermost list, 2 the next, and so on.
    data = b"pp"
    for level in range(levels, 0, -1):
        inner = java_list(data, first=False) if level < levels else java_list(b"pp", False)
        data = inner + b"q" + struct.pack(">I", 0x7E0001 + level)
    return MAGIC + java_list(data, first=True)


def test_a_bomb_of_references_costs_what_it_would_unfold_to() -> None:
    found = JavaCodec().decode(bomb(8))
    assert found[0] is found[1]
    started = time.monotonic()
    with pytest.raises(BodyUndecodable, match="more than 1000000 values"):
        JavaCodec().decode(bomb(60))
    assert time.monotonic() - started < 2


def test_a_bomb_in_hessian_is_refused() -> None:
    with pytest.raises(BodyUndecodable, match="contains itself"):
        HessianCodec().decode(b"\x79Q\x90")
    data = b"\x78"
    for number in range(60, 0, -1):
        data = b"\x7a" + data + b"QI" + struct.pack(">i", number + 1)
    with pytest.raises(BodyUndecodable, match="more than 1000000 values"):
        HessianCodec().decode(b"\x7a" + data + b"N")


def test_depth_is_bounded() -> None:
    with pytest.raises(BodyUndecodable, match="deeper than 100"):
        HessianCodec().decode(b"\x79" * 5000 + b"N")
    deep = b"[" * 200_000 + b"]" * 200_000
    with pytest.raises(BodyUndecodable):
        JsonCodec().decode(deep)
    arrays = MAGIC + (b"ur\x00\x02[[" + bytes(8) + b"\x02\x00\x00xp\x00\x00\x00\x01") * 5000
    with pytest.raises(BodyUndecodable, match="deeper than 100"):
        JavaCodec().decode(arrays)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        MAGIC,
        MAGIC + b"t\xff\xffabc",
        MAGIC + b"|" + b"\x7f" * 8,
        MAGIC + b"ur\x00\x02[I" + bytes(8) + b"\x02\x00\x00xp\x7f\xff\xff\xff",
        MAGIC + b"ur\x00\x02[I" + bytes(8) + b"\x02\x00\x00xp\xff\xff\xff\xff",
        MAGIC + b"q\x00\x7e\x00\x00",
        MAGIC + b"w\x04abcd",
        MAGIC + b"pp",
        MAGIC + b"\x7d\x00\x00\x00\x01\x00\x01axp",
        MAGIC + b"sr\x00\x01A" + bytes(8) + b"\x04\x00\x00xp",
        MAGIC + b"sr\x00\x01A" + bytes(8) + b"\x00\x00\x00xp",
    ],
    ids=range(13),
)
def test_bad_java_streams_are_refused(data: bytes) -> None:
    with pytest.raises(BodyUndecodable):
        JavaCodec().decode(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"@", b"I\x00", b"\x05ab", b"X\xd7\xff\xff", b"Q\x90", b"`", b"NN", b"C\x01a\x91\x90`",
     b"p\x90", b"\x05\xff\xff\xff\xff\xff", b"H\x78", b"\x30"],
    ids=range(13),
)  # fmt: skip
def test_bad_hessian_is_refused(data: bytes) -> None:
    with pytest.raises(BodyUndecodable):
        HessianCodec().decode(data)


def test_a_body_that_is_too_large_is_refused_unread() -> None:
    codec = HessianCodec(DecodeLimits(body_bytes_max=10))
    with pytest.raises(BodyUndecodable, match="11 bytes"):
        codec.decode(b"N" * 11)


def test_keys_that_collide_are_refused() -> None:
    prime = 2**61 - 1  # numbers that differ by it have the same hash
    from pocketmq.client.codecs.java_builtins import as_map, as_set

    keys = [prime * n for n in range(1, 200)]
    with pytest.raises(ValueError, match="same hash"):
        as_set(keys)
    with pytest.raises(ValueError, match="same hash"):
        as_map([(key, 1) for key in keys])


def test_elements_that_cannot_be_hashed_make_a_list() -> None:
    codec = JavaCodec()
    pairs = codec.decode(
        codec.encode({"a": 1}).replace(b"t\x00\x01a", LIST + bytes(4) + b"w\x04" + bytes(4) + b"x")
    )
    assert pairs == [([], 1)]


@pytest.mark.parametrize("form", ["java", "hessian"])
def test_damaged_samples_give_a_value_or_a_reason(form: str) -> None:
    chance = random.Random(7)
    codec: Any = CODECS[form]
    samples = [bytes.fromhex(sample[2]) for sample in SAMPLES if sample[0] == form]
    refused = 0
    for _ in range(6000):
        data = bytearray(chance.choice(samples))
        for _ in range(chance.randrange(1, 4)):
            where = chance.randrange(len(data) + 1)
            kind = chance.randrange(3)
            if kind == 0:
                data[where : where + 1] = bytes([chance.randrange(256)])
            elif kind == 1:
                del data[where : where + chance.randrange(1, 5)]
            else:
                data[where:where] = chance.choice(samples)[: chance.randrange(20)]
        try:
            repr(codec.decode(bytes(data)))
        except BodyUndecodable as error:
            assert str(error)
            refused += 1
    assert refused > 1000
