"""What comes in one round of the event loop is served together at its end, and answered together.

Where connections are not served in turns (net/turns.py), the event loop brings the reads of a round
one by one. Served together, they share what each alone would cost: a call, a write to the log, the
filing of its records. And an answer that is written at once wakes a client that has gone to sleep,
which on a virtual machine costs more than the writing; of answers written one right after the other
only the first does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketmq.net.connection import Connection

_log = logging.getLogger(__name__)


class Read:
    """What was read of a connection, and how far it is served.

    `taken` counts bytes from the beginning, whole frames; `frames` says how many, and `answers`
    what is to be written for them.
    """

    __slots__ = ("answers", "connection", "data", "frames", "taken")

    def __init__(self, connection: Connection, data: bytes) -> None:
        self.connection = connection
        self.data = data
        self.taken = 0
        self.frames = 0
        self.answers = b""


Take = Callable[[Sequence[Read]], None]
"""Serves the frames at the beginning of reads, as far as it can."""


class Rounds:
    """The reads and the answers of one server's connections."""

    def __init__(self, take: Take | None) -> None:
        self._take = take
        self._reads: list[Read] = []
        self._answering: list[Connection] = []
        self._scheduled = False

    def arrived(self, connection: Connection, data: bytes) -> Read:
        """Serve this at the end of the round; until then more may be added to it."""
        read = Read(connection, data)
        self._reads.append(read)
        self._schedule()
        return read

    def answer(self, connection: Connection) -> None:
        """Let a connection write its answers at the end; called once a round for each."""
        self._answering.append(connection)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self.serve()
        self._scheduled = False
        answering, self._answering = self._answering, []
        for connection in answering:
            connection.write_answers()

    def serve(self) -> None:
        """Serve what has come, now."""
        reads, self._reads = self._reads, []
        try:
            if self._take is not None and reads:
                self._take(reads)
        finally:
            for read in reads:
                self._serve(read)

    def _serve(self, read: Read) -> None:
        try:
            read.connection.serve(read)
        except Exception as error:  # noqa: BLE001 - one broken connection must not end the round
            _log.error("serving a connection failed", exc_info=error)
            read.connection.abort("serving it failed")
