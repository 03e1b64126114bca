"""An HTTP server for a process that has a loop of its own: uvicorn, quiet and asleep when idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_STOP_SECONDS = 2


class WebServer(uvicorn.Server):
    """Leaves signals to the process it runs in, and sleeps while nobody asks.

    Answers carry no Date and no name of the software. `head_bytes_max` bounds what is kept of a
    request's head that has not come whole.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        connections_max: int,
        idle_seconds: int = 5,
        head_bytes_max: int = 64 * 1024,
    ) -> None:
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it would tell of its own start
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
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
