"""Calls to other servers: one connection per address, opened when first needed."""

from __future__ import annotations

import asyncio
import ssl

from pocketmq.errors import ConnectFailed
from pocketmq.net.address import Address
from pocketmq.net.caller import CallerConnection, connection_factory
from pocketmq.net.config import ListenConfig
from pocketmq.net.connection import Service
from pocketmq.net.dispatch import Dispatch
from pocketmq.protocol.command import Command


class RpcClient:
    """Sends requests to addresses and matches the answers.

    A connection that closed is opened again by the next call. `service` answers requests that
    the peers send on these connections; without one they get REQUEST_CODE_NOT_SUPPORTED.
    """

    def __init__(
        self,
        *,
        service: Service | None = None,
        config: ListenConfig | None = None,
        connect_timeout_ms: int = 3000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._service: Service = service or Dispatch({}, role="client")
        self._config = config or ListenConfig()
        self._connect_timeout_ms = connect_timeout_ms
        self._tls = tls
        self._connections: dict[str, CallerConnection] = {}
        self._opening: dict[str, asyncio.Task[CallerConnection]] = {}
        self._retired: set[CallerConnection] = set()
        self._closed = False

    def connection(self, address: str) -> CallerConnection | None:
        """The open connection to `address`, if there is one."""
        known = self._connections.get(address)
        return known if known is not None and known.is_open else None

    def connections(self) -> list[CallerConnection]:
        """All open connections."""
        return [known for known in self._connections.values() if known.is_open]

    async def connect(self, address: str) -> CallerConnection:
        """The open connection to `address`. Raise ConnectFailed."""
        known = self._connections.get(address)
        if known is not None and known.is_open:
            return known
        if self._closed:
            raise ConnectFailed(f"cannot connect to {address}: this client is closed")
        opening = self._opening.get(address)
        if opening is None:
            opening = asyncio.ensure_future(self._open(address))
            self._opening[address] = opening
            opening.add_done_callback(lambda task: self._opened(address, task))
        return await asyncio.shield(opening)

    def _opened(self, address: str, opening: asyncio.Task[CallerConnection]) -> None:
        self._opening.pop(address, None)
        if not opening.cancelled():
            opening.exception()  # those who wait have it; if all of them left, that is fine too

    async def _open(self, address: str) -> CallerConnection:
        try:
            host, port = Address.parse(address)
        except ValueError as error:
            raise ConnectFailed(f"cannot connect: {error}") from None
        loop = asyncio.get_running_loop()
        factory = connection_factory(loop, self._service, self._config, address)
        opened = loop.create_connection(factory, host, port, ssl=self._tls)
        timeout_ms = self._connect_timeout_ms
        try:
            _, connection = await asyncio.wait_for(opened, timeout_ms / 1000)
        except (asyncio.TimeoutError, TimeoutError):
            raise ConnectFailed(
                f"cannot connect to {address}: no answer within {timeout_ms} ms"
            ) from None
        except OSError as error:
            raise ConnectFailed(
                f"cannot connect to {address}: {error}; check that it runs and can be reached"
            ) from None
        if self._closed:
            connection.close("the client is closing")
            await connection.wait_closed()
            raise ConnectFailed(f"cannot connect to {address}: this client is closed")
        self._connections[address] = connection
        return connection

    async def call(
        self, address: str, command: Command, timeout_ms: int = 3000, step: object = None
    ) -> Command:
        """The response to `command`. Raise ConnectFailed, ConnectionLost or RpcTimeout."""
        connection = self.connection(address) or await self.connect(address)
        return await connection.call(command, timeout_ms, step)

    async def notify(self, address: str, command: Command) -> None:
        """Send a one-way request. Raise ConnectFailed."""
        connection = self.connection(address) or await self.connect(address)
        connection.notify(command)

    def retire(self, address: str, reason: str) -> None:
        """Let the next call to `address` open a new connection; the old one closes when idle."""
        known = self._connections.pop(address, None)
        if known is not None:
            self._retired = {old for old in self._retired if old.is_open} | {known}
            known.retire(reason)

    async def close(self) -> None:
        """Close all connections and wait until they are closed."""
        self._closed = True
        openings = list(self._opening.values())
        for opening in openings:
            opening.cancel()
        if openings:
            await asyncio.wait(openings)
        connections = [*self._connections.values(), *self._retired]
        self._connections.clear()
        self._retired.clear()
        for connection in connections:
            connection.close("the client is closing")
        for connection in connections:
            await connection.wait_closed()
