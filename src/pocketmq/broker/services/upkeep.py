"""Blocking work that keeps the store ahead of its writers, on a thread of its own.

prepare      reserve and touch disk space before the log needs it; on demand and once a second
commit       move the write buffer to the log file, where there is one
flush        force consume queues and index to the disk, then write the checkpoint

A flush of tens of thousands of queues takes many seconds. It is done a few queues at a time, so
that the log's next space, which shares the thread, never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pocketmq.broker.services.loop import Loop
from pocketmq.broker.services.standing_back import stand_back
from pocketmq.store import MessageStore

_QUEUES_PER_STEP: Final = 16


class UpkeepService:
    """Runs the store's blocking steps, one at a time."""

    def __init__(self, store: MessageStore, on_committed: Callable[[], None]) -> None:
        config = store.config
        self._store = store
        self._on_committed = on_committed
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="pocketmq-upkeep", initializer=stand_back
        )
        self._prepare_every_bytes = config.log.reserve_step_bytes // 4
        self._prepare_at = 0
        self._preparing = Loop("prepare-log", 1000, self.prepare)
        self._flushing = Loop("flush-queues", config.flush.queue_interval_ms, self.flush)
        self._stopping = False
        self._committing: Loop | None = None
        if config.log.write_buffer:
            self._committing = Loop("commit-buffer", config.flush.commit_interval_ms, self.commit)

    def start(self) -> None:
        """Begin; the first space is reserved at once."""
        self._preparing.start()
        self._preparing.wake()
        self._flushing.start()
        if self._committing is not None:
            self._committing.start()

    async def stop(self) -> None:
        """End the loops and the thread."""
        self._stopping = True
        await self._preparing.stop()
        await self._flushing.stop()
        if self._committing is not None:
            await self._committing.stop()
        self._thread.shutdown(wait=True)

    def written(self, log_end: int) -> None:
        """The log has grown; prepare further when it has grown by a good part of a step."""
        if log_end >= self._prepare_at:
            self._prepare_at = log_end + self._prepare_every_bytes
            self._preparing.wake()

    async def prepare(self) -> None:
        """Reserve ahead until there is enough. Raise StoreError."""
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(self._thread, self._store.prepare):
            pass

    async def commit(self) -> None:
        """Move the write buffer to the file. Raise StoreError."""
        await asyncio.get_running_loop().run_in_executor(
            self._thread, self._store.commit_log_buffer
        )
        self._on_committed()

    async def flush(self) -> None:
        """Flush queues and index, and note it. Raise StoreError."""
        loop = asyncio.get_running_loop()
        step = self._store.flush_queues
        while not await loop.run_in_executor(self._thread, step, _QUEUES_PER_STEP):
            if self._stopping:
                return  # closing the store flushes the rest
        await loop.run_in_executor(self._thread, self._store.flush_checkpoint)
