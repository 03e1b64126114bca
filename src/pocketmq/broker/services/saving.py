"""Saves the tables that changed: some on a schedule, some at once.

A table is encoded on the event loop, where it is changed, and written on the one thread made for
it. What changes while a write is under way is saved by the next one. A write that fails is tried
again with the next round; until then the table is only in memory, and the log says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pocketmq.broker.config import SavingConfig
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.saved import SavedTable


class SavingService:
    """Keeps the files of tables up to date.

    `prompt` tables are saved as soon as they change, `timed` ones every few seconds.
    """

    def __init__(
        self, config: SavingConfig, *, prompt: Iterable[SavedTable], timed: Iterable[SavedTable]
    ) -> None:
        self._prompt = tuple(prompt)
        self._timed = tuple(timed)
        self._prompt_loop = Loop("save-changes", config.others_interval_ms, self.save_prompt)
        self._timed_loop = Loop("save-offsets", config.offsets_interval_ms, self.save_timed)
        self._thread: ThreadPoolExecutor | None = None
        self._writing = asyncio.Lock()
        for table in self._prompt:
            table.changes.listen(lambda _: self._prompt_loop.wake())

    def start(self) -> None:
        """Begin."""
        self._prompt_loop.start()
        self._timed_loop.start()
        if any(table.changes.unsaved for table in self._prompt):
            self._prompt_loop.wake()

    async def stop(self) -> None:
        """Save what is left and end the thread. Raise StoreError when that fails."""
        await self._prompt_loop.stop()
        await self._timed_loop.stop()
        try:
            await self.save_prompt()
            await self.save_timed()
        finally:
            if self._thread is not None:
                self._thread.shutdown(wait=True)
                self._thread = None

    async def save_prompt(self) -> int:
        """Save the prompt tables that changed; return how many. Raise StoreError."""
        return await self._save(self._prompt)

    async def save_timed(self) -> int:
        """Save the timed tables that changed; return how many. Raise StoreError."""
        return await self._save(self._timed)

    async def _save(self, tables: Iterable[SavedTable]) -> int:
        saved = 0
        async with self._writing:
            for table in tables:
                if table.file is not None and table.changes.unsaved:
                    await self._write(table)
                    saved += 1
        return saved

    async def _write(self, table: SavedTable) -> None:
        assert table.file is not None, "a table without a file is never written"
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="pocketmq-save")
        table.changes.unsaved = False
        content = table.encode()
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, table.file.replace, content)
        except BaseException:
            table.changes.unsaved = True
            raise
