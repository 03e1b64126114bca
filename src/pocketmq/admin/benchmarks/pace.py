"""When the next message is due, for a load that sends so many a second.

Latency counts from that moment and not from when the sender got to it: a server that stalls makes
those wait too who would have sent meanwhile, and a measurement that leaves them out flatters it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from pocketmq.clock import SystemClock

CLOCK: Final = SystemClock()


class Pace:
    """Hands out moments to all senders together, from the first turn on. A rate of 0 means now."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second > 0 else 0.0
        self._next = 0.0

    async def turn(self) -> float:
        """Wait for the next moment; return it. One that is missed comes at once."""
        if not self._interval:
            return CLOCK.monotonic()
        due = self._next or CLOCK.monotonic()
        self._next = due + self._interval
        wait = due - CLOCK.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        return due
