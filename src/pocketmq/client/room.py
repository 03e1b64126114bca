"""Back-pressure: how much a producer may have unanswered, counted and in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator

from pocketmq.errors import TooManyInFlight


class Room:
    """Room for sends under way. One that is larger than all room still gets in alone."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self.count = 0
        self.bytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def is_open(self) -> bool:
        """True while another send may begin."""
        return self.count < self._count_max and (self.bytes < self._bytes_max or not self.count)

    @property
    def waiting(self) -> int:
        """How many sends wait for room."""
        return len(self._queue)

    def take(self, size_bytes: int) -> bool:
        """Take room if there is any, and nobody came first."""
        if self._queue or not self.is_open:
            return False
        self.count += 1
        self.bytes += size_bytes
        return True

    async def take_when_open(self, size_bytes: int, timeout: float) -> None:
        """Take room, waiting for it in turn. Raise TooManyInFlight after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(timeout, self._expire, turn, timeout)
        self._queue.append(turn)
        try:
            await turn
            self.count += 1
            self.bytes += size_bytes
        finally:
            timer.cancel()
            self._leave(turn)

    def _expire(self, turn: asyncio.Future[None], timeout: float) -> None:
        if not turn.done():
            turn.set_exception(
                TooManyInFlight(
                    f"{self.count} messages of {self.bytes} bytes are unanswered, and none was "
                    f"answered for {timeout:g} s; send less at a time, or raise in_flight_max"
                )
            )

    def _leave(self, turn: asyncio.Future[None]) -> None:
        """Leave the queue, and let in the next if there is still room."""
        if turn in self._queue:
            self._queue.remove(turn)
        self._admit()

    def give(self, size_bytes: int) -> None:
        """Give room back."""
        self.count -= 1
        self.bytes -= size_bytes
        if self._queue:
            self._admit()

    def _admit(self) -> None:
        """Let in the first of those who wait; it lets in the next."""
        if self._queue and self.is_open and not self._queue[0].done():
            self._queue[0].set_result(None)

    def __await__(self) -> Generator[object, None, None]:
        """Wait until there is room, without taking it."""
        while not self.is_open or self._queue:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                yield from turn.__await__()
            finally:
                self._leave(turn)
            if self.is_open:
                return
