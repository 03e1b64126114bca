"""An event loop on a thread of its own, so that servers run whatever the test's thread does.

What tests call comes in two kinds. `call` runs a function on the loop and waits for its result:
microseconds. `wait_for` is for what takes as long as the test's own clients need. A plain test
just waits; a test on an event loop must not block it, as its clients live there, and awaits.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Generic, TypeVar

from pocketmq.errors import PocketMQError

T = TypeVar("T")

CALL_SECONDS_MAX = 30.0


class LoopThread:
    """A running event loop. `close` ends it."""

    def __init__(self, name: str) -> None:
        self._loop = _new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """The result of a function that runs on the loop and does not wait."""

        async def run() -> T:
            return function()

        return self.run(run())

    def run(self, work: Coroutine[Any, Any, T], timeout_seconds: float = CALL_SECONDS_MAX) -> T:
        """The result of a coroutine that runs on the loop, waited for in any case."""
        __tracebackhide__ = True
        assert threading.current_thread() is not self._thread, "the loop would wait for itself"
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_seconds)
        except FutureTimeout:
            if future.done():
                raise
            future.cancel()
            raise PocketMQError(
                f"the broker's event loop was busy for {timeout_seconds:g} s; something in this "
                "process blocks it, perhaps a fault's `where` function"
            ) from None

    def wait_for(self, work: Coroutine[Any, Any, T], what: str) -> Pending[T]:
        """Run a coroutine on the loop; `what` names the call in a warning when nobody awaits it."""
        __tracebackhide__ = True
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        if not _on_an_event_loop():
            future.result()
            return Pending(future, None)
        return Pending(future, what)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=1))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class Pending(Generic[T]):
    """Something under way on the servers' loop; a plain test has waited already, others await."""

    def __init__(self, future: Future[T], what: str | None) -> None:
        self._future = future
        self._unawaited = what

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for it on the event loop of the test, and return its result."""
        self._unawaited = None
        return asyncio.wrap_future(self._future).__await__()

    def __del__(self) -> None:
        """Warn of a forgotten await, as Python does for coroutines."""
        if self._unawaited is not None:
            warnings.warn(
                f"{self._unawaited} was never awaited; in an async test write "
                f"`await {self._unawaited}`",
                RuntimeWarning,
                stacklevel=2,
            )


def _on_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
