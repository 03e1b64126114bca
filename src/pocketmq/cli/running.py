"""The life of a server process: an event loop, and two signals, one to stop and one to leave.

The first Ctrl-C or SIGTERM lets requests under way finish, flushes, and leaves the data directory
as a clean stop leaves it. The second ends the process at once; the next start then recovers.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, closing
from types import FrameType
from typing import Protocol

from pocketmq.cli import notifying

_log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LEFT_AT_ONCE = 1
_NEW_OBJECTS = (20_000, 20, 20)


class App(Protocol):
    """A server: the broker or the name server."""

    async def start(self) -> None:
        """Be ready to serve, or raise and leave nothing running."""

    async def stop(self) -> None:
        """Finish what is under way and leave a clean store."""


class Processes:
    """The apps of this process: started in order, stopped in reverse."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def start(self, app: App) -> None:
        """Start an app and remember to stop it."""
        await app.start()
        self._stack.push_async_callback(app.stop)

    async def stop(self) -> None:
        """Stop all apps; one that fails to stop does not keep the others."""
        await self._stack.aclose()


async def serve(
    start: Callable[[Processes], Awaitable[None]], clean_up: Callable[[], None] | None = None
) -> None:
    """Run `start`, wait for a signal, stop what was started.

    `clean_up` is called at the end, also when a second signal ends the process.
    """
    stopping = asyncio.Event()
    clean_up = clean_up or _nothing
    restore = _on_signals(stopping, clean_up)
    processes = Processes()
    try:
        await start(processes)
        collect_as_before = _collect_rarely()
        notifying.ready()
        await stopping.wait()
        notifying.stopping()
        collect_as_before()
    finally:
        try:
            await processes.stop()
        finally:
            clean_up()  # while a second signal is still heard
            restore()


def _nothing() -> None:
    """Nothing to clean up."""


def _collect_rarely() -> Callable[[], None]:
    """Look for reference cycles seldom and among new objects only; return what undoes it.

    Nearly all that a server makes is freed by counting references, and going through its tables of
    topics and connections again and again would stop every client meanwhile.
    """
    threshold = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_NEW_OBJECTS)

    def undo() -> None:
        gc.set_threshold(*threshold)
        gc.unfreeze()

    return undo


def run(main: Coroutine[None, None, None]) -> None:
    """Run a coroutine on uvloop where it is installed, else on asyncio's own loop."""
    with closing(main):  # Ctrl-C may come before it has begun
        raise_descriptor_limit()
        loop = new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(main)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def raise_descriptor_limit() -> None:
    """Allow this process as many open files as its user may have."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            # macOS reports a hard limit that it does not grant.
            _log.debug("the limit of open files stays at %d", soft)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _on_signals(stopping: asyncio.Event, clean_up: Callable[[], None]) -> Callable[[], None]:
    """Set the event at the first signal, leave at the second. Return what undoes this.

    The handlers are Python's, not the loop's, so that the second signal is heard even while the
    loop is busy with a long flush.
    """
    loop = asyncio.get_running_loop()
    heard = False

    def received(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            clean_up()
            os.write(2, b"pocketmq: left at once; the next start will recover\n")
            os._exit(LEFT_AT_ONCE)
        heard = True
        loop.call_soon_threadsafe(stop)

    def stop() -> None:
        _log.info("stopping; once more to leave at once")
        stopping.set()

    before = [(number, signal.signal(number, received)) for number in SIGNALS]

    def restore() -> None:
        for number, handler in before:
            signal.signal(number, handler)

    return restore
