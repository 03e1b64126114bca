"""When a load at a steady rate sends."""

from __future__ import annotations

import pytest

from pocketmq.admin.benchmarks import pace
from pocketmq.clock import ManualClock


async def test_time_before_the_first_message_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    monkeypatch.setattr(pace, "CLOCK", clock)
    turns = pace.Pace(per_second=200)
    clock.advance(seconds=10)
    first = clock.monotonic()
    assert await turns.turn() == first


async def test_a_moment_that_was_missed_comes_at_once_and_counts_from_when_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(pace, "CLOCK", clock)
    turns = pace.Pace(per_second=200)
    first = await turns.turn()
    clock.advance(seconds=1)
    assert [await turns.turn() - first for _ in range(3)] == pytest.approx([0.005, 0.010, 0.015])
