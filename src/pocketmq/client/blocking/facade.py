"""What all plain clients share: an async client inside, made anew in each process that uses it.

Methods are those of the async client, waited for: `queues = waits(AsyncProducer.queues)` has the
same parameters, result and documentation.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar

from pocketmq.client.blocking.background import background, keep_for_ever, notice_fork, remember
from pocketmq.errors import ClientClosed

_log = logging.getLogger(__name__)

CLOSE_SECONDS_MAX: Final = 120.0
"""Longer than handlers are waited for by default; then a client is left to itself."""


class AsyncClient(Protocol):
    """What an async client must offer to be made plain."""

    async def start(self) -> None:
        """Get ready."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish and let go; `error` is what ended the `with` block, if anything."""
        ...


P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound=AsyncClient)
F = TypeVar("F", bound="Facade[Any]")


class Facade(Generic[A]):
    """A plain client around an async one.

    It starts when it is first used, and again in a child process after a fork, with connections and
    a client id of the child's own. Any thread may use it.
    """

    def __init__(self, make: Callable[[], A]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._is_started = False
        self._is_closed = False
        # Made at once, so that settings that cannot work are told where they are written.
        self._inner = make()
        remember(self)

    # -- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Get ready; a client that was closed starts anew."""
        notice_fork()
        with self._lock:
            if self._is_closed:
                self._inner = self._make()
                self._is_closed = False
            if not self._is_started:
                self._start()

    def _start(self) -> None:
        background().run(self._inner.start())
        self._is_started = True

    def _started(self) -> A:
        """The async client, started. Raise ClientClosed."""
        notice_fork()
        if not self._is_started:
            with self._lock:
                if self._is_closed:
                    raise ClientClosed(f"{self!r} is closed; make a new one, or call start()")
                if not self._is_started:
                    self._start()
        return self._inner

    def close(self) -> None:
        """Finish what is under way and let go of the connections. Harmless when closed already."""
        self._close_with(None)

    def _close_with(self, error: BaseException | None) -> None:
        notice_fork()
        with self._lock:
            if self._is_started:
                self._is_started = False
                try:
                    background().run(self._finish(self._inner, error), CLOSE_SECONDS_MAX)
                except TimeoutError as late:
                    _log.error("client not closed properly client=%r: %s", self, late)
            self._is_closed = True

    async def _finish(self, inner: A, error: BaseException | None) -> None:
        """Close the async client; `error` is what ended the `with` block, if anything."""
        await inner.__aexit__(type(error) if error is not None else None, error, None)

    def forget(self) -> None:
        """Called in a forked child: what was started belongs to the parent."""
        self._lock = threading.Lock()
        if self._is_started:
            keep_for_ever(self._inner)
            self._is_started = False
        self._inner = self._make()

    def __enter__(self: F) -> F:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_with(error)

    def __repr__(self) -> str:
        return f"<blocking {self._inner!r}>"


def waits(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Facade[A], P], R]:
    """A method of an async client, as one that returns when it is done."""

    @functools.wraps(method)
    def wait(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        inner = self._started()
        return background().run(method(inner, *args, **kwargs))

    return wait


def looks(method: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[Facade[A], P], R]:
    """A method of an async client that does not wait; it is run on the event loop."""

    @functools.wraps(method)
    def look(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        inner = self._started()
        return background().call(lambda: method(inner, *args, **kwargs))

    return look


def takes(
    async_class: Callable[P, Any],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Decorates an `__init__` that takes what an async class takes."""

    def decorate(init: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        return functools.wraps(async_class.__init__)(init)

    return decorate
