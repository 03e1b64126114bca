"""Counts what a load does, and watches the process that makes it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from pocketmq.admin.benchmarks.histogram import Histogram
from pocketmq.admin.benchmarks.pace import CLOCK
from pocketmq.admin.benchmarks.plan import Plan
from pocketmq.admin.benchmarks.results import Progress, Result

TICK_SECONDS: Final = 0.05
_TELL_SECONDS: Final = 0.5
_REASONS_MAX: Final = 20

Tell = Callable[[Progress], None]


class Meter:
    """Counts from the end of the warm-up on. `tell` hears how it goes, twice a second."""

    def __init__(self, plan: Plan, tell: Tell | None = None) -> None:
        self._plan = plan
        self._tell = tell
        self._step = "warming up"
        self._started = CLOCK.monotonic()
        self._ended = 0.0
        self._cpu = 0.0
        self._late = 0.0
        self._counts = False
        self._latency = Histogram()
        self._recent = Histogram()
        self._failures: Counter[str] = Counter()
        self._watching: asyncio.Task[None] | None = None
        self.messages = 0
        self.out_of_order = 0
        self.full = asyncio.Event()
        """Set when all messages of the plan are done."""

    # -- the load's side --------------------------------------------------------------------

    def done(self, seconds: float) -> None:
        """A message arrived after so long."""
        if not self._counts:
            return
        self.messages += 1
        self._latency.record(seconds)
        self._recent.record(seconds)
        if self._plan.messages and self.messages >= self._plan.messages:
            self.full.set()

    def arrived(self, count: int) -> None:
        """Messages arrived whose latency tells nothing; the first of them begin the count."""
        if not self._counts and not self._ended:
            self.begin()
        if self._counts:
            self.messages += count
            if self._plan.messages and self.messages >= self._plan.messages:
                self.full.set()
                self.end()

    def failed(self, reason: str) -> None:
        """A send failed."""
        if reason in self._failures or len(self._failures) < _REASONS_MAX:
            self._failures[reason] += 1

    # -- the runner's side ------------------------------------------------------------------

    def watch(self) -> None:
        """Begin to look at the loop and to tell how it goes."""
        self._watching = asyncio.ensure_future(self._watch())

    def begin(self) -> None:
        """The warm-up is over: count."""
        self._step, self._counts = "measuring", True
        self._started, self._cpu, self._late = CLOCK.monotonic(), time.process_time(), 0.0

    def say(self, step: str) -> None:
        """Name what goes on beside the measurement, for who is told."""
        self._step, self._started = step, CLOCK.monotonic()

    def end(self) -> None:
        """Count no more."""
        if self._counts:
            self._counts = False
            self._ended = CLOCK.monotonic()
            self._cpu = time.process_time() - self._cpu

    async def stop(self) -> None:
        """End the watch."""
        self.end()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def result(self) -> Result:
        """What was found."""
        seconds = max(self._ended - self._started, 0.0) if self._ended else 0.0
        return Result(
            self._plan,
            seconds,
            self.messages,
            self._latency,
            dict(self._failures.most_common()),
            self.out_of_order,
            self._cpu / seconds if seconds else 0.0,
            self._late * 1000,
        )

    async def _watch(self) -> None:
        told, told_messages = CLOCK.monotonic(), 0
        while True:
            due = CLOCK.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            now = CLOCK.monotonic()
            self._late = max(self._late, now - due)
            if self._tell is not None and now - told >= _TELL_SECONDS:
                rate = (self.messages - told_messages) / (now - told)
                recent, self._recent = self._recent, Histogram()
                p50, p99 = recent.quantile_ms(0.5), recent.quantile_ms(0.99)
                self._tell(Progress(self._step, now - self._started, self.messages, rate, p50, p99))
                told, told_messages = now, self.messages
