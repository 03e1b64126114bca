"""The only reader of time.

Everything that waits, expires or stamps asks a `Clock`, so that a test can hold time still and
let hours pass in a call. `SystemClock` is the real one; `ManualClock` moves only when told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pocketmq import _speedups


class Clock(Protocol):
    """Wall time in milliseconds and a monotonic time in seconds."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        ...

    def on_advance(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the clock is moved by hand; calling what this returns ends it.

        Who sleeps until a moment asks for this, so as to wake when that moment has come at once.
        """
        ...


def wall_clock_ms_plain() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


if _speedups.has("wall_clock"):
    from pocketmq._speedups.wall_clock import now_ms as wall_clock_ms
else:
    wall_clock_ms = wall_clock_ms_plain


class SystemClock:
    """The machine's clocks."""

    now_ms = staticmethod(wall_clock_ms)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def on_advance(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Nobody moves this clock by hand, so `listener` is never called."""
        return _nothing


class ManualClock:
    """A clock for tests: it stands still until `advance` is called."""

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = start_ms
        self._elapsed_ms = 0
        self._listeners: dict[object, Callable[[], None]] = {}

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, as last set."""
        return self._now_ms

    def monotonic(self) -> float:
        """Seconds advanced since creation."""
        return self._elapsed_ms / 1000

    def advance(self, *, hours: float = 0, seconds: float = 0, ms: int = 0) -> None:
        """Move time forward and wake who sleeps. Raise ValueError for a step backwards."""
        step_ms = ms + round(seconds * 1000) + round(hours * 3_600_000)
        if step_ms < 0:
            raise ValueError("a clock cannot be moved backwards")
        self._now_ms += step_ms
        self._elapsed_ms += step_ms
        self._tell()

    def on_advance(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each advance, until what this returns is called."""
        key = object()
        self._listeners[key] = listener

        def end() -> None:
            self._listeners.pop(key, None)

        return end

    def _tell(self) -> None:
        for listener in list(self._listeners.values()):
            listener()


class TravellingClock(ManualClock):
    """The machine's clocks, which can be moved ahead, and stopped.

    Time runs by itself, unless it is frozen; `advance` skips some of it in either case. Listeners
    hear of being frozen and thawed as of an advance.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self._stopped_at: tuple[int, float] | None = None

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, and what was skipped."""
        running = wall_clock_ms() if self._stopped_at is None else self._stopped_at[0]
        return running + self._now_ms

    def monotonic(self) -> float:
        """Seconds that never run backwards, and what was skipped."""
        running = time.monotonic() if self._stopped_at is None else self._stopped_at[1]
        return running + self._elapsed_ms / 1000

    @property
    def ahead_ms(self) -> int:
        """How far this clock is ahead of the machine's; 0 until it is moved or frozen."""
        if self._stopped_at is None:
            return self._now_ms
        return self._stopped_at[0] + self._now_ms - wall_clock_ms()

    @property
    def is_frozen(self) -> bool:
        """Whether time stands still until the next `advance`."""
        return self._stopped_at is not None

    def freeze(self) -> None:
        """Let time stand still."""
        if self._stopped_at is None:
            self._stopped_at = (wall_clock_ms(), time.monotonic())
            self._tell()

    def thaw(self) -> None:
        """Let time run again, from where it stands."""
        if self._stopped_at is not None:
            stopped_ms, stopped = self._stopped_at
            self._stopped_at = None
            self._now_ms -= wall_clock_ms() - stopped_ms
            self._elapsed_ms -= int((time.monotonic() - stopped) * 1000)
            self._tell()


def _nothing() -> None:
    """There is nothing to end."""
