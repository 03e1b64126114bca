"""An HTTP server for a process that has a loop of its own: uvicorn, quiet and asleep when idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_STOP_SECONDS = 2
HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0


class WebServer(uvicorn.Server):
    """Leaves signals to the process it runs in, and sleeps while nobody asks.

    Answers carry no Date and no name of the software. `head_bytes_max` bounds what is kept of a
    request's head that has not come whole, and `head_seconds` and `body_seconds` how long a
    request may take to come; then its connection is closed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        connections_max: int,
        idle_seconds: int = 5,
        head_bytes_max: int = 64 * 1024,
        head_seconds: float = HEAD_SECONDS,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it would tell of its own start
        super().__init__(
            uvicorn.Config(
                app,
                http=_bounded(head_seconds, body_seconds),
                ws="none",
                loop="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                h11_max_incomplete_event_size=head_bytes_max,
                limit_concurrency=connections_max,
                timeout_keep_alive=idle_seconds,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end. Uvicorn's own wakes ten times a second, to tell the time in answers."""
        await self._ending.wait()

    def end(self) -> None:
        """Stop listening and let requests finish."""
        self.should_exit = True
        self._ending.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _bounded(head_seconds: float, body_seconds: float) -> type[H11Protocol]:
    limits = {h11.IDLE: head_seconds, h11.SEND_BODY: body_seconds}
    return type("Bounded", (_BoundedConnection,), {"limits": limits})


class _BoundedConnection(H11Protocol):
    """A connection that is closed when a request does not come whole in time.

    Uvicorn itself only bounds the pause between an answer and the next request's first byte: who
    sends a byte now and then, or none at all, would keep the connection.
    """

    limits: dict[Any, float]
    """How long the client may stay in a state: to send a head, to send a body."""

    _state: Any = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head from now on."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        if self.timeout_keep_alive_task is not None:
            self._state = None  # the pause is over, and a head begins
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin the pause, whose end uvicorn watches."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        """Start the time of what the client is to do now, unless it runs already."""
        state = self.conn.their_state
        pause = self.timeout_keep_alive_task is not None
        if self._state is state and not pause:
            return
        self._stop()
        limit = self.limits.get(state)
        if limit is not None and not pause and not self.transport.is_closing():
            self._state = state
            self._timer = self.loop.call_later(limit, self.transport.close)

    def _stop(self) -> None:
        self._state = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
