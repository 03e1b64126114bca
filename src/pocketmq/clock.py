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


class ManualClock:
    """A clock for tests: it stands still until `advance` is called.

    Listeners added with `on_advance` run after each step, so that services which sleep on this
    clock wake when their moment has come.
    """

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = start_ms
        self._elapsed_ms = 0
        self._listeners: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, as last set."""
        return self._now_ms

    def monotonic(self) -> float:
        """Seconds advanced since creation."""
        return self._elapsed_ms / 1000

    def advance(self, *, hours: float = 0, seconds: float = 0, ms: int = 0) -> None:
        """Move time forward. Raise ValueError for a step backwards."""
        step_ms = ms + round(seconds * 1000) + round(hours * 3_600_000)
        if step_ms < 0:
            raise ValueError("a clock cannot be moved backwards")
        self._now_ms += step_ms
        self._elapsed_ms += step_ms
        for listener in list(self._listeners):
            listener()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each advance."""
        self._listeners.append(listener)
