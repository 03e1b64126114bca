"""SQL92 filters: what is taken, what is refused and where, and what a message has to be."""

from __future__ import annotations

import pytest

from pocketmq.errors import SubscriptionInvalid
from pocketmq.filtering.sql import compile_sql
from pocketmq.filtering.sql.filters import stretch_values, stretch_values_plain
from pocketmq.message.properties import encode_properties

MESSAGE = {
    "a": "7",
    "b": "eu-west",
    "c": "2.5",
    "t": "TRUE",
    "big": "3000000000",
    "x": "seven",
    "nan": "NaN",
}


def wanted(expression: str, **changes: str) -> bool:
    return compile_sql(expression).matches(encode_properties(MESSAGE | changes).encode())


@pytest.mark.parametrize(
    "expression",
    [
        "a = 7",
        "a = '7'",
        "a <> 8",
        "a > 6 AND a >= 7 AND a < 8 AND a <= 7",
        "7 = a",
        "6 < a",
        "c > 2.4 AND c < 2.6",
        "c = 2.5",
        "a = 7.0",
        "a between 1 and 10",
        "a not between 8 and 10",
        "a BETWEEN -5 AND 5 OR a > +6",
        "b IN ('eu-west', 'x')",
        "b NOT IN ('q')",
        "b CONTAINS '-' AND b STARTSWITH 'eu' AND b ENDSWITH 'west'",
        "b NOT CONTAINS 'q' AND b NOT STARTSWITH 'q' AND b NOT ENDSWITH 'q'",
        "missing IS NULL AND a IS NOT NULL",
        "t = TRUE",
        "x = 'it''s' OR x = 'seven'",
        "NOT (a = 8)",
        "a = 7 -- a comment\n AND /* another * one */ a = 7",
        "big > 2999999999L",
        "big = 3000000000",
        "TRUE",
        "NULL IS NULL",
        "a > c",
        "nan > 5.5",
    ],
)
def test_a_message_that_suits_is_wanted(expression: str) -> None:
    assert wanted(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "a = 8",
        "missing = 1",
        "missing <> 1",
        "NOT (missing = 1)",
        "missing > 1 OR missing < 2",
        "missing IN ('x')",
        "missing NOT IN ('x')",
        "missing NOT CONTAINS 'x'",
        "b CONTAINS ''",
        "b NOT CONTAINS ''",
        "x > 5",
        "x > b",
        "big > 5",
        "-a < 0",
        "a",
        "NOT missing",
        "FALSE",
        "NULL",
        "TRUE = t",
        "NOT a = 7",
        "c > 2",
    ],
)
def test_a_message_that_does_not_suit_is_not_wanted(expression: str) -> None:
    assert not wanted(expression)


def test_a_value_that_is_no_number_ends_the_evaluation() -> None:
    assert not wanted("x > 5 OR a = 7")
    assert wanted("a = 7 OR x > 5")


def test_a_property_missing_on_the_right_makes_an_equality_false_and_not_unknown() -> None:
    assert wanted("a <> missing")
    assert wanted("missing = missing")
    assert not wanted("missing <> a")


@pytest.mark.parametrize("expression", ["a = 7 whatever follows", "(a = 7) LIKE 'x", "a = 7)"])
def test_what_follows_a_complete_expression_is_ignored(expression: str) -> None:
    assert wanted(expression)


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 1),
        ("a", None),
        ("a >", 4),
        ("a = 'x", 5),
        ("a != 1", 3),
        ("a ! b", 3),
        ("a > 'x'", 3),
        ("a > TRUE", 3),
        ("a = NULL", 3),
        ("TRUE = 1", 6),
        ("a BETWEEN 5 AND 1", 3),
        ("a BETWEEN 'a' AND 'b'", 3),
        ("a IN (1)", 7),
        ("a IN ()", 7),
        ("1 IN ('x')", 3),
        ("a = 0.0", 5),
        ("a = 99999999999999999999", 5),
        ("a = 1e999", 5),
        ("a IS 5", 6),
        ("a NOT b", 7),
        ("5", 1),
        ("5 AND a = 1", 1),
        ("a = 1 AND 'x'", 11),
        ("(a = 1", 7),
        ("a CONTAINS b", 12),
        ("a > 5 > 3", 7),
        ("(" * 5000 + "a" + ")" * 5000, 61),
        ("- " * 5000 + "1 = 1", 121),
    ],
)
def test_an_expression_that_is_refused_says_where(expression: str, position: int | None) -> None:
    if position is None:
        compile_sql(expression)
        return
    with pytest.raises(SubscriptionInvalid, match=f"at character {position}:"):
        compile_sql(expression)


def test_a_long_chain_is_no_deep_one() -> None:
    assert wanted(" OR ".join(["a = 1"] * 5000 + ["a = 7"]))


def test_the_last_of_two_properties_with_one_name_counts_and_empty_ones_do_not() -> None:
    both = compile_sql("a = 'new'")
    assert both.matches(b"a\x01old\x02a\x01new\x02")
    assert both.matches(b"a\x01new\x02a\x01\x02")
    assert not both.matches(b"aa\x01new\x02b\x01a\x01new")
    assert both.matches(b"b\x01x\x02a\x01new")


def test_one_expression_is_compiled_once() -> None:
    assert compile_sql("a = 1") is compile_sql("a = 1")


def _record(properties: bytes, *, wide: bool = False, topic: str = "T") -> bytes:
    host = bytes(20 if wide else 8)
    flags = 0x30 if wide else 0
    body = b"body"
    head = b"\xda\xa3\x20\xa7" + bytes(28) + flags.to_bytes(4, "big") + bytes(8)
    tail = host + bytes(8) + host + bytes(12) + len(body).to_bytes(4, "big") + body
    name = topic.encode()
    rest = head + tail + bytes([len(name)]) + name + len(properties).to_bytes(2, "big") + properties
    return (len(rest) + 4).to_bytes(4, "big") + rest


def test_both_readers_of_properties_find_the_same() -> None:
    strings = [
        b"",
        b"a\x01new",
        b"a\x01old\x02a\x01new\x02",
        b"a\x01new\x02a\x01\x02",
        b"aa\x01x\x02b\x01a\x01y\x02\x01z\x02a",
        "a\x01größe\x02b\x01".encode() + b"\xff\x02",
    ]
    stretch = b"".join(_record(text, wide=bool(n % 2)) for n, text in enumerate(strings))
    names = (b"a", b"b", b"missing")
    plain = stretch_values_plain(stretch, names)
    assert len(plain) == len(strings)
    assert stretch_values(memoryview(stretch), names) == plain
    assert [values[0] for _, values in plain] == [None, "new", "new", "new", None, "größe"]


def test_records_are_chosen_by_their_properties() -> None:
    stretch = memoryview(_record(b"a\x017") + _record(b"a\x018") + _record(b"a\x01x"))
    sizes = compile_sql("a > 7").choose(stretch)
    assert [size > 0 for size in sizes] == [False, True, False]
    assert sum(map(abs, sizes)) == len(stretch)
