"""The thread the servers of a test run on."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from pocketmq.errors import PocketMQError
from pocketmq.testing.loop_thread import LoopThread


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    opened = LoopThread("under-test")
    yield opened
    opened.close()


async def _double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def _fail() -> None:
    raise KeyError("no such thing")


def test_functions_run_on_the_loop_and_give_their_result(thread: LoopThread) -> None:
    assert thread.call(lambda: threading.current_thread().name) == "under-test"
    assert thread.run(_double(21)) == 42


def test_what_a_function_raises_comes_back(thread: LoopThread) -> None:
    with pytest.raises(KeyError):
        thread.run(_fail())


def test_a_call_that_takes_too_long_is_given_up_and_says_so(thread: LoopThread) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(PocketMQError, match=r"busy for 0\.05 s"):
        thread.run(forever(), timeout_seconds=0.05)


def test_a_plain_test_waits_without_awaiting(thread: LoopThread) -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(await _double(1))

    thread.wait_for(work(), "work()")
    assert done == [2]


def test_a_plain_test_hears_of_failure(thread: LoopThread) -> None:
    with pytest.raises(KeyError):
        thread.wait_for(_fail(), "work()")


async def test_an_async_test_awaits_while_its_own_loop_runs(thread: LoopThread) -> None:
    mine = asyncio.get_running_loop()
    called = asyncio.Event()

    async def work() -> str:
        mine.call_soon_threadsafe(called.set)
        return "done"

    assert await thread.wait_for(work(), "work()") == "done"
    assert called.is_set()


async def test_a_forgotten_await_is_a_warning(thread: LoopThread) -> None:
    pending = thread.wait_for(_double(1), "work()")
    with pytest.warns(RuntimeWarning, match=r"write `await work\(\)`"):
        del pending
        gc.collect()


def test_closing_cancels_what_still_runs() -> None:
    thread = LoopThread("under-test")
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def begin() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(forever())

    task = thread.run(begin())
    thread.call(lambda: None)
    thread.close()
    assert task.cancelled()
    assert cancelled.is_set()
