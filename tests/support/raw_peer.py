"""A peer with bare hands: it sends any bytes, and reads whole frames only when told to.

What arrives while nobody asks stays in the kernel, but for the first 128 KiB.
"""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType

from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame, frame_to_command, parse_frames, untyped

_READ_BYTES = 64 * 1024


class RawPeer:
    """One TCP connection, used as `async with RawPeer(port) as peer`."""

    def __init__(
        self, port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._data = b""
        self._commands: list[Command] = []

    async def __aenter__(self) -> RawPeer:
        self._reader, self._writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, limit=_READ_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.transport.abort()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    @property
    def local_port(self) -> int:
        """The port of this end."""
        return int(self._writer.get_extra_info("sockname")[1])

    async def send(self, *parts: Command | bytes) -> None:
        """Write commands, or bytes as they are, in one piece."""
        encoded = (encode_frame(p) if isinstance(p, Command) else p for p in parts)
        self._writer.write(b"".join(encoded))
        await self._writer.drain()

    async def receive(self) -> Command:
        """The next command. Raise EOFError when the other side has closed."""
        while not self._commands:
            more = await self._reader.read(_READ_BYTES)
            if not more:
                raise EOFError("the other side closed the connection")
            data = self._data + more
            frames, consumed = parse_frames(data)
            self._commands += [frame_to_command(data, untyped(frame)) for frame in frames]
            self._data = data[consumed:]
        return self._commands.pop(0)

    async def ask(self, command: Command) -> Command:
        """Send one request and return its answer, passing over anything else."""
        await self.send(command)
        while True:
            answer = await self.receive()
            if answer.is_response and answer.opaque == command.opaque:
                return answer

    async def closed_by_other_side(self) -> bool:
        """Read and drop until the end; True when the other side ended the connection."""
        try:
            while await self._reader.read(_READ_BYTES):
                continue
        except ConnectionError:
            return True
        return True
