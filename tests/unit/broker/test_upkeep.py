"""The store's blocking steps: on a thread of their own, one at a time, when they are due."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import until

from pocketmq.broker.services.upkeep import UpkeepService
from pocketmq.errors import StoreNotWritable
from pocketmq.store import StoreConfig
from pocketmq.store.config import FlushConfig, LogConfig

STEP = 1_000_000


class NotedStore:
    """Notes each step, the thread it ran on, and whether two ever ran together."""

    def __init__(self, *, write_buffer: bool = False, flush_ms: int = 3_600_000) -> None:
        self.config = StoreConfig(
            root=Path("unused"),
            log=LogConfig(reserve_step_bytes=STEP, write_buffer=write_buffer),
            flush=FlushConfig(queue_interval_ms=flush_ms, commit_interval_ms=1),
        )
        self.steps: list[str] = []
        self.threads: set[str] = set()
        self.to_prepare = 0
        self.to_flush = 1
        self.error: Exception | None = None
        self._busy = threading.Lock()

    def _note(self, step: str) -> None:
        assert self._busy.acquire(blocking=False), "two steps at a time"
        self.threads.add(threading.current_thread().name)
        self.steps.append(step)
        self._busy.release()
        if self.error is not None:
            raise self.error

    def prepare(self) -> bool:
        self._note("prepare")
        self.to_prepare -= 1
        return self.to_prepare > 0

    def commit_log_buffer(self) -> None:
        self._note("commit")

    def flush_queues(self, count_max: int) -> bool:
        assert count_max <= 64, "one step would keep the log's space waiting"
        self._note("queues")
        self.to_flush -= 1
        return self.to_flush <= 0

    def flush_checkpoint(self) -> None:
        self._note("checkpoint")


@asynccontextmanager
async def upkeep(store: Any, committed: list[int] | None = None) -> AsyncIterator[UpkeepService]:
    noted: list[int] = [] if committed is None else committed
    service = UpkeepService(store, lambda: noted.append(1))
    service.start()
    try:
        yield service
    finally:
        await service.stop()


async def test_space_is_prepared_at_once_until_there_is_enough() -> None:
    store = NotedStore()
    store.to_prepare = 3
    async with upkeep(store):
        await until(lambda: len(store.steps) == 3)
    assert store.steps[:3] == ["prepare"] * 3
    assert store.threads == {"pocketmq-upkeep_0"}


async def test_growing_by_a_quarter_of_a_step_prepares_again() -> None:
    store = NotedStore()
    async with upkeep(store) as service:
        await until(lambda: len(store.steps) == 1)
        service.written(1)
        await until(lambda: len(store.steps) == 2)
        service.written(STEP // 4)
        service.written(STEP // 4 + 1)
        await until(lambda: len(store.steps) == 3)
    assert store.steps[:3] == ["prepare"] * 3


async def test_queues_are_flushed_before_the_checkpoint_that_vouches_for_them() -> None:
    store = NotedStore()
    async with upkeep(store) as service:
        await until(lambda: store.steps == ["prepare"])
        await service.flush()
    assert store.steps == ["prepare", "queues", "checkpoint"]


async def test_a_long_flush_of_queues_lets_the_log_prepare_its_space_in_between() -> None:
    store = NotedStore()
    async with upkeep(store) as service:
        await until(lambda: store.steps == ["prepare"])
        store.to_flush = 1000
        flush = asyncio.ensure_future(service.flush())
        await until(lambda: "queues" in store.steps)
        service.written(STEP)
        await flush
    ends = [n for n, step in enumerate(store.steps) if step == "queues"]
    assert len(ends) == 1000
    assert "prepare" in store.steps[ends[0] : ends[-1]]
    assert store.steps[ends[-1] + 1] == "checkpoint"


async def test_stopping_does_not_wait_for_a_long_flush_of_queues() -> None:
    store = NotedStore()
    async with upkeep(store) as service:
        store.to_flush = 10**9
        flush = asyncio.ensure_future(service.flush())
        await until(lambda: "queues" in store.steps)
    await flush
    assert "checkpoint" not in store.steps


async def test_a_failing_queue_flush_writes_no_checkpoint() -> None:
    store = NotedStore()
    async with upkeep(store) as service:
        await until(lambda: store.steps == ["prepare"])
        store.error = StoreNotWritable("the disk is broken")
        with pytest.raises(StoreNotWritable):
            await service.flush()
    assert "checkpoint" not in store.steps


async def test_a_write_buffer_is_committed_and_then_looked_at() -> None:
    store, committed = NotedStore(write_buffer=True), [0]
    async with upkeep(store, committed):
        await until(lambda: len(committed) >= 3)
    assert store.steps.count("commit") >= 2


async def test_without_a_write_buffer_nothing_is_committed() -> None:
    store, committed = NotedStore(flush_ms=1), [0]
    async with upkeep(store, committed):
        await until(lambda: store.steps.count("checkpoint") >= 2)
    assert ("commit" in store.steps, committed) == (False, [0])
