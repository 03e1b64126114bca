"""A step that is run again and again until it is told to stop.

All services that tick are made of this: a name, an interval and a step, which is a function or a
coroutine function. A step that fails is logged, once for each new reason, and tried again after
the interval; when it works again that is logged too. What the disk does not allow, such as a write
when it is full, explains itself and is one line. A loop whose interval is meant in the time of
a clock is given that clock: then it also runs when the clock is moved past the end of the interval.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from pocketmq.clock import Clock
from pocketmq.errors import StoreFull, StoreNotWritable

_log = logging.getLogger(__name__)

STOP_GRACE_SECONDS: Final = 5.0

Step = Callable[[], Awaitable[object] | object]


class Loop:
    """Runs `step` every `interval_ms`, and at once when woken; never two steps at a time."""

    def __init__(self, name: str, interval_ms: int, step: Step, clock: Clock | None = None) -> None:
        self.name = name
        self.interval_ms = interval_ms
        self._step = step
        self._clock = clock
        self._due_at = 0.0
        self._stop_listening: Callable[[], None] | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the last step failed, or None when it did not."""
        return self._problem

    def start(self) -> None:
        """Begin; the first step is one interval away. Call on the event loop."""
        assert self._task is None, f"{self.name} is running already"
        self._stopping = False
        if self._clock is not None:
            self._stop_listening = self._clock.on_advance(self._time_has_moved)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self.name)

    def wake(self) -> None:
        """Run the next step as soon as the current one is done."""
        self._woken.set()

    @property
    def due_in_ms(self) -> int:
        """How long, on its clock, until the interval is over; 0 without a clock."""
        if self._clock is None:
            return 0
        return max(round((self._due_at - self._clock.monotonic()) * 1000), 0)

    async def stop(self) -> None:
        """End after the step under way; one that takes too long is cancelled."""
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._woken.set()
        _, late = await asyncio.wait((task,), timeout=STOP_GRACE_SECONDS)
        if late:
            _log.warning("service did not stop in time and is cancelled name=%s", self.name)
            task.cancel()
            await asyncio.wait((task,))

    async def _run(self) -> None:
        while True:
            if self._clock is not None:
                self._due_at = self._clock.monotonic() + self.interval_ms / 1000
            try:
                await asyncio.wait_for(self._woken.wait(), self.interval_ms / 1000)
            except (asyncio.TimeoutError, TimeoutError):
                self._woken.clear()  # nobody woke us: the interval is over
            if self._stopping:
                return
            self._woken.clear()
            await self._run_step()

    def _time_has_moved(self) -> None:
        assert self._clock is not None, "only a clock tells of this"
        if self._clock.monotonic() >= self._due_at:
            self._woken.set()

    async def _run_step(self) -> None:
        try:
            done = self._step()
            if inspect.isawaitable(done):
                await done
        except Exception as error:  # noqa: BLE001 - the edge of every service
            problem = f"{type(error).__name__}: {error}"
            if problem != self._problem:
                explained = isinstance(error, (StoreFull, StoreNotWritable))
                reason = f" reason={error}" if explained else ""
                trace = None if explained else error
                _log.error("service step failed name=%s%s", self.name, reason, exc_info=trace)
            self._problem = problem
            return
        if self._problem is not None:
            _log.info("service works again name=%s after=%s", self.name, self._problem)
            self._problem = None
