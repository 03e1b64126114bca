"""What the console keeps: answers for a while, tasks, figures in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.waiting import until

from pocketmq.clock import ManualClock
from pocketmq.console.aged import Aged
from pocketmq.console.problems import Problem
from pocketmq.console.rounds import FIRST_ROUND_STEP, LATER_STEP, Round
from pocketmq.console.tasks import REMEMBERED_MAX, RUNNING_MAX, Task, Tasks
from pocketmq.errors import ConfigError, ConnectFailed


async def test_an_answer_is_found_out_once_for_all_who_wait_and_kept_a_while() -> None:
    clock = ManualClock()
    aged: Aged[int] = Aged(clock, 5, keys_max=2)
    asked: list[str] = []

    async def find() -> int:
        asked.append("now")
        await asyncio.sleep(0)
        return len(asked)

    assert await asyncio.gather(*(aged.get("a", find) for _ in range(5))) == [1] * 5
    clock.advance(seconds=4)
    assert await aged.get("a", find) == 1
    clock.advance(seconds=2)
    assert await aged.get("a", find) == 2
    aged.forget("a")
    assert await aged.get("a", find) == 3
    for key in ("b", "c"):
        await aged.get(key, find)
    assert await aged.get("a", find) == 6  # the bound let go of the oldest
    await aged.close()


async def test_an_error_is_told_to_all_who_wait_and_not_kept() -> None:
    aged: Aged[int] = Aged(ManualClock(), 5)
    turns = iter((ConfigError("first"), None))

    async def find() -> int:
        await asyncio.sleep(0)
        error = next(turns)
        if error is not None:
            raise error
        return 7

    found = await asyncio.gather(aged.get("", find), aged.get("", find), return_exceptions=True)
    assert [str(one) for one in found] == ["first", "first"]
    assert await aged.get("", find) == 7


async def test_figures_are_asked_for_in_turns() -> None:
    asked: list[str] = []
    down = {"n001"}

    async def ask(name: str) -> int:
        if name in down:
            raise ConnectFailed("it is down")
        asked.append(name)
        return len(asked)

    names = [f"n{number:03d}" for number in range(FIRST_ROUND_STEP + 5)]
    going = Round(ask)
    assert going.is_long(names)
    assert not going.is_long(names[:FIRST_ROUND_STEP])
    await going.step(names)
    assert (len(asked), going.complete) == (FIRST_ROUND_STEP - 1, False)
    await going.step(names)
    assert (len(going.known), going.complete) == (FIRST_ROUND_STEP + 4, True)
    assert going.is_long(names[: LATER_STEP + 1])
    assert not going.is_long(names[:LATER_STEP])
    asked.clear()
    down.clear()
    await going.step(names[1:])  # one is gone
    assert asked == names[1 : 1 + LATER_STEP]
    assert "n000" not in going.known
    assert "n001" in going.known


def _tasks() -> tuple[Tasks, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Tasks(ManualClock(), lambda event, data: told.append(data)), told


async def test_a_task_tells_how_far_it_is_and_how_it_ended() -> None:
    tasks, told = _tasks()

    async def work(task: Task, moved: Callable[[], None]) -> None:
        task.done, task.total = 1, 2
        moved()

    async def fails(task: Task, moved: Callable[[], None]) -> None:
        raise ConfigError("it cannot be")

    one = tasks.begin("redrive", "a", work)
    other = tasks.begin("redrive", "b", fails)
    assert (one.state, tasks.get(one.id)) == ("running", one)
    await until(lambda: one.ended_ms and other.ended_ms)
    assert (one.state, other.state, other.error) == ("done", "failed", "it cannot be")
    assert [(data["done"], data["state"]) for data in told if data["about"] == "a"] == [
        (1, "running"),
        (1, "done"),
    ]
    assert tasks.all() == [other, one]


async def test_tasks_are_few_at_a_time_and_can_be_stopped() -> None:
    tasks, _ = _tasks()

    async def forever(task: Task, moved: Callable[[], None]) -> None:
        await asyncio.Event().wait()

    running = [tasks.begin("redrive", f"{number}", forever) for number in range(RUNNING_MAX - 1)]
    with pytest.raises(Problem) as again:
        tasks.begin("redrive", "0", forever)
    assert again.value.status == 409
    running.append(tasks.begin("redrive", "last", forever))
    with pytest.raises(Problem) as too_many:
        tasks.begin("redrive", "more", forever)
    assert too_many.value.status == 429
    tasks.stop(running[0].id)  # at once, before it has begun
    await until(lambda: running[0].state == "stopped")
    await tasks.close()
    assert {task.state for task in tasks.all()} == {"stopped"}


async def test_old_tasks_are_forgotten() -> None:
    tasks, _ = _tasks()

    async def nothing(task: Task, moved: Callable[[], None]) -> None:
        return None

    for number in range(REMEMBERED_MAX + 10):
        task = tasks.begin("redrive", f"{number}", nothing)
        await until(lambda task=task: task.ended_ms)  # type: ignore[misc]
    assert len(tasks.all()) <= REMEMBERED_MAX
