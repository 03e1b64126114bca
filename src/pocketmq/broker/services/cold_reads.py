"""Brings parts of the commit log that are not in memory into it, on a thread of its own.

Touching a view of a page that lies only on disk would stop the event loop, and with it every
client. The store tells which pulls are cold; here their bytes are read with the GIL released, a few
at a time, and then the pull runs again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pocketmq.store import PullResult

_log = logging.getLogger(__name__)

_THREADS = 2


class ColdReadService:
    """Runs `PullResult.fetch` off the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pocketmq-cold-read")
        self._waiting: deque[tuple[PullResult, Callable[[], None]]] = deque()
        self._running = 0
        self._stopped = False

    def bring_in(self, result: PullResult, resume: Callable[[], None]) -> None:
        """Call `resume` on the loop once the pages of `result` are in memory."""
        self._waiting.append((result, resume))
        self._next()

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

    def _read(self, result: PullResult, resume: Callable[[], None]) -> None:
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
