"""The event loop behind the plain clients: one for the process, on a daemon thread.

It starts with the first client and ends with the interpreter, after every client that is still open
has been closed. After a fork the child has none, and makes its own when it needs one: threads are
not copied, and sockets of the parent must not be written to by two processes. A child hears of the
fork from Python, or notices it by itself: uWSGI forks without telling Python.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakSet

from pocketmq.client.unique_keys import unique_keys
from pocketmq.errors import ClientError

T = TypeVar("T")

THREAD_NAME: Final = "pocketmq"
EXIT_SECONDS_MAX: Final = 5.0


class Forgettable(Protocol):
    """A client, as the process's end and its forks see it."""

    def close(self) -> None:
        """Finish and let go; called at the interpreter's exit."""
        ...

    def forget(self) -> None:
        """Called in a forked child: what was started belongs to the parent."""
        ...


class BackgroundLoop:
    """A running event loop on its own thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """The result of a coroutine. Interrupted, for instance by Ctrl-C, it is cancelled.

        Raise TimeoutError when it takes more than `timeout` seconds.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise ClientError(
                "a plain client was called on the event loop's own thread, which would wait for "
                "itself for ever; in async functions use pocketmq.Producer and await"
            )
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(timeout)
        except FutureTimeoutError:
            if future.done():
                raise  # the coroutine's own
            future.cancel()
            raise TimeoutError(f"not done within {timeout} s") from None
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """The result of a function that is run on the loop and does not wait."""

        async def run() -> T:
            return function()

        return self.run(run())

    def stop(self) -> None:
        """End the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(EXIT_SECONDS_MAX)
        if not self._thread.is_alive():
            self.loop.close()


class _Closer:
    """A thread that waits to close all clients, as the interpreter's exit may start none."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pocketmq-exit", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._wanted.wait()
        for client in list(_clients):
            client.close()

    def close_all(self) -> bool:
        """Close them; False when one hangs, which must not keep the process from ending."""
        self._wanted.set()
        self._thread.join(EXIT_SECONDS_MAX)
        return not self._thread.is_alive()


_lock = threading.Lock()
_closer: _Closer | None = None
_background: BackgroundLoop | None = None
_clients: WeakSet[Any] = WeakSet()
_of_the_parent: list[object] = []
_process = os.getpid()
_noticing: dict[int, threading.Lock] = {}


def background() -> BackgroundLoop:
    """The loop of this process, started when it is first asked for."""
    global _background, _closer
    with _lock:
        if _background is None:
            _background = BackgroundLoop()
            _closer = _Closer()
        return _background


def remember(client: Forgettable) -> None:
    """Close this client at the interpreter's exit, and tell it of forks."""
    _clients.add(client)


def keep_for_ever(parents: object) -> None:
    """Keep what a forked child has of its parent, so that nothing is tidied up from two sides."""
    _of_the_parent.append(parents)


def notice_fork() -> None:
    """Begin anew if this is a child process that was not told of its fork."""
    process = os.getpid()
    if process != _process:
        with _noticing.setdefault(process, threading.Lock()):
            if process != _process:
                unique_keys.notice_fork()
                _after_fork()


def _after_fork() -> None:
    global _background, _closer, _lock, _process
    _lock = threading.Lock()
    _closer = None
    if _background is not None:
        keep_for_ever(_background)
        _background = None
    for client in list(_clients):
        client.forget()
    _process = os.getpid()


def close_all() -> None:
    """Close all plain clients of this process and end their thread, as the exit does."""
    global _background, _closer
    notice_fork()
    running, closer = _background, _closer
    if running is not None and closer is not None and closer.close_all():
        running.stop()
        _background = _closer = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_all)
