"""The histogram of durations, against sorting all of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.admin.benchmarks import Histogram

durations = st.lists(st.integers(0, 3_600_000_000), min_size=1, max_size=200)


def _of(durations_us: list[int]) -> Histogram:
    histogram = Histogram()
    for us in durations_us:
        histogram.record((us + 0.5) / 1_000_000)
    return histogram


@given(durations, st.sampled_from((0.5, 0.9, 0.99, 1.0)))
def test_a_quantile_is_at_most_a_little_too_high(durations_us: list[int], share: float) -> None:
    histogram = _of(durations_us)
    ordered = sorted(durations_us)
    exact = ordered[max(-(-int(share * 1000) * len(ordered) // 1000) - 1, 0)]
    found = histogram.quantile_ms(share) * 1000
    assert exact <= found + 1
    assert found <= exact * 1.04 + 2


@given(durations, durations)
def test_two_histograms_add_up(first: list[int], second: list[int]) -> None:
    together = _of(first)
    together.add(_of(second))
    alone = _of(first + second)
    for name in ("count", "sum_us", "min_us", "max_us"):
        assert getattr(together, name) == getattr(alone, name)
    assert together.quantile_ms(0.9) == alone.quantile_ms(0.9)


@given(durations, st.integers(1, 20))
def test_rows_hold_all_and_are_no_more_than_asked_for(durations_us: list[int], most: int) -> None:
    rows = list(_of(durations_us).rows(most))
    assert 1 <= len(rows) <= most
    assert sum(count for _, _, count in rows) == len(durations_us)
    for (_, end, _), (start, _, _) in pairwise(rows):
        assert start == end


def test_nothing_was_counted() -> None:
    empty = Histogram()
    assert (empty.mean_ms, empty.quantile_ms(0.99), list(empty.rows(5))) == (0.0, 0.0, [])
    empty.add(Histogram())
    assert empty.count == 0


def test_a_clock_that_was_set_back_counts_as_nothing() -> None:
    histogram = _of([])
    histogram.record(-1.0)
    assert (histogram.count, histogram.max_us) == (1, 0)
    assert histogram.quantile_ms(0.5) == pytest.approx(0.0, abs=0.002)
