"""The broker's clock in a test's hands.

Time passes as it does for everyone, but a test may skip some: `advance` goes from one moment at
which something happens to the next, and at each lets what is due happen and be consumed, as it
would have in real time. So a message that fails again and again goes through all its retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from pocketmq.clock import TravellingClock
from pocketmq.errors import PocketMQError
from pocketmq.testing.flight import Flight
from pocketmq.testing.loop_thread import LoopThread, Pending

_STOPS_MAX = 1_000_000


class BrokerClock:
    """What time it is for the broker."""

    def __init__(self, clock: TravellingClock, flight: Flight, thread: LoopThread) -> None:
        self._clock = clock
        self._flight = flight
        self._thread = thread

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._clock.now_ms()

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(self.now_ms / 1000, timezone.utc)

    def advance(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        ms: float = 0,
        timeout: float = 10,
    ) -> Pending[None]:
        """Let so much time pass now, with everything that falls due in it, one after the other.

        At each stop connected consumers get time to consume; NotSettled is raised when they are not
        done within `timeout` real seconds. In an async test await the result.
        """
        __tracebackhide__ = True
        step_ms = _milliseconds(days, hours, minutes, seconds, ms)
        return self._thread.wait_for(self._travel(step_ms, timeout), "rocketmq.clock.advance(...)")

    def jump(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        ms: float = 0,
    ) -> None:
        """Let so much time pass in one step, and wait for nothing."""
        step_ms = _milliseconds(days, hours, minutes, seconds, ms)

        def jump() -> None:
            self._clock.advance(ms=step_ms)
            self._flight.expire()

        self._thread.call(jump)

    def freeze(self) -> None:
        """Let time stand still until `advance`, `jump` or `thaw`; nothing falls due by itself."""
        self._thread.call(self._clock.freeze)

    def thaw(self) -> None:
        """Let time run on."""
        self._thread.call(self._clock.thaw)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Time stands still inside the `with` block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    async def _travel(self, step_ms: int, timeout_seconds: float) -> None:
        clock = self._clock
        target_ms = clock.now_ms() + step_ms
        if not self._flight.can_be_seen:
            clock.advance(ms=step_ms)
            return
        for _ in range(_STOPS_MAX):
            await self._flight.settle(timeout_seconds)
            left_ms = target_ms - clock.now_ms()
            if left_ms <= 0:
                return
            due_ms = self._flight.next_due_ms()
            to_next_ms = left_ms if due_ms is None else max(due_ms - clock.now_ms(), 1)
            clock.advance(ms=min(left_ms, to_next_ms))
            self._flight.expire()
        raise PocketMQError(f"{_STOPS_MAX} things fell due; advance the clock in smaller steps")


def _milliseconds(days: float, hours: float, minutes: float, seconds: float, ms: float) -> int:
    step_ms = round(((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000 + ms)
    if step_ms < 0:
        raise ValueError("the clock cannot be moved backwards; start another broker for that")
    return step_ms
