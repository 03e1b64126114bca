"""The clocks: who sleeps on one hears when it is moved."""

from __future__ import annotations

import pytest
from tests.support.waiting import until

from pocketmq.clock import ManualClock, SystemClock, TravellingClock


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(1000)
    assert (clock.now_ms(), clock.monotonic()) == (1000, 0)
    clock.advance(seconds=2, ms=500)
    assert (clock.now_ms(), clock.monotonic()) == (3500, 2.5)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(ms=-1)


def test_listeners_hear_of_each_advance_until_they_end_it() -> None:
    clock = ManualClock(0)
    heard: list[int] = []
    end = clock.on_advance(lambda: heard.append(clock.now_ms()))
    clock.advance(ms=5)
    end()
    clock.advance(ms=5)
    end()
    assert heard == [5]


def test_nobody_moves_the_system_clock() -> None:
    called: list[int] = []
    end = SystemClock().on_advance(lambda: called.append(1))
    end()
    assert called == []


async def test_a_travelling_clock_runs_and_can_be_moved_ahead() -> None:
    clock, system = TravellingClock(), SystemClock()
    assert clock.ahead_ms == 0
    clock.advance(hours=1)
    assert clock.ahead_ms == 3_600_000
    before = clock.now_ms()
    assert 3_600_000 <= before - system.now_ms() + 1 <= 3_601_000
    await until(lambda: clock.now_ms() > before)


async def test_a_frozen_clock_moves_only_when_told_and_runs_on_from_there() -> None:
    clock, system = TravellingClock(), SystemClock()
    clock.freeze()
    clock.freeze()
    assert clock.is_frozen is True
    assert clock.ahead_ms <= 0
    stood_at = clock.now_ms(), clock.monotonic()
    began = system.monotonic()
    await until(lambda: system.monotonic() - began > 0.02)
    assert (clock.now_ms(), clock.monotonic()) == stood_at
    clock.advance(seconds=10)
    clock.thaw()
    clock.thaw()
    assert 9_990 <= clock.now_ms() - stood_at[0] <= 11_000
    assert 9.99 <= clock.monotonic() - stood_at[1] <= 11
    at = clock.now_ms()
    await until(lambda: not clock.is_frozen and clock.now_ms() > at)
