"""Sockets served in turns: nothing is lost, reordered or left waiting, whatever peers do."""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from tests.support.waiting import until

from pocketmq import _speedups
from pocketmq.net.turns import Turns, TurnTransport, can_take_turns

fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

pytestmark = pytest.mark.skipif(
    not _speedups.has("sockets") or not can_take_turns(),
    reason="the leaf `sockets` is not compiled, not wanted, or this is not Linux",
)


class Keeping(asyncio.Protocol):
    """Keeps what happens to it."""

    def __init__(self) -> None:
        self.received = b""
        self.paused = False
        self.pauses = 0
        self.lost: list[Exception | None] = []
        self.breaks = False
        self.transport: TurnTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(TurnTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self.breaks:
            raise ValueError("this protocol is broken")
        self.received += data

    def pause_writing(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Service:
    """Takes no reads together unless told to."""

    take_turn: Any = None


class Server:
    """Turns, their protocols in the order of connections, and sockets of clients."""

    def __init__(self) -> None:
        self.protocols: list[Keeping] = []
        self.clients: list[socket.socket] = []
        self.service = Service()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.turns = Turns(self._protocol, self.listener, self.service)

    def _protocol(self) -> Keeping:
        self.protocols.append(Keeping())
        return self.protocols[-1]

    async def connect(self) -> tuple[socket.socket, Keeping, TurnTransport]:
        """A client's socket, and the protocol and transport at this end."""
        client = socket.create_connection(self.listener.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        count = len(self.clients)
        await until(lambda: len(self.protocols) == count)
        protocol = self.protocols[-1]
        assert protocol.transport is not None
        return client, protocol, protocol.transport


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    server.turns.start()
    try:
        yield server
    finally:
        server.turns.stop_accepting()
        for protocol in server.protocols:
            assert protocol.transport is not None
            protocol.transport.abort()
        await until(lambda: all(protocol.lost for protocol in server.protocols))
        server.turns.close()
        server.listener.close()
        for client in server.clients:
            client.close()


async def read_all(client: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    found = b""
    while len(found) < size:
        piece = await loop.sock_recv(client, 1 << 20)
        assert piece, "the stream ended early"
        found += piece
    return found


async def test_what_a_peer_does_not_take_waits_and_arrives_whole_and_in_order() -> None:
    async with serving() as server:
        client, protocol, transport = await server.connect()
        parts = [bytes([n]) * 100_000 for n in range(200)]
        for number, part in enumerate(parts):
            if number % 3:
                transport.write(part)
            else:
                transport.writelines([part[:50_000], memoryview(part)[50_000:]])
        assert protocol.paused
        assert transport.get_write_buffer_size() > 0
        assert await read_all(client, 20_000_000) == b"".join(parts)
        await until(lambda: not protocol.paused)
        assert transport.get_write_buffer_size() == 0
        assert protocol.pauses == 1


async def test_closing_lets_what_is_written_arrive_first() -> None:
    async with serving() as server:
        client, protocol, transport = await server.connect()
        transport.write(b"x" * 10_000_000)
        transport.close()
        transport.write(b"too late")
        assert not protocol.lost
        assert await read_all(client, 10_000_000) == b"x" * 10_000_000
        await until(lambda: protocol.lost == [None])
        assert await asyncio.get_running_loop().sock_recv(client, 10) == b""


async def test_aborting_drops_what_waits_and_tells_the_protocol_once() -> None:
    async with serving() as server:
        _, protocol, transport = await server.connect()
        transport.write(b"x" * 10_000_000)
        transport.abort()
        transport.abort()
        transport.close()
        await until(lambda: bool(protocol.lost))
        assert protocol.lost == [None]
        assert transport.is_closing()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_peer_that_goes_is_noticed(reset: bool) -> None:
    async with serving() as server:
        client, protocol, _ = await server.connect()
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await until(lambda: bool(protocol.lost))
        (error,) = protocol.lost
        assert isinstance(error, OSError) is reset


async def test_nothing_is_read_while_reading_is_paused_and_all_of_it_afterwards() -> None:
    async with serving() as server:
        client, protocol, transport = await server.connect()
        other, told, _ = await server.connect()
        transport.pause_reading()
        assert not transport.is_reading()
        client.sendall(b"early")
        other.sendall(b"there")
        await until(lambda: told.received == b"there")
        assert protocol.received == b""
        transport.resume_reading()
        await until(lambda: protocol.received == b"early")


async def test_a_pause_in_the_middle_of_a_turn_keeps_what_was_read_already() -> None:
    async with serving() as server:
        _, first, pausing = await server.connect()
        _, second, paused = await server.connect()

        def pause(data: bytes) -> None:
            first.received += data
            paused.pause_reading()

        first.data_received = pause  # type: ignore[method-assign]
        pausing.arrived(b"one")
        paused.arrived(b"two")
        assert second.received == b""
        paused.resume_reading()
        await until(lambda: second.received == b"two")


async def test_a_read_larger_than_one_call_takes_is_gone_on_with() -> None:
    async with serving() as server:
        client, protocol, _ = await server.connect()
        sent = bytes(range(256)) * 20_000
        await asyncio.get_running_loop().sock_sendall(client, sent)
        await until(lambda: len(protocol.received) >= len(sent))
        assert protocol.received == sent


async def test_more_sockets_than_one_wait_reports_are_all_served() -> None:
    async with serving() as server:
        for _ in range(300):
            await server.connect()
        for number, client in enumerate(server.clients):
            client.sendall(b"%d" % number)
        await until(lambda: all(protocol.received for protocol in server.protocols))
        assert [p.received for p in server.protocols] == [b"%d" % n for n in range(300)]


async def test_a_broken_protocol_loses_its_own_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        client, protocol, _ = await server.connect()
        other, sound, _ = await server.connect()
        protocol.breaks = True
        client.sendall(b"x")
        other.sendall(b"y")
        await until(lambda: bool(protocol.lost) and sound.received == b"y")
        assert isinstance(protocol.lost[0], ValueError)
        assert not sound.lost
        assert "serving a connection failed" in caplog.text


async def test_leaves_may_serve_transports_with_a_lane_while_they_are_read_from() -> None:
    async with serving() as server:
        turns_seen: list[int] = []
        server.service.take_turn = lambda arrivals: turns_seen.append(len(arrivals))
        clients = [await server.connect() for _ in range(3)]
        turns_seen.clear()
        _, _, transport = clients[0]
        lanes = [transport.seat.lane]
        transport.set_lane(b"12345678")
        lanes.append(transport.seat.lane)
        transport.pause_reading()
        lanes.append(transport.seat.lane)
        transport.resume_reading()
        lanes.append(transport.seat.lane)
        assert lanes == [None, b"12345678", None, b"12345678"]
        for client, _, _ in clients:
            client.sendall(b"ab")
        server.turns.turn()
        assert turns_seen == [3]
        assert [protocol.received for _, protocol, _ in clients] == [b"ab"] * 3, "nobody took it"
        transport.close()
        assert transport.seat.lane is None


async def test_sockets_that_a_turn_has_no_room_for_come_first_in_the_next() -> None:
    read_bytes, room_bytes = 1 << 18, 1 << 20
    async with serving() as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * read_bytes)
        order: list[int] = []
        for number in range(8):
            client, protocol, _ = await server.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * read_bytes)

            def received(data: bytes, number: int = number) -> None:
                order.append(number)

            protocol.data_received = received  # type: ignore[method-assign]
        await until(lambda: all(_unread(p) > read_bytes for p in _filled(server)))
        server.turns.turn()
        assert len(order) == room_bytes // read_bytes
        server.turns.turn()
        assert sorted(order) == list(range(8)), "each was read once before any was read twice"


def _filled(server: Server) -> list[Keeping]:
    for client in server.clients:
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(bytes(1 << 16))
    return server.protocols


def _unread(protocol: Keeping) -> int:
    """Bytes that wait in the socket of this end."""
    assert protocol.transport is not None
    waiting = array.array("i", [0])
    fcntl.ioctl(protocol.transport.seat.descriptor, termios.FIONREAD, waiting)
    return waiting[0]


class OutOfDescriptors:
    """A listener that cannot accept, and then can."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.failures = 1

    def accept(self) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


async def test_without_descriptors_connections_wait_and_are_accepted_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        server.turns._listener = OutOfDescriptors(server.listener)  # type: ignore[assignment]
        _, protocol, _ = await server.connect()
        assert "raise the limit of open files" in caplog.text
        assert not protocol.lost
