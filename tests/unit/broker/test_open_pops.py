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
    monkeypatch.setattr(open_pops, "NEEDLESS_MAX", 1)
    book.acknowledged(KEY, [10], 300, 0)
    assert len(needless) == 2
    book.opened(KEY, (0,), 5000, 400)
    book.acknowledged(KEY, [10], 500, 0)
    assert len(needless) == 2, "these come back"


def test_what_is_out_is_counted_by_queue(book: OpenPops) -> None:
    book.opened(KEY, (0, 1, 2), 5000, 100)
    book.opened(("T", "g", 0, 20, 1000), (0, 4), 6000, 101)
    book.opened(("T", "g", 1, 20, 1000), (0,), 6000, 102)
    assert (book.count("T", "g", 0), book.count("T", "g", 1), book.count("T", "h", 0)) == (5, 1, 0)
    book.acknowledged(KEY, [11, 11, 99], 200, 0)
    assert book.count("T", "g", 0) == 4
    book.acknowledged(KEY, [10, 12], 201, 0)
    assert book.count("T", "g", 0) == 2
    book.passed(6001)
    assert (book.count("T", "g", 0), book.count("T", "g", 1)) == (0, 0)
