"""Serves the console: uvicorn on a socket that is already listening, on the loop that runs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from starlette.routing import BaseRoute

from pocketmq.admin import Admin
from pocketmq.clock import Clock, SystemClock
from pocketmq.console.app import build_app
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.desk import Desk
from pocketmq.console.gate import HEADER_BYTES_MAX
from pocketmq.console.listening import exposure_problem, listen, url_of
from pocketmq.errors import ConfigError, ListenFailed
from pocketmq.web import WebServer

_IDLE_SECONDS = 30


class ConsoleServer:
    """The console in this process."""

    def __init__(
        self,
        config: ConsoleConfig,
        admin: Admin,
        clock: Clock | None = None,
        *,
        listener: socket.socket | None = None,
        more: Sequence[BaseRoute] = (),
    ) -> None:
        self.config = config
        self._listener = listener
        self._desk = Desk.of(config, admin, clock or SystemClock())
        self._server = WebServer(
            build_app(self._desk, more),
            connections_max=config.connections_max,
            idle_seconds=_IDLE_SECONDS,
            head_bytes_max=HEADER_BYTES_MAX,
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where a browser finds the console."""
        assert self._listener is not None, "not started"
        return url_of(self._listener)

    @property
    def desk(self) -> Desk:
        """What its endpoints use."""
        return self._desk

    async def start(self) -> None:
        """Listen and serve. Raise ListenFailed, ConfigError."""
        self._desk.sessions.users.users()  # a file that cannot be understood is said now
        if self._listener is None:
            problem = exposure_problem(self.config)
            if problem is not None:
                raise ConfigError(problem)
            self._listener = listen(self.config)
        self._serving = asyncio.ensure_future(self._server.serve([self._listener]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise ListenFailed("the console's server ended at once; its log says why")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """End streams, let requests finish, close."""
        self._server.end()
        await self._desk.close()
        if self._serving is not None:
            await self._serving
        if self._listener is not None:
            self._listener.close()
