"""The two header encodings."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.errors import MalformedHeader
from pocketmq.protocol.command import JSON, ROCKETMQ
from pocketmq.protocol.headers import (
    JSON_HEADER_BYTES_MAX,
    LANGUAGES,
    Head,
    decode_header,
    encode_binary,
    encode_json,
)

int32s = st.integers(-(2**31), 2**31 - 1)
int16s = st.integers(-(2**15), 2**15 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
filled = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
languages = st.one_of(st.none(), st.integers(0, len(LANGUAGES) - 1))


@given(
    st.tuples(
        int32s,
        languages,
        int32s,
        int32s,
        int32s,
        st.one_of(st.none(), texts),
        st.dictionaries(texts, texts, max_size=5),
    )
)
def test_a_json_header_comes_back_as_it_was_written(head: Head) -> None:
    data = encode_json(head)
    assert decode_header(data, JSON) == head
    document = json.loads(data)
    assert list(document) == sorted(document)
    assert b" " not in data or any(
        " " in text for text in (head[5] or "", *head[6], *head[6].values())
    )


@given(
    st.tuples(
        int16s,
        st.integers(0, len(LANGUAGES) - 1),
        int16s,
        int32s,
        int32s,
        st.one_of(st.none(), filled),
        st.dictionaries(filled, filled, max_size=5),
    )
)
def test_a_binary_header_comes_back_as_it_was_written(head: Head) -> None:
    assert decode_header(encode_binary(head), ROCKETMQ) == head


def test_a_minimal_json_header_is_written_as_java_writes_it() -> None:
    written = encode_json((34, 0, 0, 0, 0, None, {}))
    assert written == (
        b'{"code":34,"flag":0,"language":"JAVA","opaque":0,"serializeTypeCurrentRPC":"JSON",'
        b'"version":0}'
    )


def test_a_binary_header_is_written_as_java_writes_it() -> None:
    written = encode_binary((310, 0, 475, 9, 0, None, {"a": "pg"}))
    assert written == bytes.fromhex(
        "0136 00 01db 00000009 00000000 00000000 00000009 0001 61 00000002 7067"
    )


def test_a_binary_header_cuts_codes_to_16_bits_as_apache_does() -> None:
    for code, seen in ((200050, 3442), (200051, 3443), (-1000, -1000), (40000, -25536)):
        assert decode_header(encode_binary((code, 0, 0, 0, 0, None, {})), ROCKETMQ)[0] == seen


def test_empty_texts_of_a_binary_header_are_absent() -> None:
    head = (10, 0, 479, 1, 0, "", {"a": "", "b": "x"})
    assert decode_header(encode_binary(head), ROCKETMQ) == (10, 0, 479, 1, 0, None, {"b": "x"})


def test_the_last_of_two_equal_binary_keys_counts() -> None:
    once = encode_binary((10, 0, 479, 1, 0, None, {"a": "1"}))
    entry = bytes.fromhex("0001 61 00000001 32")
    twice = once[:17] + struct.pack(">i", 16) + once[21:] + entry
    assert decode_header(twice, ROCKETMQ)[6] == {"a": "2"}


@pytest.mark.parametrize(
    ("text", "code", "fields"),
    [
        pytest.param('{"code":"11","opaque":"5"}', 11, {}, id="numbers as texts"),
        pytest.param('{"code":11,"extFields":null}', 11, {}, id="null fields"),
        pytest.param('{"code":11,"more":[1,{}]}', 11, {}, id="unknown keys"),
        pytest.param('{code:11,\'extFields\':{"a":"b",},}', 11, {"a": "b"}, id="loose syntax"),
        pytest.param(
            '{"code":10,"extFields":{"n":3,"t":true,"f":1.5,"z":null,"o":{"a":[1]}}}',
            10,
            {"n": "3", "t": "true", "f": "1.5", "o": '{"a":[1]}'},
            id="fields that are no texts",
        ),
        pytest.param("{}", 0, {}, id="nothing at all"),
    ],
)
def test_a_json_header_is_read_as_leniently_as_apache_reads_it(
    text: str, code: int, fields: dict[str, str]
) -> None:
    head = decode_header(text.encode(), JSON)
    assert (head[0], head[6]) == (code, fields)


@pytest.mark.parametrize(
    ("language", "number"),
    [('"GO"', 9), ("9", 9), ('"KLINGON"', None), ("99", None), ("null", None), ("true", None)],
)
def test_a_language_is_a_name_or_a_number_or_unknown(language: str, number: int | None) -> None:
    assert decode_header(f'{{"code":1,"language":{language}}}'.encode(), JSON)[1] == number


def test_half_of_a_surrogate_pair_survives_a_json_header() -> None:
    head = decode_header(b'{"code":1,"extFields":{"topic":"\\ud800"}}', JSON)
    assert head[6] == {"topic": "\ud800"}
    written = encode_json((1, 0, 0, 0, 1, "no topic \ud800", {}))
    assert b"no topic" in written


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b'{"code":1}x',
        b'{"code":"eleven"}',
        b'{"code":[]}',
        b'{"code":1e999}',
        b'{"code":99999999999}',
        b'{"opaque":99999999999}',
        b'{"code":1,"remark":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_header_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedHeader):
        decode_header(data, JSON)


def test_a_binary_header_cut_anywhere_is_refused_or_lacks_only_fields() -> None:
    whole = encode_binary((310, 0, 479, 9, 0, "remark", {"a": "pg", "b": "topic"}))
    for size in range(len(whole)):
        with pytest.raises(MalformedHeader):
            decode_header(whole[:size], ROCKETMQ)


@pytest.mark.parametrize(
    ("position", "value"),
    [(13, 2**31 - 1), (13, -1), (17, 2**31 - 1), (17, -1)],
)
def test_a_binary_header_with_wrong_lengths_is_refused(position: int, value: int) -> None:
    whole = bytearray(encode_binary((310, 0, 479, 9, 0, None, {"a": "pg"})))
    struct.pack_into(">i", whole, position, value)
    with pytest.raises(MalformedHeader):
        decode_header(bytes(whole), ROCKETMQ)


@given(st.binary(max_size=80), st.sampled_from([JSON, ROCKETMQ]))
def test_any_bytes_are_a_header_or_refused(data: bytes, serialization: int) -> None:
    try:
        code, *_, fields = decode_header(data, serialization)
    except MalformedHeader as refused:
        assert str(refused), "it says what is wrong"
    else:
        assert isinstance(code, int)
        assert all(isinstance(text, str) for field in fields.items() for text in field)


def test_a_json_header_that_is_too_long_is_refused_before_it_is_read() -> None:
    text = b'{"code":34,"opaque":7}' + b" " * JSON_HEADER_BYTES_MAX
    with pytest.raises(MalformedHeader, match="too long"):
        decode_header(text, JSON)
    assert decode_header(text[:JSON_HEADER_BYTES_MAX], JSON)[0] == 34
