"""Bodies that Java wrote become the Python values they stand for, and are written back the same."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pocketmq.client.codecs import (
    HessianCodec,
    JavaByte,
    JavaChar,
    JavaCodec,
    JavaEnum,
    JavaFloat,
    JavaObject,
    JavaShort,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "bodies" / "samples.txt"
SAMPLES = [line.split() for line in GOLDEN.read_text().splitlines()]
CODECS: dict[str, Any] = {"java": JavaCodec(), "hessian": HessianCodec()}

UTC = dt.timezone.utc
NEW = JavaEnum("Bodies$State", "NEW")
MAP = {2: ["a", "b"], "one": 1}
MINUTES = dt.datetime(2023, 11, 14, 22, 14, tzinfo=UTC)
MILLIS = dt.datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)

EDGES = (2**63 - 1, -(2**63))

EXPECTED: dict[str, Any] = {
    "null": None,
    "true": True,
    "string": "hello, wörld ✓ 😀",
    "nul": "a\0b",
    "int": 42,
    "ints": [0, -16, 47, 48, -17, 2047, -2048, 2048, 262143, -262144, 262144, -(2**31), 2**31 - 1],
    "longs": [0, -8, 15, 16, -2048, 2047, 2048, 262143, -262144, 262144, -(2**31), *EDGES],
    "doubles": [0.0, 1.0, -1.0, 127.0, -128.0, 128.0, 32767.0, -32768.0, 12.25, 0.1, 1e300, 0.0],
    "byte": JavaByte(-5),
    "short": JavaShort(300),
    "float": JavaFloat(0.5),
    "char": JavaChar("é"),
    "bytes": b"\x00\x01\xff",
    "date": MILLIS,
    "date-of-minutes": MINUTES,
    "list": ["a", 1, None, "a", [2]],
    "linked-list": ["a", "b"],
    "long-list": ["x"] * 20,
    "map": MAP,
    "linked-map": MAP,
    "tree-map": {"k": "v"},
    "set": {"x", "y"},
    "linked-set": {"x", "y"},
    "tree-set": {"x", "y"},
    "int-array": [1, -2, 3],
    "long-array": [1, -2],
    "double-array": [1.5],
    "string-array": ["a", None, "b"],
    "object-array": ["a", 1],
    "nested-array": [[1], [2, 3]],
    "big-decimal": Decimal("-12.340"),
    "java-only-big-integer": -(2**100),
    "java-only-big-integer-zero": 0,
    "java-only-uuid": uuid.UUID("123e4567-e89b-12d3-a456-426614174000"),
    "java-only-instant": dt.datetime(2023, 11, 14, 22, 13, 20, 5, tzinfo=UTC),
    "java-only-local-date": dt.date(2026, 11, 21),
    "java-only-local-date-time": dt.datetime(2026, 11, 21, 12, 30),
    "java-only-local-time": dt.time(12, 0, 5, 7),
    "java-only-duration": dt.timedelta(seconds=1.5),
    "java-only-list-of": [1, 2],
    "java-only-map-of": {"a": 1},
    "java-only-as-list": ["a", "b"],
    "java-only-unmodifiable": [1],
    "java-only-singleton-map": {"a": 1},
    "java-only-empty-list": [],
    "java-only-deque": [1, 2],
    "java-only-priority-queue": [1, 2],
    "java-only-vector": [1, 2],
    "java-only-concurrent-map": {"a": 1},
    "java-only-enum-set": {NEW},
    "java-only-enum-map": {NEW: 1},
    "java-only-class": JavaObject("java.lang.Class", {"name": "java.lang.String"}),
    "java-only-timestamp": MILLIS,
}
# Values of a class, or with a capacity, that a plain value of Python does not remember; and of a
# negative zero Java's Hessian loses the sign.
OTHER_CLASSES = {"linked-list", "linked-map", "tree-map", "linked-set", "tree-set", "map"}
NOT_THE_SAME_BYTES = {
    "java": OTHER_CLASSES | {"big-decimal"},
    "hessian": OTHER_CLASSES | {"circle-of-beans"},
}


@pytest.mark.parametrize(
    ("form", "name", "data"),
    [sample for sample in SAMPLES if sample[1] in EXPECTED],
    ids=[f"{s[0]}-{s[1]}" for s in SAMPLES if s[1] in EXPECTED],
)
def test_what_java_wrote_is_read(form: str, name: str, data: str) -> None:
    found = CODECS[form].decode(bytes.fromhex(data))
    assert found == EXPECTED[name]
    if (form, name) != ("hessian", "char"):  # Hessian has no characters, only texts
        assert type(found) is type(EXPECTED[name])


@pytest.mark.parametrize(
    ("form", "name", "data"),
    [
        sample
        for sample in SAMPLES
        if not sample[1].startswith("java-only")
        and "array" not in sample[1]
        and "set" not in sample[1]
        and sample[1] not in NOT_THE_SAME_BYTES[sample[0]]
    ],
    ids=lambda text: text[:20],
)
def test_what_was_read_is_written_as_java_wrote_it(form: str, name: str, data: str) -> None:
    codec = CODECS[form]
    found = codec.decode(bytes.fromhex(data))
    assert codec.encode(found).hex() == data


@pytest.mark.parametrize("form", ["java", "hessian"])
def test_beans_in_a_circle_are_read_with_all_their_fields(form: str) -> None:
    data = next(bytes.fromhex(s[2]) for s in SAMPLES if s[:2] == [form, "circle-of-beans"])
    order = CODECS[form].decode(data)
    assert order.class_name == "Bodies$Order"
    assert order["items"][0]["order"] is order
    assert order["items"][0]["name"] == "pen"
    plain = {k: v for k, v in order.items() if k not in ("items", "state", "numbers", "words")}
    assert plain == {
        "version": 3,
        "note": "old",
        "count": 5,
        "id": 2**40,
        "letter": "é",
        "medium": -300,
        "paid": True,
        "ratio": 0.5,
        "small": -1,
        "total": 12.25,
        "boxed": 9,
        "text": "größe",
    }
    assert order["numbers"] == [1, 2, 3]
    assert order["words"] == ["a", None]
    assert "Order" in repr(order)
    assert "hidden" not in order


def test_an_enum_of_hessian_is_an_object_with_a_name() -> None:
    data = next(bytes.fromhex(s[2]) for s in SAMPLES if s[:2] == ["hessian", "enum"])
    assert HessianCodec().decode(data) == JavaObject("Bodies$State", {"name": "NEW"})
    data = next(bytes.fromhex(s[2]) for s in SAMPLES if s[:2] == ["java", "enum"])
    assert JavaCodec().decode(data) == NEW
