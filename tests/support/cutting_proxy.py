"""A TCP proxy that cuts, stalls, delays, corrupts and refuses when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class CuttingProxy:
    """Forwards connections to one port; used as `async with CuttingProxy(port) as proxy`."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.connections = 0
        self.refusing = False
        self.delay_seconds = 0.0
        """How long each piece is held back, in both directions."""
        self._corrupted: Callable[[bytes], bytes] | None = None

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        if self._pipes:
            await asyncio.wait(self._pipes)
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """Where to connect."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset all open connections."""
        for writer in list(self._writers):
            writer.transport.abort()
        for pipe in self._pipes:
            pipe.cancel()

    def stall(self) -> None:
        """Forward nothing until `flow`, as a network that drops packets."""
        self._flowing.clear()

    def flow(self) -> None:
        """Forward again, what was held back first."""
        self._flowing.set()

    def corrupt_next_answer(self, corrupted: Callable[[bytes], bytes]) -> None:
        """Change the next piece that comes from the target."""
        self._corrupted = corrupted

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refusing:
            writer.transport.abort()
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        for source, target in ((reader, there[1]), (there[0], writer)):
            is_answer = target is writer
            pipe = asyncio.ensure_future(self._forward(source, target, is_answer))
            self._pipes.add(pipe)
            self._writers.add(target)
            pipe.add_done_callback(self._pipes.discard)

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, is_answer: bool
    ) -> None:
        try:
            while data := await source.read(64 * 1024):
                await self._flowing.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if is_answer and self._corrupted is not None:
                    data, self._corrupted = self._corrupted(data), None
                target.write(data)
                await target.drain()
        except ConnectionError:
            return
        finally:
            self._writers.discard(target)
            target.transport.abort()
