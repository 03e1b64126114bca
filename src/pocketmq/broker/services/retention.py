"""Lets go of expired messages, and deletes their files away from the event loop.

The broker may have tens of thousands of queues, so a step looks at a few at a time and lets others
go first in between. Where a topic's own limit lies in a queue is found by looking at messages,
which may have to be read from the disk.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.store import MessageStore
from pocketmq.store.config import RetentionConfig

LIFETIME_ATTRIBUTE: Final = "reserve.time"
_FILES_PER_TURN: Final = 10
_QUEUES_PER_TURN: Final = 200


class RetentionService:
    """Runs the store's retention; topics may have lifetimes of their own."""

    def __init__(
        self,
        store: MessageStore,
        topics: TopicTable,
        clock: Clock,
        cold_reads: ColdReadService,
        config: RetentionConfig,
    ) -> None:
        self._store = store
        self._cold_reads = cold_reads
        self._topics = topics
        self._clock = clock
        self._loop = Loop("retention", config.interval_ms, self.step, clock)
        self._thread: ThreadPoolExecutor | None = None
        self._at_once = False

    def start(self) -> None:
        """Begin; limits of topics count from the first turn on."""
        self._loop.start()
        self._loop.wake()

    async def stop(self) -> None:
        """Stop; files not deleted yet are deleted after the next start."""
        await self._loop.stop()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def clean_now(self) -> None:
        """Clean soon, at whatever hour it is."""
        self._at_once = True
        self._loop.wake()

    async def step(self) -> int:
        """Let expired files go and delete them; return how many were deleted."""
        at_once, self._at_once = self._at_once, False
        self._store.retain(self._clock.now_ms(), at_once=at_once)
        # Nobody is waited for: others go first.
        while not self._store.trim_queues(_QUEUES_PER_TURN):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await self._expire_topics()
        deleted = 0
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="pocketmq-delete")
        loop = asyncio.get_running_loop()
        while True:
            count = await loop.run_in_executor(
                self._thread, self._store.delete_retired, _FILES_PER_TURN
            )
            deleted += count
            if count < _FILES_PER_TURN:
                return deleted

    async def _expire_topics(self) -> None:
        """Hide what has outlived the limit of its topic."""
        store, seen = self._store, 0
        for topic, lifetime_ms in self._lifetimes_ms().items():
            limit_ms = self._clock.now_ms() - lifetime_ms
            for queue_id in store.queue_ids(topic):
                look = partial(store.in_memory.offset_by_time, topic, queue_id, limit_ms)
                first = await self._cold_reads.look_up(look)
                store.hide_before(topic, queue_id, first)
                seen += 1
                if seen % _QUEUES_PER_TURN == 0:
                    await asyncio.sleep(0)

    def _lifetimes_ms(self) -> dict[str, int]:
        lifetimes = {}
        for name, topic in self._topics.configs.items():
            text = topic.attributes.get(LIFETIME_ATTRIBUTE, "") if topic.attributes else ""
            if text.isdigit() and int(text) > 0:
                lifetimes[name] = int(text)
        return lifetimes
