"""A connection that mostly asks: the client's end of a `Connection`.

Requests of one turn of the event loop leave in one write; only one that finds nothing under way
leaves at once, so that a lonely request does not wait. Every request has a deadline, and one timer
for the connection finds those that have passed: a timer for each would cost more than the request.
A connection on which nothing at all came while a request waited in vain is cut: its other end is
most likely gone without a word, and the next request is better off with a new one.

Whoever waits for an answer is a `Waiter`: a future, or an object that acts like one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from pocketmq.errors import ConnectionLost, ProtocolError, RpcTimeout
from pocketmq.net.config import ListenConfig
from pocketmq.net.connection import Connection, Service
from pocketmq.protocol.command import FLAG_RESPONSE, Body, Command
from pocketmq.protocol.framing import (
    Frame,
    bytes_needed,
    encode_frame,
    frame_to_command,
    parse_rest,
    scan_frames,
)

_log = logging.getLogger(__name__)

Answer = tuple[bytes, Frame]
"""The bytes of one read, and where in them the answer lies."""

_SWEEP_SECONDS_MIN = 0.05
_SILENCE_SECONDS_MIN = 1.0
_BLOCKED_SECONDS = 0.1
_NEVER = float("inf")
_READ_BUFFER_BYTES = 128 * 1024


class Waiter(Protocol):
    """Waits for one answer. `asyncio.Future[Answer]` is one."""

    def done(self) -> bool:
        """True when nobody waits any more."""
        ...

    def set_result(self, result: Answer, /) -> object:
        """The answer has come."""
        ...

    def set_exception(self, exception: BaseException, /) -> object:
        """No answer will come."""
        ...


class CallerConnection(Connection):
    """One connection to a server. `name` is the address it was opened with."""

    def __init__(self, service: Service, config: ListenConfig, name: str) -> None:
        super().__init__(service, config)
        self.name = name
        self.peer_version = 0
        """What the server announced in its last answer; 0 until it has answered."""
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[Waiter, float, object, float]] = {}
        self._heard_at = 0.0
        self._out: list[Body] = []
        self._sweep_at = _NEVER
        self._sweep: asyncio.TimerHandle | None = None
        self._looks_again = False
        self._reason = ""
        self._retired = ""
        self._drained: asyncio.Event | None = None

    # -- asking -----------------------------------------------------------------------------

    @property
    def under_way(self) -> int:
        """How many requests are not answered yet."""
        return len(self._waiting)

    def submit(
        self, opaque: int, frame: Body, waiter: Waiter, deadline: float, step: object
    ) -> None:
        """Send the frame of a request; `waiter` gets the answer, RpcTimeout or ConnectionLost.

        `deadline` is in the loop's time. `step` says in errors what was going on: its `str` is
        only made then. Raise ConnectionLost when the connection is closed already.
        """
        transport = self._transport
        if transport is None:
            raise ConnectionLost(f"{self._why_closed()} before {step}")
        waiting = self._waiting
        waiting[opaque] = (waiter, deadline, step, self._loop.time())
        if deadline < self._sweep_at:
            self._schedule_sweep(deadline)
        out = self._out
        if out:
            out.append(frame)
        elif len(waiting) == 1:
            transport.write(frame)
        else:
            out.append(frame)
            self._loop.call_soon(self._flush)

    def submit_oneway(self, frame: Body) -> None:
        """Send the frame of a request that is never answered. Raise ConnectionLost."""
        if self._transport is None:
            raise ConnectionLost(self._why_closed())
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)

    async def call(self, command: Command, timeout_ms: int, step: object = None) -> Command:
        """Send a request and wait for its response. Raise RpcTimeout or ConnectionLost."""
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        deadline = self._loop.time() + timeout_ms / 1000
        step = step or f"request {command.code}"
        self.submit(command.opaque, encode_frame(command), waiter, deadline, step)
        try:
            data, frame = await waiter
        except RpcTimeout:
            raise RpcTimeout(f"{self.name} did not answer {step} within {timeout_ms} ms") from None
        finally:
            self._waiting.pop(command.opaque, None)
        return frame_to_command(data, frame)

    async def writable(self) -> None:
        """Return when the peer takes bytes again, or is gone."""
        while self._writing_paused and self._transport is not None:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    def _flush(self) -> None:
        out = self._out
        transport = self._transport
        if transport is None or not out:
            out.clear()
            return
        transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()

    # -- deadlines --------------------------------------------------------------------------

    def _schedule_sweep(self, when: float) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep_at = when
        self._sweep = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        due, self._sweep, self._sweep_at = self._sweep_at, None, _NEVER
        now = self._loop.time()
        if now - due > _BLOCKED_SECONDS and not self._looks_again:
            # Something has blocked the loop, so answers may have come and not been read yet.
            self._looks_again = True
            self._schedule_sweep(now + _SWEEP_SECONDS_MIN)
            return
        self._looks_again = False
        late = [item for item in self._waiting.items() if item[1][1] <= now]
        is_dead = False
        for opaque, (waiter, _, step, since) in late:
            self._waiting.pop(opaque, None)
            if not waiter.done():
                waiter.set_exception(RpcTimeout(f"{self.name} did not answer {step} in time"))
            is_dead |= self._heard_at <= since <= now - _SILENCE_SECONDS_MIN
        if self._retired and not self._waiting:
            self.close(self._retired)
        elif is_dead:
            self._reason = "it has fallen silent"
            self.abort(self._reason)
        elif self._waiting:
            first = min(entry[1] for entry in self._waiting.values())
            self._schedule_sweep(max(first, now + _SWEEP_SECONDS_MIN))

    # -- asyncio protocol -------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """One read: cut it into frames, give answers to those who wait, serve requests."""
        self.active = True
        if self._kept_bytes:
            self._kept.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes < self._kept_needed:
                return
            data = b"".join(self._kept)
            self._kept.clear()
            self._kept_bytes = 0
        frames, consumed = scan_frames(data, 0, self._frame_bytes_max)
        if consumed != len(data):
            try:
                frames, consumed = parse_rest(data, frames, consumed, self._frame_bytes_max)
                if consumed != len(data):
                    self._keep(data[consumed:])
            except ProtocolError as error:
                self._reason = f"it broke the protocol: {error}"
                self.close(self._reason)
                return
        waiting = self._waiting
        frame: Frame
        for frame in frames:
            if frame[2] & FLAG_RESPONSE:
                entry = waiting.pop(frame[1], None)
                if entry is None:
                    _log.debug("answer without a question peer=%s", self.peer)
                elif not entry[0].done():
                    entry[0].set_result((data, frame))
            else:
                self._serve_request(data, frame)
        if self._retired and not waiting:
            self.close(self._retired)
        if frames:
            self.peer_version = frames[-1][5]
            self._heard_at = self._loop.time()

    def _serve_request(self, data: bytes, frame: Frame) -> None:
        reply = self._serve(data, frame)
        if reply is not None:
            self.write([reply] if isinstance(reply, bytes) else reply)

    def _keep(self, rest: bytes) -> None:
        super()._keep(rest)
        assert self._kept_needed == bytes_needed(rest)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The socket is closed: fail what waits on it."""
        if exc is not None and not self._reason:
            self._reason = str(exc)
        waiting, self._waiting = self._waiting, {}
        self._out.clear()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        super().connection_lost(exc)
        for waiter, _, step, _ in waiting.values():
            if not waiter.done():
                why = self._why_closed()
                waiter.set_exception(ConnectionLost(f"{why} before it answered {step}"))
        self._wake_writers()

    def _why_closed(self) -> str:
        because = f" ({self._reason})" if self._reason else ""
        return f"the connection to {self.name} was closed{because}"

    def pause_writing(self) -> None:
        """The peer reads too slowly: whoever asks `writable` waits. Answers are still read."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._writing_paused = False
        self._wake_writers()

    def _wake_writers(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def retire(self, reason: str) -> None:
        """Close as soon as nothing is under way any more."""
        self._retired = reason
        if not self._waiting:
            self.close(reason)

    def close(self, reason: str) -> None:
        """Close after what is already written has left."""
        self._flush()
        if not self._reason:
            self._reason = reason
        super().close(reason)


class BufferedCallerConnection(CallerConnection, asyncio.BufferedProtocol):
    """The same for asyncio's own loops, whose plain reads allocate 256 KiB each."""

    def __init__(self, service: Service, config: ListenConfig, name: str) -> None:
        super().__init__(service, config, name)
        self._read_buffer = memoryview(bytearray(_READ_BUFFER_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next read goes."""
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """A read has come."""
        self.data_received(bytes(self._read_buffer[:nbytes]))


def connection_factory(
    loop: asyncio.AbstractEventLoop, service: Service, config: ListenConfig, name: str
) -> Callable[[], CallerConnection]:
    """What makes connections that suit the loop."""
    plain = isinstance(loop, asyncio.SelectorEventLoop)
    kind = BufferedCallerConnection if plain else CallerConnection
    return lambda: kind(service, config, name)
