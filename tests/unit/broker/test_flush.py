"""The group commit: who waits for the disk, who is answered when, and what if the disk fails.

The disk here is a pretended one that flushes when it is let, late, or not at all.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.waiting import until

from pocketmq.broker.services.flush import CODE_FLUSH_TIMEOUT, CODE_OK, FlushService
from pocketmq.clock import ManualClock
from pocketmq.errors import FlushFailed
from pocketmq.store.config import FlushConfig


class PretendedDisk:
    """A store of numbered messages whose flushes wait for a permit."""

    def __init__(self, *, permits: int = 0) -> None:
        self.appended = 0
        self.durable = 0
        self.begun = 0
        self.threads: set[str] = set()
        self.failing = False
        self.due = False
        self._permits = threading.Semaphore(permits)

    def permit(self, count: int = 1) -> None:
        """Let that many flushes through."""
        self._permits.release(count)

    def flush_log(self) -> None:
        self.threads.add(threading.current_thread().name)
        end = self.appended
        self.begun += 1
        assert self._permits.acquire(timeout=10), "the test never let this flush through"
        if self.failing:
            raise FlushFailed("the log", "it is broken")
        self.durable = max(self.durable, end)

    def flush_due(self) -> bool:
        return self.due


class Answers:
    """Stands for a connection; keeps what is written."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []

    def write(self, buffers: Sequence[bytes]) -> None:
        self.writes.append(list(buffers))

    @property
    def all(self) -> list[bytes]:
        return [buffer for buffers in self.writes for buffer in buffers]


class Bench:
    """A flush service on a pretended disk."""

    def __init__(self, disk: PretendedDisk, waiting_max: int = 100, **config: Any) -> None:
        self.disk = disk
        self.clock = ManualClock()
        self.durable_calls = 0
        self.answered: list[tuple[int, int]] = []
        self.service = FlushService(
            disk,  # type: ignore[arg-type]
            FlushConfig(**{"mode": "SYNC_FLUSH", **config}),
            self.clock,
            self._on_durable,
            lambda count, waited_ms: self.answered.append((count, waited_ms)),
            waiting_max=waiting_max,
        )

    def _on_durable(self) -> None:
        self.durable_calls += 1

    def hold(self, answers: Answers, name: str) -> None:
        """Append a message and hold its answer."""
        self.disk.appended += 1
        connection: Any = answers
        self.service.hold(connection, lambda name, code: f"{name}:{code}".encode(), name)


@asynccontextmanager
async def bench(disk: PretendedDisk | None = None, **config: Any) -> AsyncIterator[Bench]:
    made = Bench(disk or PretendedDisk(), **config)
    try:
        yield made
    finally:
        made.disk.permit(1000)
        await made.service.stop()


async def test_an_answer_leaves_only_after_the_flush_that_covers_it() -> None:
    async with bench() as made:
        answers = Answers()
        made.hold(answers, "a")
        await until(lambda: made.disk.begun == 1)
        made.hold(answers, "b")
        assert (answers.all, made.service.waiting) == ([], 2)
        made.disk.permit()
        await until(lambda: answers.all)
        assert answers.all == [b"a:0"], "b came too late for this flush"
        assert made.durable_calls == 1
        made.disk.permit()
        await until(lambda: made.service.waiting == 0)
        assert answers.all == [b"a:0", b"b:0"]
        assert made.disk.threads == {"pocketmq-flush_0"}


async def test_answers_of_one_flush_leave_in_one_write_for_each_connection() -> None:
    async with bench() as made:
        first, one, other = Answers(), Answers(), Answers()
        made.hold(first, "x")
        await until(lambda: made.disk.begun == 1)
        for number in range(3):
            made.hold(one, f"a{number}")
            made.hold(other, f"b{number}")
        made.disk.permit(2)
        await until(lambda: made.service.waiting == 0)
        assert one.writes == [[b"a0:0", b"a1:0", b"a2:0"]]
        assert other.writes == [[b"b0:0", b"b1:0", b"b2:0"]]
        assert [count for count, _ in made.answered] == [1, 6]


async def test_a_slow_disk_answers_with_a_timeout_and_never_twice() -> None:
    async with bench(sync_timeout_ms=10) as made:
        answers = Answers()
        made.hold(answers, "a")
        await until(lambda: answers.all)
        assert answers.all == [f"a:{CODE_FLUSH_TIMEOUT}".encode()]
        assert made.durable_calls == 0
        made.disk.permit()
        await until(lambda: made.durable_calls == 1)
        assert len(answers.all) == 1


async def test_a_failed_flush_answers_who_waited_and_lets_nothing_become_visible() -> None:
    async with bench() as made:
        made.disk.failing = True
        answers = Answers()
        made.hold(answers, "a")
        confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        made.service.call_when_durable(confirmed)
        made.disk.permit(2)
        assert await confirmed == CODE_FLUSH_TIMEOUT
        assert answers.all == [f"a:{CODE_FLUSH_TIMEOUT}".encode()]
        assert made.durable_calls == 0


