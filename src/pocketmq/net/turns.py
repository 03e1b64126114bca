"""Sockets served in turns: all that is ready is read, then all is served, then all is answered.

An event loop calls a protocol for one socket at a time, and each answer wakes a client at once.
With many connections that have one request each under way, the calls and the wake-ups cost more
than the requests. `Turns` is one epoll set that the event loop watches as if it were a socket. When
anything in it is ready, one turn follows:

    1  every ready socket is read once, into one piece of memory   leaf `poller`
    2  what a leaf can serve, it serves there; it keeps answers    `take_turn`
    3  these answers leave                                         leaf `arrivals`
    4  each protocol gets the other bytes; what it writes is kept  `data_received`
    5  each transport writes what it kept                          one call a socket

`TurnTransport` is an asyncio transport as far as protocols can tell. Linux only, with the leaf.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from pocketmq import _speedups
from pocketmq.protocol.command import Body

_log = logging.getLogger(__name__)

_LOW_MARK_PART: Final = 4
_ACCEPTS_A_TURN: Final = 100
_ACCEPT_PAUSE_SECONDS: Final = 1.0
_OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_HAS_LEAVES: Final = all(_speedups.has(leaf) for leaf in ("arrivals", "poller", "sockets"))

if _HAS_LEAVES or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals as Arrivals
    from pocketmq._speedups.arrivals import Seat as Seat
    from pocketmq._speedups.poller import Poller as Poller
    from pocketmq._speedups.poller import available as available
    from pocketmq._speedups.sockets import send_bytes as send_bytes
    from pocketmq._speedups.sockets import send_parts as send_parts

TakeTurn = Callable[["Arrivals[TurnTransport]"], None]
ProtocolFactory = Callable[[], asyncio.Protocol]


class TakesTurns(Protocol):
    """A service that may be able to serve all reads of a turn together."""

    @property
    def take_turn(self) -> TakeTurn | None:
        """Serves what it can of the reads of transports that have a lane."""
        ...


def can_take_turns() -> bool:
    """Whether this system can serve sockets in turns."""
    return _HAS_LEAVES and available()


class Turns:
    """One epoll set, its transports, and the listener whose connections go into it."""

    def __init__(
        self, factory: ProtocolFactory, listener: socket.socket, service: TakesTurns
    ) -> None:
        self._service = service
        self._factory = factory
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._resume: asyncio.TimerHandle | None = None
        self.poller: Poller[TurnTransport] = Poller()
        self.unwritten: list[TurnTransport] = []
        self.in_turn = False
        self._again = False
        self._open = False

    def start(self) -> None:
        """Begin to accept connections and to serve them."""
        self._open = True
        self._listener.setblocking(False)
        self._loop.add_reader(self.poller.fileno(), self.turn)
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def stop_accepting(self) -> None:
        """Accept no more; connections go on."""
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._listener.fileno())

    def close(self) -> None:
        """Serve no more; every transport is closed already."""
        self._open = False
        self._loop.remove_reader(self.poller.fileno())
        self.poller.close()

    def turn(self) -> None:
        """Read, serve and answer everything that is ready."""
        self._again = False
        if not self._open:
            return
        arrivals, writable, more = self.poller.poll()
        self.in_turn = True
        try:
            take = self._service.take_turn
            if take is not None:
                take(arrivals)
            for transport, rest, answers in arrivals.finish():
                if answers:
                    transport.write(answers)
                if rest is not None:
                    transport.arrived(rest)
            for transport in writable:
                transport.flush()
        finally:
            self.in_turn = False
            self._answer()
        if more and not self._again:
            # Sockets with more to read than one call took are not reported by epoll again.
            self._again = True
            self._loop.call_soon(self.turn)

    def _answer(self) -> None:
        unwritten, self.unwritten = self.unwritten, []
        for transport in unwritten:
            transport.flush()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                accepted, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                _log.error(
                    "connections cannot be accepted; raise the limit of open files reason=%s",
                    error.strerror,
                )
                self._loop.remove_reader(self._listener.fileno())
                self._resume = self._loop.call_later(_ACCEPT_PAUSE_SECONDS, self._accept_again)
                return
            with contextlib.suppress(OSError):  # not all kinds of sockets have this option
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setblocking(False)
            TurnTransport(self, accepted, self._factory())

    def _accept_again(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._accept)


class TurnTransport(asyncio.Transport):
    """The transport of one accepted socket."""

    def __init__(self, turns: Turns, accepted: socket.socket, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._socket = accepted
        self._protocol = protocol
        self.kept: list[Body] = []
        self._kept_bytes = 0
        self._early: list[bytes | int] = []
        self._stuck = False
        self._high = 64 * 1024
        self._protocol_paused = False
        self._reading = True
        self._closing = False
        self._gone = False
        self._lane: bytes | None = None
        self.seat = Seat(self, accepted.fileno(), self.kept)
        turns.poller.add(self.seat)
        protocol.connection_made(self)

    # -- what the turn calls ----------------------------------------------------------------

    def arrived(self, data: bytes | int) -> None:
        """Hand on what was read: bytes, an empty read at the end of the stream, or an errno."""
        if self._gone:
            return
        if data.__class__ is int:
            self._lose(OSError(data, os.strerror(data)))
        elif self._closing:
            return
        elif not self._reading:
            # Paused after it was read, by what was served before it in the same turn.
            self._early.append(data)
        elif data:
            try:
                self._protocol.data_received(cast(bytes, data))
            except Exception as error:  # noqa: BLE001 - one broken protocol must not end the turn
                _log.error("serving a connection failed", exc_info=error)
                self._lose(error)
        else:
            self._protocol.eof_received()
            self.close()

    def flush(self) -> None:
        """Write what is kept, as far as the socket takes it."""
        kept = self.kept
        if self._gone or not kept:
            return
        sent = (
            send_bytes(self.seat.descriptor, kept[0])
            if len(kept) == 1
            else send_parts(self.seat.descriptor, kept)
        )
        if sent < 0:
            self._lose(OSError(-sent, os.strerror(-sent)))
            return
        self._kept_bytes -= sent
        if not self._kept_bytes:
            kept.clear()
            if self._stuck:
                self._stuck = False
                self._watch()
            if self._protocol_paused:
                self._resume_protocol()
            if self._closing:
                self._lose(None)
            return
        self._drop(sent)
        if not self._stuck:
            self._stuck = True
            self._watch()
        if self._protocol_paused and self._kept_bytes <= self._high // _LOW_MARK_PART:
            self._resume_protocol()

    def _drop(self, sent: int) -> None:
        """Forget the first `sent` bytes of what is kept."""
        whole = 0
        for part in self.kept:
            if sent < len(part):
                break
            sent -= len(part)
            whole += 1
        del self.kept[:whole]
        if sent:
            self.kept[0] = memoryview(self.kept[0])[sent:]

    # -- writing ----------------------------------------------------------------------------

    def write(self, data: Body) -> None:
        """Write now, or at the end of the turn."""
        if self._closing or not data:
            return
        turns = self._turns
        self._kept_bytes += len(data)
        kept = self.kept
        kept.append(data)
        if self._stuck:
            self._check_high_mark()
        elif not turns.in_turn:
            self.flush()
            self._check_high_mark()
        elif len(kept) == 1:
            turns.unwritten.append(self)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Write several buffers, without joining them."""
        for data in list_of_data:
            if len(data) and not self._closing:
                self.kept.append(data)
                self._kept_bytes += len(data)
        if self._stuck:
            self._check_high_mark()
        else:
            self.flush()
            self._check_high_mark()

    def _check_high_mark(self) -> None:
        if self._kept_bytes > self._high and not self._protocol_paused and not self._gone:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def _resume_protocol(self) -> None:
        self._protocol_paused = False
        self._protocol.resume_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say how many unsent bytes pause the protocol; a quarter of them lets it go on."""
        self._high = 64 * 1024 if high is None else high

    def get_write_buffer_size(self) -> int:
        """Bytes kept."""
        return self._kept_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high mark."""
        return self._high // _LOW_MARK_PART, self._high

    def can_write_eof(self) -> bool:
        """Half-closed connections are not supported."""
        return False

    # -- reading ----------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self._reading and not self._gone:
            self._reading = False
            self._watch()

    def resume_reading(self) -> None:
        """Read again."""
        if not self._reading and not self._gone:
            self._reading = True
            self._watch()
            if self._early:
                self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self.arrived(data)

    def is_reading(self) -> bool:
        """Whether this connection is read from."""
        return self._reading and not self._closing

    def set_lane(self, peer: bytes | None) -> None:
        """Let whole reads be served in turns, for a peer of this packed address; None: no more."""
        self._lane = peer
        self.seat.lane = peer if self._reading and not self._closing else None

    def _watch(self) -> None:
        reading = self._reading and not self._closing
        self.seat.lane = self._lane if reading else None
        self._turns.poller.change(self.seat, reading, self._stuck)

    # -- the rest of a transport ------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have what comes from now on."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Whoever gets what comes."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The socket's names: `peername`, `sockname`."""
        try:
            if name == "peername":
                return self._socket.getpeername()
            if name == "sockname":
                return self._socket.getsockname()
        except OSError:  # the peer may be gone already
            return default
        return default

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the peer is gone."""
        return self._closing

    def close(self) -> None:
        """Close once everything kept is written."""
        if self._closing:
            return
        self._closing = True
        self.seat.lane = None
        if self.kept:
            self._watch()
        else:
            self._lose(None)

    def abort(self) -> None:
        """Close now and drop what is kept."""
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if self._gone:
            return
        self._gone = self._closing = True
        self.seat.lane = None
        self.kept.clear()
        self._kept_bytes = 0
        self._turns.poller.remove(self.seat)
        self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._socket.close()
