"""Long answers to operators, worked out a few milliseconds at a time while others are served.

What one question about all groups needs may take seconds. Its handler works within `steps()` and
calls `pause` between pieces: when it has used up its step, it rests, and clients get the loop. One
work at a time has a step; several take turns, so that together they cost what one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.clock import Clock
from pocketmq.errors import NotInMemory, Refused
from pocketmq.protocol.codes import ResponseCode

STEP_SECONDS: Final = 0.002
REST_SECONDS: Final = 0.002
RUNNING_MAX: Final = 64

T = TypeVar("T")


class Steps:
    """One work's share of the loop."""

    def __init__(self, turn: asyncio.Lock, clock: Clock, cold_reads: ColdReadService) -> None:
        self._turn = turn
        self._clock = clock
        self._cold_reads = cold_reads
        self._until = 0.0
        self._has_turn = False

    async def begin(self) -> None:
        """Wait for a step."""
        await self._turn.acquire()
        self._has_turn = True
        self._until = self._clock.monotonic() + STEP_SECONDS

    def end(self) -> None:
        """Let others have the next step."""
        if self._has_turn:
            self._has_turn = False
            self._turn.release()

    async def pause(self) -> None:
        """Rest if the step is used up."""
        if self._clock.monotonic() < self._until:
            return
        self.end()
        await asyncio.sleep(REST_SECONDS)
        await self.begin()

    async def look_up(self, look: Callable[[], T]) -> T:
        """What `look` returns; while the disk is read for it, others have the step.

        Raise Refused when what is read does not stay in memory.
        """
        try:
            return look()
        except NotInMemory:
            self.end()
        found = await self._cold_reads.look_up(look)
        await self.begin()
        return found


class LongWork:
    """Shares the loop out among long works, of which there are only so many at once."""

    def __init__(self, clock: Clock, cold_reads: ColdReadService) -> None:
        self._clock = clock
        self._cold_reads = cold_reads
        self._turn = asyncio.Lock()
        self.running = 0
        """How many works have begun and not ended."""

    @asynccontextmanager
    async def steps(self) -> AsyncIterator[Steps]:
        """Work within this. Raise Refused when too many do already."""
        if self.running >= RUNNING_MAX:
            raise Refused(
                ResponseCode.SYSTEM_BUSY,
                f"{RUNNING_MAX} long questions are being answered; ask again when some are done",
            )
        self.running += 1
        steps = Steps(self._turn, self._clock, self._cold_reads)
        try:
            await steps.begin()
            try:
                yield steps
            finally:
                steps.end()
        finally:
            self.running -= 1
