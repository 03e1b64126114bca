"""Calls to other servers: one connection per address, opened when first needed."""

from __future__ import annotations

import asyncio
import ssl

from pocketmq.errors import ConnectFailed
from pocketmq.net.address import Address
from pocketmq.net.config import ListenConfig
from pocketmq.net.connection import Connection, Service
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
        self._connections: dict[str, Connection] = {}
        self._opening: dict[str, asyncio.Task[Connection]] = {}

    async def connect(self, address: str) -> Connection:
        """The open connection to `address`. Raise ConnectFailed."""
        known = self._connections.get(address)
        if known is not None and known.is_open:
            return known
        opening = self._opening.get(address)
        if opening is None:
            opening = asyncio.ensure_future(self._open(address))
            self._opening[address] = opening
            opening.add_done_callback(lambda _: self._opening.pop(address, None))
        return await asyncio.shield(opening)

    async def _open(self, address: str) -> Connection:
        host, port = Address.parse(address)
        loop = asyncio.get_running_loop()
        opened = loop.create_connection(
            lambda: Connection(self._service, self._config), host, port, ssl=self._tls
        )
        try:
            _, connection = await asyncio.wait_for(opened, self._connect_timeout_ms / 1000)
        except (OSError, asyncio.TimeoutError, TimeoutError) as error:
            raise ConnectFailed(
                f"cannot connect to {address}: {str(error) or 'timed out'}"
            ) from None
        self._connections[address] = connection
        return connection

    async def call(self, address: str, command: Command, timeout_ms: int = 3000) -> Command:
        """The response to `command`. Raise ConnectFailed, ConnectionLost or RpcTimeout."""
        connection = await self.connect(address)
        return await connection.call(command, timeout_ms)

    async def notify(self, address: str, command: Command) -> None:
        """Send a one-way request. Raise ConnectFailed."""
        connection = await self.connect(address)
        connection.notify(command)

    async def close(self) -> None:
        """Close all connections and wait until they are closed."""
        for opening in list(self._opening.values()):
            opening.cancel()
        connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.close("the client is closing")
        for connection in connections:
            await connection.wait_closed()
