"""Typed headers and string maps."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.errors import MalformedField, MissingField
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.fields import I32, I64, decode_fields, encode_fields, wire
from pocketmq.protocol.requests.catalogue import HEADERS
from pocketmq.protocol.requests.offsets import SearchOffsetRequest
from pocketmq.protocol.requests.pull import PullRequest
from pocketmq.protocol.requests.send import SendRequestV2


class Sample(NamedTuple):
    """One field of each type."""

    group_name: str
    queue_id: I32
    born_at: I64
    start: Annotated[QueueOffset, wire("s")]
    is_order: bool = False
    rate: float | None = None
    limit: Annotated[I32 | None, wire("LIMIT")] = None


COMPLETE = {"groupName": "g", "queueId": "-1", "bornAt": "1700000000000", "s": "5"}


def test_a_map_becomes_a_typed_header() -> None:
    header = decode_fields(
        Sample, {**COMPLETE, "isOrder": "TRUE", "rate": "0.5", "LIMIT": "7", "unknown": "x"}
    )
    assert header == Sample("g", -1, 1700000000000, QueueOffset(5), True, 0.5, 7)


def test_absent_optional_fields_take_their_defaults() -> None:
    header = decode_fields(Sample, COMPLETE)
    assert (header.is_order, header.rate, header.limit) == (False, None, None)


def test_fields_that_are_none_are_left_out() -> None:
    header = Sample("g", 0, 0, QueueOffset(0), is_order=True)
    assert encode_fields(header) == {
        "groupName": "g",
        "queueId": "0",
        "bornAt": "0",
        "s": "0",
        "isOrder": "true",
    }


def test_a_missing_field_is_named() -> None:
    with pytest.raises(MissingField, match="`queueId` of Sample"):
        decode_fields(Sample, {"groupName": "g"})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("queueId", "one"),
        ("queueId", "2147483648"),
        ("queueId", ""),
        ("queueId", "1_000"),
        ("queueId", " 1"),
        ("queueId", "٣"),
        ("bornAt", "9223372036854775808"),
        ("s", "1" * 5000),
        ("rate", "fast"),
    ],
)
def test_a_malformed_number_is_named(key: str, text: str) -> None:
    with pytest.raises(MalformedField, match=f"`{key}` of Sample"):
        decode_fields(Sample, {**COMPLETE, key: text})


def test_only_the_word_true_is_true() -> None:
    # Apache reads the C++ client's "1" as false, and so must we.
    for text in ("1", "yes", "", "truely"):
        assert decode_fields(Sample, {**COMPLETE, "isOrder": text}).is_order is False


def test_send_letters_follow_the_protocol() -> None:
    texts = {"a": "pg", "b": "T", "c": "TBW102", "d": "4", "e": "1", "f": "0", "g": "17", "h": "0"}
    header = decode_fields(SendRequestV2, texts)
    assert (header.producer_group, header.topic, header.queue_id) == ("pg", "T", 1)
    assert encode_fields(header) == texts


def test_a_misspelt_name_stays_misspelt_on_the_wire() -> None:
    assert "proxyFrowardClientId" in encode_fields(
        PullRequest("g", "t", 0, QueueOffset(0), 1, 0, QueueOffset(0), 0, proxy_client_id="c")
    )


@pytest.mark.parametrize(("text", "upper"), [("UPPER", True), ("upper", True), ("LOWER", False)])
def test_the_boundary_type_ignores_case(text: str, upper: bool) -> None:
    assert SearchOffsetRequest("t", 0, 0, text).is_upper is upper


def _classes() -> list[type[Any]]:
    found = {cls for pair in HEADERS.values() for cls in pair if cls is not None}
    return sorted(found, key=lambda cls: str(cls.__name__))


@pytest.mark.parametrize("cls", _classes(), ids=lambda cls: str(cls.__name__))
def test_every_header_survives_its_own_map(cls: type[Any]) -> None:
    required = {name for name in cls._fields if name not in cls._field_defaults}
    header = cls(**{name: _some_value(cls, name) for name in required})
    assert decode_fields(cls, encode_fields(header)) == header


def _some_value(cls: type[Any], name: str) -> Any:
    annotation = str(cls.__annotations__[name])
    if "bool" in annotation:
        return True
    return "text" if "str" in annotation else 3


@given(st.dictionaries(st.sampled_from([*COMPLETE, "isOrder", "rate", "LIMIT"]), st.text()))
def test_any_map_gives_a_header_or_a_named_error(mapping: dict[str, str]) -> None:
    try:
        decode_fields(Sample, {**COMPLETE, **mapping})
    except MalformedField as error:
        assert error.field in mapping
