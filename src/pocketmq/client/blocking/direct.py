"""Sends without the event loop: the calling thread writes to a socket of its own and waits there.

Handing a send to the loop's thread and its result back costs more than the broker takes. So a plain
message to a known topic goes straight: lane, frame, `sendall`, `recv`. Whatever is odd about a
message, its route or its broker goes by the loop, and so does an attempt that failed here.

Sockets lie in a pool, last used on top. A thread takes one, so there are as many as threads send at
the same moment.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections import deque
from typing import Final

from pocketmq.client.config import ClientConfig
from pocketmq.client.lanes import Lane
from pocketmq.client.outgoing import Outgoing
from pocketmq.clock import SystemClock
from pocketmq.errors import ConnectFailed, ConnectionLost, ProtocolError, RpcTimeout
from pocketmq.net.address import Address
from pocketmq.protocol.command import FLAG_RESPONSE, next_opaque
from pocketmq.protocol.framing import Frame, encode_frame, parse_frames
from pocketmq.security import sign

READ_BYTES: Final = 64 * 1024
IDLE_SOCKETS_MAX: Final = 64
LOOK_AFTER_SECONDS: Final = 1.0
DROP_AFTER_SECONDS: Final = 60.0

_monotonic = SystemClock().monotonic
_HAS_SOCKET_TIMEOUTS: Final = sys.platform != "win32"
_PEEK: Final = getattr(socket, "MSG_PEEK", 0) | getattr(socket, "MSG_DONTWAIT", 0)


class DirectSocket:
    """One blocking connection to a broker."""

    __slots__ = ("_socket", "_timeout", "address", "used_at")

    def __init__(self, address: str, config: ClientConfig, timeout: float) -> None:
        """Connect. Raise ConnectFailed."""
        self.address = address
        self._timeout = timeout
        self.used_at = _monotonic()
        try:
            host, port = Address.parse(address)
            plain = socket.create_connection((host, port), config.connect_timeout_ms / 1000)
        except (OSError, ValueError) as error:
            raise ConnectFailed(f"cannot connect to {address}: {error}") from None
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = config.tls_context()
            self._socket = _secured(plain, context, host) if context is not None else plain
        except (OSError, ssl.SSLError) as error:
            plain.close()
            raise ConnectFailed(f"cannot speak TLS with {address}: {error}") from None
        self._limit()

    def _limit(self) -> None:
        """Let reads and writes fail after a time.

        The kernel's own timeouts cost nothing; Python's add a system call to every read and write.
        """
        if not _HAS_SOCKET_TIMEOUTS or isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(self._timeout)
            return
        self._socket.settimeout(None)
        seconds, rest = divmod(self._timeout, 1)
        packed = struct.pack("ll", int(seconds), int(rest * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, packed)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, packed)

    def ask(self, frame: bytes, opaque: int, step: object) -> Frame:
        """The answer to a request. Raise ConnectionLost or RpcTimeout; then it must be closed."""
        connection = self._socket
        deadline = _monotonic() + self._timeout
        try:
            connection.sendall(frame)
            data = connection.recv(READ_BYTES)
            while True:
                if not data:
                    raise ConnectionLost(f"{self.address} closed the connection during {step}")
                frames, consumed = parse_frames(data)
                for answer in frames:
                    if answer[1] == opaque and answer[2] & FLAG_RESPONSE:
                        return answer
                if _monotonic() > deadline:
                    raise TimeoutError("something comes all the time, but not the answer")
                rest = data[consumed:]
                more = connection.recv(READ_BYTES)
                data = rest + more if more else b""
        except (BlockingIOError, TimeoutError):
            raise RpcTimeout(f"{self.address} did not answer {step} in time") from None
        except ProtocolError as error:
            raise ConnectionLost(f"{self.address} broke the protocol: {error}") from None
        except OSError as error:
            raise ConnectionLost(f"the connection to {self.address} broke: {error}") from None

    def is_alive(self, now: float) -> bool:
        """Whether it is still good after a pause: the broker may have closed it."""
        idle = now - self.used_at
        if idle < LOOK_AFTER_SECONDS:
            return True
        if idle > DROP_AFTER_SECONDS or isinstance(self._socket, ssl.SSLSocket):
            return idle < DROP_AFTER_SECONDS
        try:
            self._socket.recv(1, _PEEK)
            return False  # closed, or it says something that nobody asked
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _secured(plain: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    return context.wrap_socket(plain, server_hostname=host)


class DirectSends:
    """The sockets of one producer's plain sends."""

    def __init__(self, config: ClientConfig, timeout: float) -> None:
        self._config = config
        self._timeout = timeout
        self._idle: dict[str, deque[DirectSocket]] = {}
        self._closed = False

    def ask(self, lane: Lane, out: Outgoing) -> Frame:
        """Send once and return the answer. Raise NetError."""
        opaque = next_opaque()
        credentials = self._config.credentials
        if credentials is None:
            frame = lane.frame(out, opaque)
        else:
            command = lane.command(out, opaque)
            sign(command.fields, command.body, credentials)
            frame = encode_frame(command)
        connection = self._take(lane.address)
        try:
            answer = connection.ask(frame, opaque, lane)
        except BaseException:
            # Also after Ctrl-C: the next one to use it would read this answer.
            connection.close()
            raise
        self._give(connection)
        return answer

    def _take(self, address: str) -> DirectSocket:
        idle = self._idle.get(address)
        now = _monotonic()
        while idle:
            try:
                found = idle.pop()
            except IndexError:
                break  # another thread was faster
            if found.is_alive(now):
                return found
            found.close()
        return DirectSocket(address, self._config, self._timeout)

    def _give(self, connection: DirectSocket) -> None:
        connection.used_at = _monotonic()
        idle = self._idle.get(connection.address)
        if idle is None:
            idle = self._idle.setdefault(connection.address, deque())
        if self._closed or len(idle) >= IDLE_SOCKETS_MAX:
            connection.close()
        else:
            idle.append(connection)

    def close(self) -> None:
        """Close what is idle; what is in use is closed by its user."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
