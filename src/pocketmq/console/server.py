"""Serves the console: uvicorn on a socket that is already listening, on the loop that runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.routing import BaseRoute

from pocketmq.admin import Admin
from pocketmq.clock import Clock, SystemClock
from pocketmq.console.app import build_app
from pocketmq.console.config import ConsoleConfig
from pocketmq.console.desk import Desk
from pocketmq.errors import ConfigError, ListenFailed
from pocketmq.net.address import Address

HEADER_BYTES_MAX = 16 * 1024
_STOP_SECONDS = 2
_IDLE_SECONDS = 30


class _Uvicorn(uvicorn.Server):
    """A server that leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


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
        self._server = _Uvicorn(
            uvicorn.Config(
                build_app(self._desk, more),
                http="h11",
                ws="none",
                loop="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                h11_max_incomplete_event_size=HEADER_BYTES_MAX,
                limit_concurrency=config.connections_max,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._listener is not None, "not started"
        host, port = self._listener.getsockname()[:2]
        return Address(host, port)

    @property
    def desk(self) -> Desk:
        """What its endpoints use."""
        return self._desk

    async def start(self) -> None:
        """Listen and serve. Raise ListenFailed, ConfigError."""
        login = self._desk.sessions.users.needed
        if self._listener is None:
            problem = exposure_problem(self.config, login=login)
            if problem is not None:
                raise ConfigError(problem)
            self._listener = listen(self.config)
        self._serving = asyncio.ensure_future(self._server.serve([self._listener]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise ListenFailed(f"the console cannot listen on {self.address}")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """End streams, let requests finish, close."""
        self._server.should_exit = True
        await self._desk.close()
        if self._serving is not None:
            await self._serving
        if self._listener is not None:
            self._listener.close()


def listen(config: ConsoleConfig) -> socket.socket:
    """The listening socket. Raise ListenFailed, which names the address and the cure."""
    host, port = config.listen.host, config.listen.port
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except OSError as error:
        raise ListenFailed(f"the console cannot listen on {host}: {error.strerror}") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ListenFailed(
            f"the console cannot listen on {host}:{port} ({error.strerror}); choose another port "
            "with --console-port PORT, or do without it with --no-console"
        ) from None
    return listener


def exposure_problem(config: ConsoleConfig, *, login: bool) -> str | None:
    """Why it must not listen where it should: on a public address without a login."""
    host = config.listen.host
    if login or config.open_to_all or host in ("localhost", "::1") or host.startswith("127."):
        return None
    return (
        f"the console would be open to everybody who reaches {host}; make a login with "
        "`pocketmq console user add NAME`, or say --set console.open_to_all=true"
    )
