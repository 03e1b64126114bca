"""The loop that services are made of."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.support.waiting import until

from pocketmq.broker.services.loop import Loop
from pocketmq.clock import ManualClock
from pocketmq.errors import StoreFull


async def test_a_step_runs_again_and_again_until_it_is_stopped() -> None:
    steps: list[int] = []
    loop = Loop("ticking", 1, lambda: steps.append(1))
    loop.start()
    await until(lambda: len(steps) >= 3)
    await loop.stop()
    done = len(steps)
    await asyncio.sleep(0)
    assert len(steps) == done


async def test_waking_runs_a_step_at_once() -> None:
    steps: list[int] = []
    loop = Loop("sleeping", 3_600_000, lambda: steps.append(1))
    loop.start()
    loop.wake()
    await until(lambda: steps)
    await loop.stop()
    assert steps == [1], "once for one call"


async def test_a_wake_during_a_step_is_not_lost() -> None:
    steps: list[int] = []
    gate = asyncio.Event()

    async def step() -> None:
        steps.append(1)
        await gate.wait()

    loop = Loop("busy", 3_600_000, step)
    loop.start()
    loop.wake()
    await until(lambda: len(steps) == 1)
    loop.wake()
    gate.set()
    await until(lambda: len(steps) >= 2)
    await loop.stop()
    assert steps == [1, 1]


async def test_stopping_waits_for_the_step_under_way() -> None:
    begun, gate, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step() -> None:
        begun.set()
        await gate.wait()
        ended.set()

    loop = Loop("slow", 3_600_000, step)
    loop.start()
    loop.wake()
    await begun.wait()
    stopping = asyncio.ensure_future(loop.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    gate.set()
    await stopping
    assert ended.is_set()


async def test_a_failing_step_is_logged_once_per_reason_and_when_it_recovers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes: list[Exception | None] = [OSError("a"), OSError("a"), OSError("b"), None]
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        outcome = outcomes[min(done, len(outcomes)) - 1]
        if outcome is not None:
            raise outcome

    loop = Loop("failing", 1, step)
    with caplog.at_level(logging.INFO, "pocketmq.broker.services.loop"):
        loop.start()
        await until(lambda: done >= 4 and loop.problem is None)
        await loop.stop()
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "ERROR", "INFO"]


async def test_a_full_disk_is_one_line_of_log_that_names_the_cure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def step() -> None:
        raise StoreFull("topics.json", "No space left on device")

    loop = Loop("saving", 1, step)
    loop.start()
    await until(lambda: loop.problem)
    await loop.stop()
    (record,) = caplog.records
    assert "name=saving reason=no room on the disk for topics.json" in record.getMessage()
    assert "free space" in record.getMessage()
    assert record.exc_info is None


async def test_a_loop_on_a_clock_runs_when_the_clock_passes_the_end_of_its_interval() -> None:
    steps: list[int] = []
    clock = ManualClock()
    loop = Loop("hourly", 3_600_000, lambda: steps.append(1), clock)
    loop.start()
    await until(lambda: loop.due_in_ms == 3_600_000)
    clock.advance(seconds=3599)
    await asyncio.sleep(0)
    assert (steps, loop.due_in_ms) == ([], 1000)
    clock.advance(seconds=1)
    await until(lambda: steps == [1] and loop.due_in_ms == 3_600_000)
    await loop.stop()
    clock.advance(hours=2)
    assert steps == [1]
