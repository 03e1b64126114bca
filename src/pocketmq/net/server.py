"""A listening socket and its connections.

The first bytes of a connection decide what it is: an optional PROXY header, then TLS (first byte
0x16) or plain frames (whose first byte is 0 or 1). `_Preamble` finds out and then hands the
transport to a `Connection`, directly or through a `TlsSession`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl

from pocketmq import descriptors
from pocketmq.errors import ListenFailed, ProtocolError
from pocketmq.net.address import Address
from pocketmq.net.config import ListenConfig
from pocketmq.net.connection import Connection, Service
from pocketmq.net.proxy_protocol import parse_proxy_header
from pocketmq.net.rounds import Rounds
from pocketmq.net.tls import TlsSession, server_context
from pocketmq.net.turns import TakeTurn, Turns, can_take_turns

_log = logging.getLogger(__name__)

_TLS_HANDSHAKE = 0x16


class Server:
    """Listens, and keeps the books of open connections."""

    def __init__(
        self, service: Service, config: ListenConfig, bound: socket.socket | None = None
    ) -> None:
        self._service = _Tracking(service, self)
        self._config = config
        self._tls: ssl.SSLContext | None = None
        self._socket = bound
        self._listener: asyncio.Server | None = None
        self._turns: Turns | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._preambles: set[_Preamble] = set()
        self._connections: set[Connection] = set()
        self.rounds: Rounds | None = None

    async def start(self) -> None:
        """Listen. Raise ListenFailed when the port cannot be had, ConfigError for bad TLS files."""
        self._tls = server_context(self._config)
        if self._socket is None:
            self._socket = bind(self._config)
        loop = asyncio.get_running_loop()
        if can_take_turns():
            self._turns = Turns(lambda: _Preamble(self), self._socket, self._service)
            self._turns.start()
        else:
            self.rounds = Rounds(self._service.take)
            self._listener = await loop.create_server(
                lambda: _Preamble(self), sock=self._socket, backlog=self._config.backlog
            )
        self._schedule_sweep()

    def break_off(self) -> None:
        """Stop listening and cut off all connections at once; `stop` has still to be called."""
        if self._listener is not None:
            self._listener.close()
        if self._turns is not None:
            self._turns.stop_accepting()
        for preamble in list(self._preambles):
            preamble.abort()
        for connection in list(self._connections):
            connection.abort("the server breaks off")

    async def stop(self, drain_timeout_seconds: float = 5.0) -> None:
        """Stop listening, let requests under way finish, close all connections."""
        if self._listener is not None:
            self._listener.close()
        if self._turns is not None:
            self._turns.stop_accepting()
        if self._sweep is not None:
            self._sweep.cancel()
        tasks = [task for connection in self._connections for task in connection.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=drain_timeout_seconds)
        for preamble in list(self._preambles):
            preamble.abort()
        connections = list(self._connections)
        for connection in connections:
            connection.close("the server is stopping")
        if connections:
            closing = [asyncio.ensure_future(c.wait_closed()) for c in connections]
            _, late = await asyncio.wait(closing, timeout=drain_timeout_seconds)
            for connection in connections:
                if connection.is_open:
                    connection.abort("the peer does not take its answers")
            if late:
                await asyncio.wait(late, timeout=1)
        if self._listener is not None:
            await self._listener.wait_closed()
            self._listener = None
        if self._turns is not None:
            self._turns.close()
            self._turns = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def port(self) -> int:
        """The port listened on; useful when 0 was asked for."""
        assert self._socket is not None, "the server is not bound"
        return int(self._socket.getsockname()[1])

    @property
    def connections(self) -> set[Connection]:
        """Open connections; do not change the set."""
        return self._connections

    @property
    def config(self) -> ListenConfig:
        """How this server listens."""
        return self._config

    def _obstacle(self) -> str:
        """Why there is no room for the newest connection; nothing when there is."""
        connections_max = self._config.connections_max
        if len(self._connections) + len(self._preambles) > connections_max:
            return f"{connections_max} are open; raise connections_max"
        if descriptors.are_short():
            return "other files need what is left; raise the limit of open files (ulimit -n)"
        return ""

    def _schedule_sweep(self) -> None:
        delay = self._config.idle_timeout_seconds / 2
        self._sweep = asyncio.get_running_loop().call_later(delay, self._close_idle)

    def _close_idle(self) -> None:
        # Two sweeps without a byte in either direction make a connection idle.
        for connection in list(self._connections):
            if not connection.was_active():
                connection.close(f"idle for {self._config.idle_timeout_seconds} s")
        self._schedule_sweep()


class _Tracking:
    """The server's service, with the server told of each connection."""

    def __init__(self, service: Service, server: Server) -> None:
        self._server = server
        self._service = service
        self.frame_handlers = service.frame_handlers
        self.take = service.take
        self.serve = service.serve

    @property
    def take_turn(self) -> TakeTurn | None:
        return self._service.take_turn

    def connected(self, connection: Connection) -> None:
        self._server.connections.add(connection)
        self._service.connected(connection)

    def disconnected(self, connection: Connection) -> None:
        self._server.connections.discard(connection)
        self._service.disconnected(connection)


