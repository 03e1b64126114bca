"""What is settled before it comes back need not come back."""

from __future__ import annotations

import pytest

from pocketmq.broker.rules.pop_records import Key
from pocketmq.broker.state import open_pops
from pocketmq.broker.state.open_pops import OpenPops

KEY: Key = ("T", "g", 0, 10, 1000)


@pytest.fixture
def needless() -> dict[int, str]:
    return {}


@pytest.fixture
def book(needless: dict[int, str]) -> OpenPops:
    return OpenPops("R", needless)


@pytest.mark.parametrize("steps", [(0, 1, 2), (0, 3, 9)])
def test_all_records_of_a_settled_pop_are_let_go(
    book: OpenPops, needless: dict[int, str], steps: tuple[int, ...]
) -> None:
    book.opened(KEY, steps, 5000, 100)
    book.acknowledged(KEY, [10, 11, 99, 5], 200, 0)
    assert not needless
    book.acknowledged(KEY, [10 + step for step in steps[1:]], 300, 0)
    assert needless == {100: "R", 200: "R", 300: "R"}
    assert len(book) == 0


def test_what_came_back_already_is_settled_where_it_came(
    book: OpenPops, needless: dict[int, str]
) -> None:
    book.opened(KEY, (0,), 5000, 100)
    book.acknowledged(KEY, [10], 200, 5000)
    assert not needless, "the timer is in the middle of this tick"
    book.opened(KEY, (0,), 5000, 100)
    book.passed(5001)
    book.acknowledged(KEY, [10], 200, 0)
    assert not needless
    assert len(book) == 0


def test_what_the_timer_never_asked_for_is_forgotten(
    book: OpenPops, needless: dict[int, str]
) -> None:
    book.opened(KEY, (0,), 5000, 100)
    book.acknowledged(KEY, [10], 200, 0)
    book.passed(10_000)
    assert len(needless) == 2
    book.passed(10_001)
    assert not needless


def test_too_many_are_not_remembered(
    book: OpenPops, needless: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_pops, "CHECK_POINTS_MAX", 1)
    book.opened(KEY, (0,), 5000, 100)
    book.opened(("T", "g", 1, 10, 1000), (0,), 5000, 101)
    assert len(book) == 1
    book.acknowledged(("T", "g", 1, 10, 1000), [10], 200, 0)
    assert not needless
