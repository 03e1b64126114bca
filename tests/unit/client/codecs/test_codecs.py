"""Values are written and read back; a topic, a property or a call chooses the codec."""

from __future__ import annotations

import datetime as dt
import doctest
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.client.codecs import (
    Codecs,
    HessianCodec,
    JavaArray,
    JavaByte,
    JavaChar,
    JavaCodec,
    JavaEnum,
    JavaLong,
    JavaObject,
    java,
    java_values,
    registry,
)
from pocketmq.client.codecs.modified_utf8 import decode_units, encode_modified, encode_units
from pocketmq.errors import BodyUndecodable, BodyUnencodable, ConfigError

UTC = dt.timezone.utc
FORMATS: list[Any] = [JavaCodec(), HessianCodec()]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False).map(lambda number: number + 0.0)
    | st.text()
    | st.binary(max_size=50)
    | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    )
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
)
keys = st.integers(-(2**63), 2**63 - 1) | st.text()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=10)
        | st.dictionaries(keys, inner, max_size=10)
        | st.sets(keys, max_size=5)
        | st.dictionaries(st.text(min_size=1), inner, max_size=3).map(
            lambda fields: JavaObject(
                "a.B", fields, types=dict.fromkeys(fields, "java.lang.Object")
            )
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("codec", FORMATS, ids=lambda codec: codec.name)
@given(value=values)
def test_a_value_comes_back_as_it_was(codec: Any, value: Any) -> None:
    assert codec.decode(codec.encode(value)) == value


@given(st.text(st.characters(), max_size=30))
def test_text_survives_both_forms(text: str) -> None:
    assert decode_units(encode_units(text)) == text
    assert decode_units(encode_modified(text)) == text
    assert 0 not in encode_modified(text)


@pytest.mark.parametrize("codec", FORMATS, ids=lambda codec: codec.name)
def test_long_texts_and_bytes_come_back(codec: Any) -> None:
    for value in ("ab😀" * 50_000, "x" + "😀" * 40_000, b"\x01" * 100_000, "y" * 1023, "y" * 1024):
        assert codec.decode(codec.encode(value)) == value


def test_java_types_are_said_with_wrappers() -> None:
    codec = JavaCodec()
    for value in (JavaLong(5), JavaByte(-1), JavaChar("x")):
        found = codec.decode(codec.encode(value))
        assert found == value
        assert type(found) is type(value)
    assert codec.decode(codec.encode(JavaArray("int", [1, 2]))) == [1, 2]
    assert codec.decode(codec.encode(JavaEnum("a.State", "NEW"))) == JavaEnum("a.State", "NEW")
    assert codec.decode(codec.encode(2**80)) == 2**80
    assert codec.decode(codec.encode(uuid.UUID(int=2**127))) == uuid.UUID(int=2**127)
    assert codec.decode(codec.encode(Decimal("1E+5"))) == Decimal("1E+5")


def test_numbers_out_of_range_are_refused_where_they_are_made() -> None:
    with pytest.raises(OverflowError, match="8 bits"):
        JavaByte(128)
    with pytest.raises(OverflowError):
        JavaLong(2**63)
    with pytest.raises(ValueError, match="UTF-16"):
        JavaChar("ab")
    with pytest.raises(BodyUnencodable):
        JavaCodec().encode(JavaArray("byte", [300]))
    with pytest.raises(BodyUnencodable, match="long"):
        HessianCodec().encode(2**63)


@pytest.mark.parametrize("codec", FORMATS, ids=lambda codec: codec.name)
def test_what_cannot_be_written_says_what_to_do(codec: Any) -> None:
    with pytest.raises(BodyUnencodable, match="dict"):
        codec.encode(object())
    with pytest.raises(BodyUnencodable, match="no Infinity"):
        codec.encode(Decimal("Infinity"))
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(BodyUnencodable, match="deeper"):
        codec.encode(deep)


def test_a_bean_is_a_dict_of_its_fields() -> None:
    bean = JavaObject("a.B", {"x": 1})
    bean["y"] = 2
    del bean["x"]
    assert dict(bean) == {"y": 2}
    assert bean == JavaObject("a.B", {"y": 2})
    assert bean != JavaObject("a.C", {"y": 2})
    assert bean != {"y": 2}


def test_an_object_that_writes_itself_is_not_written() -> None:
    bean = JavaObject("a.B")
    bean.extra = [b"x"]
    with pytest.raises(BodyUnencodable, match="method of its own"):
        JavaCodec().encode(bean)


def test_the_codec_is_chosen_by_property_then_topic_then_default() -> None:
    codecs = Codecs({"orders": "json", "legacy": "java"}, default="text")
    assert codecs.encode("orders", [1]) == (b"[1]", {})
    assert codecs.encode("other", "x") == (b"x", {})
    body, named = codecs.encode("orders", [1], codec="hessian")
    assert named == {"CONTENT_TYPE": "hessian"}
    assert codecs.decode("orders", body, named).value == [1]
    assert codecs.decode("orders", b"[1]", {}).value == [1]
    assert codecs.decode("other", b"[1]", {}).value == "[1]"
    assert codecs.decode(
        "other", b"[1]", {"CONTENT_TYPE": "application/json; charset=utf-8"}
    ).value == [1]


@pytest.mark.parametrize(
    ("codec", "body"),
    [("json", b"{"), ("text", b"\xff"), ("java", b"x"), ("hessian", b"@"), ("json", b"\xff\xfe")],
)
def test_a_body_that_cannot_be_decoded_is_handed_over_with_the_reason(
    codec: str, body: bytes
) -> None:
    found = Codecs(default=codec).decode("t", body, {})
    assert found.value == body
    assert found.codec == codec
    assert isinstance(found.problem, BodyUndecodable)


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'avro' asked for is unknown.*json"):
        Codecs(default="avro")
    found = Codecs().decode("t", b"x", {"CONTENT_TYPE": "avro"})
    assert found.value == b"x"
    assert "avro" in str(found.problem)
    # A topic whose codec is known does not depend on what a stranger's property says.
    assert Codecs({"t": "json"}).decode("t", b"1", {"CONTENT_TYPE": "avro"}).value == 1


class Reversed:
    """A codec of a user's own."""

    name = "reversed"

    def encode(self, value: Any) -> bytes:
        return bytes(value[::-1], "ascii")

    def decode(self, body: bytes) -> Any:
        if body == b"bad":
            raise RuntimeError("boom")
        return body[::-1].decode()


def test_a_codec_of_ones_own_is_plugged_in() -> None:
    codecs = Codecs({"mirror": Reversed()})
    assert codecs.encode("mirror", "abc") == (b"cba", {})
    assert codecs.encode("other", "abc", codec="reversed") == (b"cba", {"CONTENT_TYPE": "reversed"})
    assert codecs.decode("other", b"cba", {"CONTENT_TYPE": "reversed"}).value == "abc"
    broken = codecs.decode("mirror", b"bad", {})
    assert broken.value == b"bad"
    assert "boom" in str(broken.problem)
    assert Codecs(more=[Reversed()], default="reversed").encode("t", "ab") == (b"ba", {})


def test_bytes_are_sent_as_they_are_and_text_as_utf_8() -> None:
    codecs = Codecs()
    assert codecs.encode("t", b"\xff") == (b"\xff", {})
    assert codecs.encode("t", "ü") == ("ü".encode(), {})
    with pytest.raises(BodyUnencodable, match="codec='json'"):
        codecs.encode("t", {"a": 1})
    with pytest.raises(BodyUnencodable, match="JSON"):
        codecs.encode("t", {1, 2}, codec="json")
    with pytest.raises(BodyUnencodable, match="takes a str"):
        codecs.encode("t", 5, codec="text")


def test_references_are_reset_between_values_and_never_within_one() -> None:
    start, reset, text = b"\xac\xed\x00\x05", b"\x79", b"t\x00\x02ab"
    codec = JavaCodec()
    assert codec.decode(start + reset + text) == "ab"
    listed = codec.encode([7, 8])
    at = listed.index(b"w\x04\x00\x00\x00\x02") + 6
    assert codec.decode(listed) == [7, 8]
    with pytest.raises(BodyUndecodable, match="references are reset within a value"):
        codec.decode(listed[:at] + reset + listed[at:])


@pytest.mark.parametrize("module", [java, java_values, registry])
def test_the_examples_in_the_docstrings_run(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
