"""Programs decide about records as the evaluator does, or leave them to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq import _speedups
from pocketmq.filtering.sql.filters import SqlFilter
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import MAGIC_V1, MAGIC_V2, record_size, write_record

pytestmark = pytest.mark.skipif(
    not _speedups.has("filters"), reason="the leaf `filters` is not compiled, or not wanted"
)

FALSE, TRUE, UNKNOWN, UNDECIDED = range(4)
SIMPLE = [
    "a > 5", "a >= 5", "a < 100", "a <= 100", "a = 5", "a <> 5", "b = 'x'", "b <> 'x'",
    "b IN ('x', 'y')", "b NOT IN ('x', 'y')", "a IS NULL", "a IS NOT NULL", "b IS NULL",
    "a BETWEEN 5 AND 100", "a NOT BETWEEN 5 AND 100", "a > 3000000000", "b = 'größe'", "c = 0",
]  # fmt: skip
HARD = ["a > 1.5", "b CONTAINS 'x'", "a > b", "TRUE", "a = TRUE", "b STARTSWITH 'x'"]

numbers = st.integers(-200, 200).map(str) | st.sampled_from(
    ("5", "100", "+7", " 8", "1e3", "007", "-0", "4000000000", "9" * 18, "9" * 30, "1_0", "٣")
)
words = st.sampled_from(("x", "y", "z", "größe", "5", "true"))
properties = st.fixed_dictionaries({}, optional={"a": numbers | words, "b": words, "c": numbers})


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    both = st.tuples(parts, st.sampled_from(("AND", "OR")), parts)
    return both.map(lambda x: f"({x[0]}) {x[1]} ({x[2]})") | parts.map(lambda x: f"NOT ({x})")


simple = st.recursive(st.sampled_from(SIMPLE), joined, max_leaves=6)
expressions = st.recursive(st.sampled_from(SIMPLE + HARD), joined, max_leaves=4)


def record_of(held: dict[str, str], *, v6: bool = False, long_topic: bool = False) -> bytes:
    """A stored record with these properties."""
    text = encode_properties(held).encode()
    topic = b"t" * (200 if long_topic else 5)
    magic = MAGIC_V2 if long_topic else MAGIC_V1
    host = bytes(20 if v6 else 8)
    size = record_size(magic, 2 * len(host), 4, len(topic), len(text))
    target = bytearray(size + 8)
    written = write_record(
        target, 0, len(target), 0, 0, 5, magic, 0, 0, 0, 5, host, host, 0, 0, b"body", 0, topic,
        text,
    )  # fmt: skip
    return bytes(target[:written])


@given(expression=simple, held=properties, v6=st.booleans(), long_topic=st.booleans())
def test_a_program_and_the_evaluator_want_the_same_records(
    expression: str, held: dict[str, str], v6: bool, long_topic: bool
) -> None:
    chosen = SqlFilter(expression)
    assert chosen.program is not None
    record = record_of(held, v6=v6, long_topic=long_topic)
    outcome = chosen.program.outcome_of(record)
    if outcome != UNDECIDED:
        assert (outcome == TRUE) is chosen(memoryview(record))


@given(expression=expressions, held=properties)
def test_whatever_has_a_program_is_decided_alike(expression: str, held: dict[str, str]) -> None:
    chosen = SqlFilter(expression)
    record = record_of(held)
    outcome = UNDECIDED if chosen.program is None else chosen.program.outcome_of(record)
    if outcome != UNDECIDED:
        assert (outcome == TRUE) is chosen(memoryview(record))


@pytest.mark.parametrize(
    ("expression", "held", "outcome"),
    [
        ("a > 10 AND a < 1000", {"a": "150"}, TRUE),
        ("a > 10 AND a < 1000", {"a": "9"}, FALSE),
        ("a > 10 AND a < 1000", {}, UNKNOWN),
        ("a > 10 AND a < 1000", {"a": "many"}, UNDECIDED),
        ("b IN ('x') OR a > 1", {"b": "x"}, TRUE),
        ("NOT (b = 'x')", {"b": "y"}, TRUE),
        ("b = 'x'", {"b": "größe"}, UNDECIDED),
    ],
)
def test_ordinary_records_are_decided_by_the_program(
    expression: str, held: dict[str, str], outcome: int
) -> None:
    program = SqlFilter(expression).program
    assert program is not None
    assert program.outcome_of(record_of(held)) == outcome


@pytest.mark.parametrize("expression", [*HARD, " AND ".join(["a > 1"] * 80)])
def test_what_is_not_simple_or_too_long_has_no_program(expression: str) -> None:
    assert SqlFilter(expression).program is None


def test_a_record_whose_lengths_do_not_fit_is_left_to_the_evaluator() -> None:
    program = SqlFilter("a > 1").program
    assert program is not None
    record = bytearray(record_of({"a": "5"}))
    record[84 + 3] = 0xFF
    assert program.outcome_of(bytes(record)) == UNDECIDED