class _Preamble(asyncio.Protocol):
    """The first bytes of a connection, and a TLS handshake; both have to be over in time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self._connection: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._server._preambles.add(self)
        obstacle = self._server._obstacle()
        if obstacle:
            _log.warning("connection refused: %s", obstacle)
            self.abort()
            return
        seconds = self._server.config.idle_timeout_seconds
        self._timeout = asyncio.get_running_loop().call_later(seconds, self.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._forget()

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        try:
            header = parse_proxy_header(data)
        except ProtocolError as error:
            _log.info("connection closed reason=%s", error)
            self.abort()
            return
        if header is None or len(data) == header.header_bytes:
            self._data = data
            return
        connection = Connection(self._server._service, self._server.config)
        connection.rounds = self._server.rounds
        if header.source is not None and header.target is not None:
            connection.set_addresses(header.source, header.target)
        self._become(connection, data[header.header_bytes :])

    def _become(self, connection: Connection, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        mode = self._server.config.tls_mode
        if data[0] == _TLS_HANDSHAKE:
            if self._server._tls is None:
                _log.warning(
                    "TLS connection refused: no certificate; set tls_certificate and tls_key"
                )
                self.abort()
                return
            session = TlsSession(self._server._tls, connection, transport, self._forget)
            transport.set_protocol(session)
            session.data_received(data)
        elif mode == "enforcing":
            _log.info("plain connection refused: tls_mode is enforcing")
            self.abort()
        else:
            self._forget()
            transport.set_protocol(connection)
            connection.connection_made(transport)
            connection.data_received(data)

    def _forget(self) -> None:
        self._server._preambles.discard(self)
        if self._timeout is not None:
            self._timeout.cancel()

    def abort(self) -> None:
        """Close at once."""
        self._forget()
        if self._transport is not None:
            self._transport.abort()


def bind(config: ListenConfig) -> socket.socket:
    """Take the port without serving yet. Raise ListenFailed when it cannot be had.

    A server does this itself when it starts; who binds first learns the port, or that it is taken,
    before anything else is opened.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    place = (config.host, config.port)
    try:
        # `create_server` adds words of its own to an error, and hides what kind it is.
        socket.getaddrinfo(*place, family, flags=socket.AI_PASSIVE)
        return socket.create_server(place, family=family, backlog=config.backlog)
    except OSError as error:
        raise _listen_failed(Address(config.host, config.port), error) from None


def _listen_failed(address: Address, error: OSError) -> ListenFailed:
    if isinstance(error, socket.gaierror):
        remark = f"no address is known for {address.host} ({error.strerror}); choose another --host"
        return ListenFailed(remark, other_port_helps=False)
    if error.errno == errno.EADDRNOTAVAIL:
        remark = f"{address.host} is not an address of this machine; choose another --host"
        return ListenFailed(remark, other_port_helps=False)
    return ListenFailed(_port_remark(address, error))


def _port_remark(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{address} is already in use; stop what listens there or choose another port"
    if error.errno == errno.EACCES:
        return f"listening on {address} is not allowed; choose a port above 1023"
    return f"cannot listen on {address}: {error.strerror or error}"
