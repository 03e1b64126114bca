"""Apache's dialect of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.fastjson import (
    CHARS_PER_MATCH,
    LENIENT_CHARS_MAX,
    ObjectKey,
    dumps,
    dumps_plain,
    dumps_standard,
    loads,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
).filter(lambda value: "$ref" not in str(value))
MIXED_KEYS = st.dictionaries(st.integers(-9, 10**12) | TEXTS, VALUES, max_size=6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{0:"10.0.0.1:10911",1:"b"}', {"0": "10.0.0.1:10911", "1": "b"}),
        ('{\n\t"T@g":{0:3,1:4\n\t}}', {"T@g": {"0": 3, "1": 4}}),
        ("{-1:2}", {"-1": 2}),
        ('{{"queueId":0,"topic":"T"}:5}', {'{"queueId":0,"topic":"T"}': 5}),
        ('{"{\\"queueId\\":0}":5}', {'{"queueId":0}': 5}),
        ('{{"t":"}:{"}:5}', {'{"t":"}:{"}': 5}),
        ('{"a":",1:2}",2:"{3:4}"}', {"a": ",1:2}", "2": "{3:4}"}),
        ("{a:1, 'b':'it\\'s', $c:[1,2,],}", {"a": 1, "b": "it's", "$c": [1, 2]}),
        ("{/* one */ a:1, // two\n b:.5}", {"a": 1, "b": 0.5}),
        ("{a:NaN,b:undefined,c:true}", {"a": None, "b": None, "c": True}),
        ("{a:'\\u00e9\\x41\\n'}", {"a": "éA\n"}),
        ('{"a":"line\nbreak"}', {"a": "line\nbreak"}),
        ("{{a:{b:1}}:2}", {'{"a":{"b":1}}': 2}),
        ("[]", []),
        (" 7 ", 7),
    ],
)
def test_the_dialect_is_read(text: str, value: Any) -> None:
    assert loads(text) == value
    assert loads(text.encode()) == value
    assert loads(memoryview(text.encode())) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1",
        '{"a":',
        '{"a" 1}',
        "{a:b}",
        "[1 2]",
        '"open',
        "{'a':'b}",
        "{}x",
        "tru",
        "{1:}",
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(MalformedBody):
        loads(text)


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(MalformedBody, match="UTF-8"):
        loads(b'{"a":"\xff"}')


@pytest.mark.parametrize("text", ["[" * 200_000, "{a:" * 200, '{"a":' * 200_000, "{{" * 50_000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(MalformedBody):
        loads(text)


@pytest.mark.parametrize(
    "text",
    ['"\\' * 400_000, ',{"x' * 400_000, ",    " * 400_000, '{"\\"' * 400_000, "{'\\" * 400_000],
)
def test_a_long_text_that_is_no_json_is_refused_and_says_where_it_is_wrong(text: str) -> None:
    assert len(text) > LENIENT_CHARS_MAX
    with pytest.raises(MalformedBody, match=f"char .* {LENIENT_CHARS_MAX} are read leniently"):
        loads(text)


def test_only_short_texts_are_read_by_hand() -> None:
    text = "{" + ",".join([f"a{n}:'x'" for n in range(1000)]) + "}"
    assert loads(text)["a999"] == "x"
    padding = " " * LENIENT_CHARS_MAX
    with pytest.raises(MalformedBody, match="must be standard JSON"):
        loads(text + padding)


class Unread(str):
    """A text that fails the test when somebody looks into it."""

    length: int

    def __new__(cls, length: int) -> Unread:
        made = super().__new__(cls, "[")
        made.length = length
        return made

    def __len__(self) -> int:
        return self.length


def test_a_stranger_s_text_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedBody, match="8000000 bytes is too long; 1000 are allowed"):
        loads(Unread(8_000_000), 1000)
    assert loads("[" + "1," * 498 + "1 ]", 1000) == [1] * 499


def test_only_so_many_bare_keys_of_a_stranger_are_quoted() -> None:
    entries = 5000
    text = "{" + ",".join([f"{n}:0" for n in range(entries)]) + "}"
    assert len(text) > LENIENT_CHARS_MAX
    assert len(loads(text)) == len(loads(text, entries * CHARS_PER_MATCH)) == entries
    with pytest.raises(MalformedBody, match="must be standard JSON"):
        loads(text, (entries - 1) * CHARS_PER_MATCH)


@pytest.mark.parametrize("text", ["[1 2]", '{"a":b,1:2}', '{"a" 1}', "x"])
def test_keys_are_not_quoted_where_something_else_is_wrong(text: str) -> None:
    long = text + " " * LENIENT_CHARS_MAX
    with pytest.raises(MalformedBody, match="must be standard JSON"):
        loads(long)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(MalformedBody):
        loads("[" + "1" * 5000 + "]")


def test_a_reference_stands_for_what_it_names() -> None:
    text = '{"a":{"list":[{"x":1}]},"b":{"$ref":"$.a.list[0]"},"c":{"$ref":"$.a.list[7]"}}'
    value = loads(text)
    assert value["b"] == {"x": 1}
    assert value["c"] == {"$ref": "$.a.list[7]"}


def test_a_reference_to_the_whole_document_makes_no_cycle() -> None:
    assert loads('{"a":{"$ref":"$"}}') == {"a": {"$ref": "$"}}


@given(VALUES)
def test_standard_json_is_read_as_the_standard_library_does(value: Any) -> None:
    assert loads(json.dumps(value)) == value


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert loads(dumps_plain(value)) == value


@given(MIXED_KEYS)
def test_integer_keys_are_written_bare_and_read_as_text(value: dict[Any, Any]) -> None:
    assert loads(dumps(value)) == {str(key): item for key, item in value.items()}


@given(st.text(max_size=200) | st.text("{}[]:,\"\\'01ab$ /*\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        loads(text)
    except MalformedBody as error:
        assert str(error)


def test_an_object_key_is_written_as_the_object() -> None:
    assert dumps({ObjectKey('{"queueId":0}'): 5, 3: [None, True, 1.5]}) == (
        b'{{"queueId":0}:5,3:[null,true,1.5]}'
    )


def test_numbers_that_are_none_are_written_as_null() -> None:
    assert dumps([float("nan"), float("inf")]) == b"[null,null]"


def test_strict_json_is_what_a_browser_reads_exactly() -> None:
    value = {1: "ö/x", 0: 2**53, "k": [2**53 - 1, True]}
    text = dumps_standard(value)
    assert text == b'{"0":"9007199254740992","1":"\\u00f6\\/x","k":[9007199254740991,true]}'
    assert json.loads(text) == {"0": str(2**53), "1": "ö/x", "k": [2**53 - 1, True]}
