"""What the API reads from queries and bodies, and how it describes that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from pocketmq.console.problems import Problem
from pocketmq.console.shapes import field_of, plain, read


@dataclass(frozen=True, slots=True)
class Inner:
    n: int = field_of(doc="A number.", minimum=1)


@dataclass(frozen=True, slots=True)
class Form:
    name: str = field_of(doc="A name.", chars_max=5)
    count: int = field_of(3, "How many.", minimum=0, maximum=9)
    fast: bool = field_of(False)
    way: Literal["up", "down"] = field_of("up")
    note: str | None = field_of(None)
    tags: tuple[str, ...] = field_of(())
    inner: Inner | None = field_of(None)
    properties: dict[str, str] = field_of({})


def test_a_form_is_read_with_its_defaults() -> None:
    assert read(Form, {"name": "a"}) == Form("a")
    given: dict[str, Any] = {
        "name": "a",
        "count": 0,
        "fast": True,
        "way": "down",
        "note": "x",
        "tags": ["b"],
        "inner": {"n": 2},
        "properties": {"k": "v"},
    }
    form = read(Form, given)
    assert form == Form("a", 0, True, "down", "x", ("b",), Inner(2), {"k": "v"})
    assert plain(form) == given


def test_a_query_is_read_from_texts() -> None:
    form = read(Form, {"name": "a", "count": "7", "fast": "true", "note": ""}, texts=True)
    assert (form.count, form.fast, form.note) == (7, True, None)


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        ({}, "name"),
        ({"name": "a", "nmae": "b"}, "nmae"),
        ({"name": 1}, "name"),
        ({"name": "toolong"}, "name"),
        ({"name": "a", "count": 10}, "count"),
        ({"name": "a", "count": True}, "count"),
        ({"name": "a", "count": 1.5}, "count"),
        ({"name": "a", "count": "1"}, "count"),
        ({"name": "a", "fast": "true"}, "fast"),
        ({"name": "a", "way": "left"}, "way"),
        ({"name": "a", "way": []}, "way"),
        ({"name": "a", "tags": "b"}, "tags"),
        ({"name": "a", "tags": [1]}, "tags"),
        ({"name": "a", "inner": {"n": 0}}, "n"),
        ({"name": "a", "properties": {"k": None}}, "properties.k"),
    ],
)
def test_what_does_not_fit_is_named(tree: object, field: str) -> None:
    with pytest.raises(Problem) as refused:
        read(Form, tree)
    assert (refused.value.status, refused.value.details["field"]) == (400, field)


@pytest.mark.parametrize("text", ["", "x", "-", "1e3", "٣", "9" * 40, "+1"])
def test_numbers_of_queries_are_plain_digits(text: str) -> None:
    with pytest.raises(Problem):
        read(Form, {"name": "a", "count": text}, texts=True)
