"""Wakes a loop before its time.

`asyncio.wait_for` may swallow a cancellation that comes at the very moment of the event it waits
for, and a loop that waits with it may then never end. One that waits for a bell does.
"""

from __future__ import annotations

import asyncio


class Bell:
    """Rung by anyone, waited for by one loop. A ring that nobody waits for is remembered."""

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the loop, or let its next wait end at once."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Return at the next ring, or after this time; tell whether it rang."""
        if not self._rung:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait([self._waiter], timeout=seconds)
            finally:
                self._waiter = None
        rung, self._rung = self._rung, False
        return rung
