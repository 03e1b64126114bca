"""One connection: a transport below, frames and commands above.

Each read is one batch: all whole frames are cut out, each is served, and what can be answered at
once leaves in one write. Where there are no turns, the reads of a round are served together. A
handler that must wait is awaited in a task; its answer leaves when it is ready. A peer that does
not read its answers is not read from either, and is cut off when the answers already under way pass
the bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from pocketmq.errors import ConnectionLost, MalformedFrame, ProtocolError, RpcTimeout
from pocketmq.net.address import Address
from pocketmq.net.config import ListenConfig
from pocketmq.net.rounds import Read, Rounds, Take
from pocketmq.net.turns import TakeTurn, TurnTransport
from pocketmq.protocol.command import FLAG_ONEWAY, FLAG_RESPONSE, Body, Command
from pocketmq.protocol.framing import (
    MAP_CODES,
    Frame,
    bytes_needed,
    encode_frame,
    encode_head,
    frame_to_command,
    parse_rest,
    scan_frames,
    untyped,
)

_log = logging.getLogger(__name__)

Reply = Command | None
Served = Reply | Awaitable[Reply]
# A frame handler's answer: encoded bytes, or a list of buffers too large to be worth joining.
EncodedReply = bytes | list[Body] | None
FrameHandler = Callable[["Connection", bytes, Frame], EncodedReply]

_VECTORED_BYTES_MIN = 16 * 1024


class Service(Protocol):
    """What a server does with the commands of its connections."""

    frame_handlers: Mapping[int, FrameHandler]
    """Request codes that are served from the frame, without building a `Command`: those whose
    frames come out typed, and those of `MAP_CODES`."""

    take: Take | None
    """Serves the frames at the beginning of reads by itself, where there is something that can."""

    @property
    def take_turn(self) -> TakeTurn | None:
        """As `take`, for the reads of many connections together."""
        ...

    def serve(self, connection: Connection, command: Command) -> Served:
        """Answer one request. None: no answer, or it is sent later on the connection."""
        ...

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        ...

    def disconnected(self, connection: Connection) -> None:
        """A connection is closed; called exactly once for each `connected`."""
        ...


Around = Callable[[Service], Service]
"""Puts something between connections and a service, to watch or disturb what passes."""


class Connection(asyncio.Protocol):
    """The protocol object of one socket. Compared and hashed by identity."""

    def __init__(self, service: Service, config: ListenConfig) -> None:
        self._service = service
        self._frame_handlers = service.frame_handlers
        self._take = service.take
        self._turned: TurnTransport | None = None
        self._config = config
        self._frame_bytes_max = config.frame_bytes_max
        self._transport: asyncio.Transport | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._kept_needed = 0
        self._calls: dict[int, asyncio.Future[Command]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing_paused = False
        self._in_flight_paused = False
        self._closed = asyncio.get_running_loop().create_future()
        self._answers: list[Body] = []
        self._unserved: Read | None = None
        self.rounds: Rounds | None = None
        self.active = True
        self.peer = Address("", 0)
        self.local = Address("", 0)
        self.peer_packed = b""

    # -- asyncio protocol -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        if not self.peer.host:
            self.set_addresses(
                _address(transport.get_extra_info("peername")),
                _address(transport.get_extra_info("sockname")),
            )
        if isinstance(transport, TurnTransport) and self._take is not None:
            self._turned = transport
            transport.set_lane(self.peer_packed)
        transport.set_write_buffer_limits(  # type: ignore[attr-defined]
            high=self._config.write_buffer_pause_bytes
        )
        self._service.connected(self)

    def set_addresses(self, peer: Address, local: Address) -> None:
        """Tell who is at the other end; a PROXY header knows better than the socket."""
        self.peer = peer
        self.local = local
        self.peer_packed = peer.packed()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The socket is closed: fail what waits on it."""
        self._transport = None
        self._serve_unserved()
        calls, self._calls = self._calls, {}
        for waiting in calls.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost(f"{self.peer} closed the connection"))
        for task in list(self._tasks):
            task.cancel()
        self._kept.clear()
        self._answers.clear()
        if not self._closed.done():
            self._closed.set_result(None)
        self._service.disconnected(self)

    def data_received(self, data: bytes) -> None:
        """One read, served now or at the end of the round."""
        self.active = True
        if self._unserved is not None:
            self._unserved.data += data
            return
        if self._kept_bytes:
            self._kept.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes < self._kept_needed:
                return
            data = b"".join(self._kept)
            self._kept.clear()
            self._kept_bytes = 0
            if self._turned is not None:
                self._turned.set_lane(self.peer_packed)
        if self.rounds is not None:
            self._unserved = self.rounds.arrived(self, data)
            return
        read = Read(self, data)
        if self._take is not None:
            self._take((read,))
        self.serve(read)

    def _serve_unserved(self) -> None:
        if self._unserved is not None and self.rounds is not None:
            self.rounds.serve()

    def serve(self, read: Read) -> None:
        """Cut what is left of a read into frames, serve them, answer in one write."""
        self._unserved = None
        data = read.data
        out: list[Body] = [read.answers] if read.answers else []
        if read.taken == len(data):
            if out:
                self._answer_all(out)
            return
        frames, consumed = scan_frames(data, read.taken, self._frame_bytes_max)
        if consumed != len(data):
            try:
                frames, consumed = parse_rest(data, frames, consumed, self._frame_bytes_max)
                if consumed != len(data):
                    self._keep(data[consumed:])
            except ProtocolError as error:
                self.close(f"protocol error: {error}")
                return
        frame_handlers = self._frame_handlers
        for frame in frames:
            handler = frame_handlers.get(frame[0])
            if handler is not None and (type(frame[7]) is not dict or frame[0] in MAP_CODES):
                reply = handler(self, data, frame)
            else:
                reply = self._serve(data, frame)
            if reply is None:
                continue
            if isinstance(reply, bytes):
                out.append(reply)
            else:
                out.extend(reply)
        if out:
            self._answer_all(out)

    def _answer_all(self, out: list[Body]) -> None:
        if self.rounds is None:
            self.write(out)
            return
        if not self._answers:
            self.rounds.answer(self)
        self._answers += out

    def write_answers(self) -> None:
        """Send what was kept for the end of the round."""
        if self._answers:
            self.write(())

    def _keep(self, rest: bytes) -> None:
        needed = bytes_needed(rest)
        if needed > self._frame_bytes_max:
            raise MalformedFrame(f"a frame of {needed} bytes exceeds {self._frame_bytes_max}")
        self._kept.append(rest)
        self._kept_bytes = len(rest)
        self._kept_needed = needed
        if self._turned is not None:
            self._turned.set_lane(None)

    def eof_received(self) -> bool:
        """The peer sends no more: close."""
        return False

    def pause_writing(self) -> None:
        """The peer reads too slowly: stop reading from it."""
        self._writing_paused = True
        if self._transport is not None and not self._in_flight_paused:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._writing_paused = False
        if self._transport is not None and not self._in_flight_paused:
            self._transport.resume_reading()

    # -- serving ----------------------------------------------------------------------------

    def _serve(self, data: bytes, frame: Frame) -> EncodedReply:
        command = frame_to_command(data, untyped(frame))
        if command.flag & FLAG_RESPONSE:
            waiting = self._calls.pop(command.opaque, None)
            if waiting is None:
                _log.debug("answer without a question peer=%s opaque=%d", self.peer, command.opaque)
            elif not waiting.done():
                waiting.set_result(command)
            return None
        served = self._service.serve(self, command)
        if served is None:
            return None
        if isinstance(served, Command):
            return None if command.flag & FLAG_ONEWAY else _encode(served)
        self.answer_later(command, served)
        return None

    def answer_later(self, command: Command, served: Awaitable[Reply]) -> None:
        """Answer a request when `served` is ready; for handlers of typed frames."""
        self._track(asyncio.ensure_future(self._answer(command, served)))

    async def _answer(self, command: Command, served: Awaitable[Reply]) -> None:
        reply = await served
        if reply is not None and not command.is_oneway:
            self.send_command(reply)

    def _track(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._untrack)
        if len(self._tasks) >= self._config.requests_in_flight_max and not self._in_flight_paused:
            self._in_flight_paused = True
            if self._transport is not None and not self._writing_paused:
                self._transport.pause_reading()

    def _untrack(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("answering failed peer=%s", self.peer, exc_info=task.exception())
        if self._in_flight_paused and len(self._tasks) < self._config.requests_in_flight_max // 2:
            self._in_flight_paused = False
            if self._transport is not None and not self._writing_paused:
                self._transport.resume_reading()

    # -- sending ----------------------------------------------------------------------------

    def write(self, buffers: Sequence[Body]) -> None:
        """Send encoded bytes; dropped when the connection is closed."""
        transport = self._transport
        if transport is None:
            return
        self.active = True
        if self._answers:
            buffers, self._answers = [*self._answers, *buffers], []
        if len(buffers) == 1:
            transport.write(buffers[0])
        elif sum(map(len, buffers)) < _VECTORED_BYTES_MIN:
            transport.write(b"".join(buffers))
        else:
            transport.writelines(buffers)
        if self._writing_paused:
            self._check_backlog(transport)

    def _check_backlog(self, transport: asyncio.Transport) -> None:
        waiting_bytes = transport.get_write_buffer_size()
        if waiting_bytes > self._config.write_buffer_bytes_max:
            self.abort(f"the peer leaves {waiting_bytes} bytes unread")

    def send_command(self, command: Command) -> None:
        """Send a command; dropped when the connection is closed."""
        encoded = _encode(command)
        self.write([encoded] if isinstance(encoded, bytes) else encoded or [])

    def notify(self, command: Command) -> None:
        """Send a one-way request."""
        command.flag |= FLAG_ONEWAY
        self.send_command(command)

    async def call(self, command: Command, timeout_ms: int) -> Command:
        """Send a request and wait for its response. Raise RpcTimeout or ConnectionLost."""
        if self._transport is None:
            raise ConnectionLost(f"{self.peer} closed the connection")
        waiting: asyncio.Future[Command] = asyncio.get_running_loop().create_future()
        self._calls[command.opaque] = waiting
        try:
            self.send_command(command)
            return await asyncio.wait_for(waiting, timeout_ms / 1000)
        except (asyncio.TimeoutError, TimeoutError):
            raise RpcTimeout(
                f"{self.peer} did not answer request {command.code} within {timeout_ms} ms"
            ) from None
        finally:
            self._calls.pop(command.opaque, None)

    # -- closing ----------------------------------------------------------------------------

    def was_active(self) -> bool:
        """Whether a byte came or went since the last call."""
        was, self.active = self.active, False
        if self._turned is not None and self._turned.seat.active:
            self._turned.seat.active, was = False, True
        return was

    @property
    def is_open(self) -> bool:
        """False once the socket is closed."""
        return self._transport is not None

    @property
    def is_congested(self) -> bool:
        """True while the peer leaves unread more than it should."""
        return self._writing_paused

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """Requests still being worked on."""
        return self._tasks

    def close(self, reason: str) -> None:
        """Close after what is already written has left."""
        if self._transport is not None:
            _log.info("connection closed peer=%s reason=%s", self.peer, reason)
            self._serve_unserved()
            self.write_answers()
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once and drop what is unsent."""
        if self._transport is not None:
            _log.warning("connection cut off peer=%s reason=%s", self.peer, reason)
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Return when the socket is closed."""
        await asyncio.shield(self._closed)


def _encode(command: Command) -> EncodedReply:
    if len(command.body) < _VECTORED_BYTES_MIN:
        return encode_frame(command)
    return [encode_head(command, len(command.body)), command.body]


def _address(name: Any) -> Address:
    if isinstance(name, tuple) and len(name) >= 2:
        return Address(str(name[0]), int(name[1]))
    return Address("127.0.0.1", 0)
