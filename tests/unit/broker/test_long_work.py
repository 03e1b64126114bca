"""Long works take turns, rest, and are refused when there are too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.long_work import RUNNING_MAX, STEP_SECONDS, LongWork
from pocketmq.clock import ManualClock
from pocketmq.errors import NotInMemory, Refused
from pocketmq.protocol.codes import ResponseCode


@pytest.fixture
async def cold_reads() -> AsyncIterator[ColdReadService]:
    service = ColdReadService()
    yield service
    service.stop()


async def test_a_work_rests_when_its_step_is_used_up(cold_reads: ColdReadService) -> None:
    clock = ManualClock()
    work = LongWork(clock, cold_reads)
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1

    task = asyncio.ensure_future(other())
    async with work.steps() as steps:
        for _ in range(10):
            await steps.pause()
        assert others == 0, "a step that is not used up goes on"
        clock.advance(seconds=STEP_SECONDS * 2)
        await steps.pause()
        assert others > 0
    task.cancel()


async def test_works_take_turns(cold_reads: ColdReadService) -> None:
    clock = ManualClock()
    work = LongWork(clock, cold_reads)
    done: list[str] = []

    async def run(name: str) -> None:
        async with work.steps() as steps:
            for _ in range(3):
                done.append(name)
                clock.advance(seconds=STEP_SECONDS * 2)
                await steps.pause()

    await asyncio.gather(run("a"), run("b"))
    assert done == ["a", "b"] * 3
    assert work.running == 0


async def test_a_work_that_fails_or_is_cancelled_leaves_its_turn(
    cold_reads: ColdReadService,
) -> None:
    clock = ManualClock()
    work = LongWork(clock, cold_reads)

    async def rest() -> None:
        async with work.steps() as steps:
            clock.advance(seconds=1)
            await steps.pause()

    with pytest.raises(ValueError, match="broken"):
        async with work.steps():
            raise ValueError("broken")
    task = asyncio.ensure_future(rest())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert work.running == 0
    await asyncio.wait_for(rest(), 5)


async def test_what_must_be_read_is_looked_up_again_while_others_work(
    cold_reads: ColdReadService,
) -> None:
    work = LongWork(ManualClock(), cold_reads)
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise NotInMemory([])
        return looks

    async with work.steps() as steps:
        assert await steps.look_up(look) == 2
        assert await steps.look_up(look) == 3


async def test_too_many_works_at_once_are_refused(cold_reads: ColdReadService) -> None:
    work = LongWork(ManualClock(), cold_reads)
    go = asyncio.Event()

    async def run() -> None:
        async with work.steps():
            await go.wait()

    tasks = [asyncio.ensure_future(run()) for _ in range(RUNNING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refusal:
        await run()
    assert refusal.value.code == ResponseCode.SYSTEM_BUSY
    go.set()
    await asyncio.gather(*tasks)
    assert work.running == 0
