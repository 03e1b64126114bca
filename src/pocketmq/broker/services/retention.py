"""Lets go of expired messages, and deletes their files away from the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.store import MessageStore
from pocketmq.store.config import RetentionConfig

LIFETIME_ATTRIBUTE: Final = "reserve.time"
_FILES_PER_TURN: Final = 10


class RetentionService:
    """Runs the store's retention; topics may have lifetimes of their own."""

    def __init__(
        self, store: MessageStore, topics: TopicTable, clock: Clock, config: RetentionConfig
    ) -> None:
        self._store = store
        self._topics = topics
        self._clock = clock
        self._loop = Loop("retention", config.interval_ms, self.step, clock)
        self._thread: ThreadPoolExecutor | None = None
        self._at_once = False

    def start(self) -> None:
        """Begin."""
        self._loop.start()

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
        self._store.retain(self._clock.now_ms(), self._lifetimes_ms(), at_once=at_once)
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

    def _lifetimes_ms(self) -> dict[str, int]:
        lifetimes = {}
        for name, topic in self._topics.configs.items():
            text = topic.attributes.get(LIFETIME_ATTRIBUTE, "") if topic.attributes else ""
            if text.isdigit():
                lifetimes[name] = int(text)
        return lifetimes
