"""Brings parts of the commit log that are not in memory into it, on a thread of its own.

Touching a view of a page that lies only on disk would stop the event loop, and with it every
client. The store tells which pulls and look-ups are cold; here their bytes are read with the GIL
released, a few at a time, and then the pull or look-up runs again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from pocketmq.errors import NotInMemory, Refused
from pocketmq.protocol.codes import ResponseCode
from pocketmq.store import residency

_log = logging.getLogger(__name__)

_THREADS: Final = 2
_ATTEMPTS_MAX: Final = 1000
_GONE_AGAIN: Final = (
    "what is asked for is read from the disk, but does not stay in memory; "
    "give the machine more memory, or ask again"
)

T = TypeVar("T")


class Fetched(Protocol):
    """What has bytes to bring in."""

    def fetch(self) -> None:
        """Bring them in. Blocks."""
        ...


class _Ranges:
    """The bytes a look-up lacks."""

    def __init__(self, missing: NotInMemory) -> None:
        self._ranges = missing.ranges

    def fetch(self) -> None:
        """Bring them in. Blocks."""
        for address, view in self._ranges:
            residency.bring_in(address, view)


class ColdReadService:
    """Runs `PullResult.fetch` and the like off the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pocketmq-cold-read")
        self._waiting: deque[tuple[Fetched, Callable[[], None]]] = deque()
        self._running = 0
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many reads have not ended."""
        return len(self._waiting) + self._running

    def bring_in(self, result: Fetched, resume: Callable[[], None]) -> None:
        """Call `resume` on the loop once the pages of `result` are in memory."""
        self._waiting.append((result, resume))
        self._next()

    def when_in_memory(self, look: Callable[[], T]) -> T | Awaitable[T]:
        """What `look` returns: at once, or something to await while the disk is read for it.

        `look` raises NotInMemory for what it lacks, as the methods of `store.in_memory` do, and
        then runs again; so it must not have changed anything before.
        """
        try:
            return look()
        except NotInMemory as missing:
            return self._look_again(look, missing)

    async def look_up(self, look: Callable[[], T]) -> T:
        """What `look` returns, in a coroutine; see `when_in_memory`."""
        try:
            return look()
        except NotInMemory as missing:
            return await self._look_again(look, missing)

    async def _look_again(self, look: Callable[[], T], missing: NotInMemory) -> T:
        for _ in range(_ATTEMPTS_MAX):
            ready = asyncio.Event()
            self.bring_in(_Ranges(missing), ready.set)
            await ready.wait()
            try:
                return look()
            except NotInMemory as more:
                missing = more
        raise Refused(ResponseCode.SYSTEM_BUSY, _GONE_AGAIN)

    def stop(self) -> None:
        """Forget what waits and end the threads."""
        self._stopped = True
        self._waiting.clear()
        self._threads.shutdown(wait=True)

    def _next(self) -> None:
        while self._waiting and self._running < _THREADS:
            result, resume = self._waiting.popleft()
            self._running += 1
            self._threads.submit(self._read, result, resume)

    def _read(self, result: Fetched, resume: Callable[[], None]) -> None:
        try:
            result.fetch()
        except OSError as error:
            _log.error("cold data cannot be read reason=%s", error)
        try:
            self._loop.call_soon_threadsafe(self._done, resume)
        except RuntimeError:
            _log.warning("the event loop ended before a cold read did")

    def _done(self, resume: Callable[[], None]) -> None:
        self._running -= 1
        if not self._stopped:
            resume()
            self._next()
