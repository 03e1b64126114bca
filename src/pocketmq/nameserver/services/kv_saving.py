"""Saves what operators set, the key-value settings and the name server's own, off the event loop.

There is one save at a time, in the order of the changes.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from pocketmq.nameserver.kv_table import KvFile


class Encoded(Protocol):
    """What a file is made of."""

    def encode(self) -> bytes:
        """The content of the file."""
        ...


class KvSavingService:
    """Writes the whole table whenever it has changed."""

    def __init__(self, table: Encoded, file: KvFile | None) -> None:
        self._table = table
        self._file = file
        self._one_at_a_time = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "kv-saving") if file is not None else None

    async def save(self) -> None:
        """Return when the table as it is now is on disk. Raise OSError when it cannot be."""
        if self._file is None or self._worker is None:
            return
        async with self._one_at_a_time:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._worker, self._file.replace, self._table.encode())

    async def stop(self) -> None:
        """Let the save under way finish."""
        if self._worker is not None:
            async with self._one_at_a_time:
                self._worker.shutdown()