async def test_a_future_is_told_when_it_is_durable() -> None:
    async with bench() as made:
        confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        made.service.call_when_durable(confirmed)
        await until(lambda: made.disk.begun == 1)
        assert not confirmed.done()
        made.disk.permit()
        assert await confirmed == CODE_OK


async def test_a_cohort_is_waited_for_but_not_longer_than_it_is_large() -> None:
    async with bench() as made:
        answers = Answers()
        made.hold(answers, "a0")
        await until(lambda: made.disk.begun == 1)
        made.hold(answers, "b0")
        made.hold(answers, "c0")
        made.disk.permit()
        await until(lambda: made.disk.begun == 2)
        made.clock.advance(seconds=60)  # half of that is how long the cohort is waited for
        made.disk.permit()
        await until(lambda: made.service.waiting == 0)
        made.hold(answers, "b1")
        for _ in range(5):
            await asyncio.sleep(0)
        assert made.disk.begun == 2, "the first of two did not wait for the second"
        made.hold(answers, "c1")
        made.disk.permit()
        await until(lambda: made.service.waiting == 0)
        assert (made.disk.begun, made.disk.durable) == (3, 5)


async def test_a_cohort_that_does_not_come_back_is_not_waited_for_for_ever() -> None:
    async with bench(PretendedDisk(permits=100)) as made:
        answers = Answers()
        for number in range(4):
            made.hold(answers, str(number))
        await until(lambda: made.service.waiting == 0)
        made.hold(answers, "alone")
        await until(lambda: made.service.waiting == 0)
        assert answers.all[-1] == b"alone:0"


async def test_stopping_answers_all_who_wait() -> None:
    made = Bench(PretendedDisk(permits=100))
    answers = Answers()
    for number in range(10):
        made.hold(answers, str(number))
    await made.service.stop()
    assert sorted(answers.all) == [f"{number}:0".encode() for number in range(10)]
    assert made.service.waiting == 0


async def test_it_is_full_when_the_bound_is_reached() -> None:
    async with bench(waiting_max=2) as made:
        fullness = []
        for name in "ab":
            made.hold(Answers(), name)
            fullness.append(made.service.is_full)
        assert fullness == [False, True]
        made.disk.permit(10)
        await until(lambda: not made.service.is_full)


async def test_waking_flushes_once_and_only_in_sync_flush() -> None:
    async with bench() as made:
        for _ in range(5):
            made.service.wake()
        await until(lambda: made.disk.begun == 1)
        made.disk.permit(5)
        await until(lambda: made.service.waiting == 0)
        assert made.durable_calls <= 2
    async with bench(mode="ASYNC_FLUSH") as lazy:
        lazy.service.wake()
        assert (lazy.service.is_sync, lazy.service.waiting) == (False, 0)


async def test_what_is_due_is_flushed_now_and_then() -> None:
    async with bench(PretendedDisk(permits=1000), mode="ASYNC_FLUSH", interval_ms=1) as made:
        made.disk.due = True
        made.service.start()
        await until(lambda: made.durable_calls >= 3)
        made.disk.due = False
        await until(lambda: made.disk.begun == made.durable_calls)
        assert made.service.waiting == 0


@pytest.mark.parametrize("failing", [False, True])
@given(actions=st.lists(st.sampled_from(["hold", "hold", "permit", "turn", "wake"]), max_size=30))
@settings(max_examples=60, deadline=None)
def test_no_answer_is_lost_given_twice_or_too_early(failing: bool, actions: list[str]) -> None:
    async def play() -> None:
        made = Bench(PretendedDisk(), sync_timeout_ms=60_000)
        made.disk.failing = failing
        connection = _Watched(made.disk)
        for action in actions:
            if action == "hold":
                made.hold(connection, str(made.disk.appended))
            elif action == "permit":
                made.disk.permit()
            elif action == "wake":
                made.service.wake()
            await asyncio.sleep(0)
        made.disk.permit(1000)
        await made.service.stop()
        code = CODE_FLUSH_TIMEOUT if failing else CODE_OK
        expected = [f"{number}:{code}".encode() for number in range(made.disk.appended)]
        assert connection.all == expected

    asyncio.run(play())


class _Watched(Answers):
    """Fails when a message is confirmed that is not durable."""

    def __init__(self, disk: PretendedDisk) -> None:
        super().__init__()
        self._disk = disk

    def write(self, buffers: Sequence[bytes]) -> None:
        for buffer in buffers:
            number, code = map(int, buffer.split(b":"))
            assert code != CODE_OK or number < self._disk.durable, "confirmed too early"
        super().write(buffers)
