"""Why a filter wants a message or not, comparison by comparison."""

from __future__ import annotations

import doctest

import pytest

from pocketmq.admin.explain import words
from pocketmq.admin.explain.filters import compared, judge, text_of
from pocketmq.filtering.sql.parser import parse


def test_words_are_as_their_examples_say() -> None:
    assert doctest.testmod(words).failed == 0
    assert words.relative(1_000_000, 1_000_200) == "now"
    assert words.relative(5000, 65_000) == "1 minute ago"
    assert words.relative(65_000, 5000) == "in 1 minute"
    assert words.lasting(86_400_000 + 60_000) == "1 day"


@pytest.mark.parametrize(
    ("expression", "tag", "wanted", "why"),
    [
        ("*", "new", True, "it wants all messages of the topic"),
        ("new || paid", "new", True, "it wants the tag 'new' or 'paid', and the message has"),
        ("paid", "new", False, "it wants the tag 'paid', and the message has the tag 'new'"),
        ("paid", "", False, "it wants the tag 'paid', and the message has no tag"),
        ("Aa", "BB", False, "Both have the same hash, so the broker sends the message"),
    ],
)
def test_tags(expression: str, tag: str, wanted: bool, why: str) -> None:
    judgement = judge("T", expression, "TAG", {"TAGS": tag} if tag else {})
    assert judgement.is_wanted is wanted
    assert why in judgement.why


@pytest.mark.parametrize(
    ("expression", "properties", "wanted", "sentences"),
    [
        ("a > 5", {"a": "7"}, True, ["a > 5 is true, as a is '7'"]),
        ("a > 5", {}, False, ["a > 5 is unknown, as a is not set"]),
        (
            "a > 5 OR b = 'x'",
            {"a": "seven", "b": "x"},
            False,
            [
                "a > 5 cannot be computed, as a is 'seven', so the message is dropped",
                "b = 'x' is true, as b is 'x'",
            ],
        ),
        (
            "NOT (a = 'x' AND b IS NOT NULL)",
            {"a": "x"},
            True,
            ["a = 'x' is true, as a is 'x'", "b IS NOT NULL is false, as b is not set"],
        ),
        ("a BETWEEN 1 AND 5", {"a": "6"}, False, ["a >= 1 is true", "a <= 5 is false"]),
        ("a <> 'it''s'", {"a": "it's"}, False, ["a <> 'it''s' is false, as a is 'it''s'"]),
        ("a NOT IN ('y', 'x')", {"a": "x"}, False, ["a NOT IN ('x', 'y') is false"]),
        ("a CONTAINS 'b'", {"a": "abc"}, True, ["a CONTAINS 'b' is true"]),
        ("TRUE", {}, True, ["TRUE is true"]),
    ],
)
def test_sql_comparison_by_comparison(
    expression: str, properties: dict[str, str], wanted: bool, sentences: list[str]
) -> None:
    judgement = judge("T", expression, "SQL92", properties)
    assert judgement.is_wanted is wanted
    told = [one.sentence for one in judgement.comparisons]
    assert len(told) == len(sentences)
    for sentence, start in zip(told, sentences, strict=True):
        assert sentence.startswith(start)
        assert sentence in judgement.why


def test_what_cannot_be_judged_is_said() -> None:
    assert judge("T", "a >>", "SQL92", {}).is_wanted is None
    assert "cannot be understood" in judge("T", "a >>", "SQL92", {}).why
    assert "of type CLASS cannot be evaluated" in judge("T", "x", "CLASS", {}).why


@pytest.mark.parametrize(
    "expression",
    [
        "a > -5",
        "a = 'x'",
        "a IS NULL",
        "a NOT STARTSWITH 'x'",
        "NOT (a)",
        "a = TRUE",
        "(a = 'x' OR b = 'y')",
    ],
)
def test_an_expression_is_written_as_it_was(expression: str) -> None:
    assert text_of(parse(text_of(parse(expression)))) == text_of(parse(expression))


def test_the_number_of_comparisons_is_bounded() -> None:
    many = " OR ".join(f"a{number} = 1" for number in range(55))
    assert len(compared(parse(many), {})) == 50
