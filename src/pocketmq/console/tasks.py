"""Long actions: begun by a request, watched by others, stopped by one."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pocketmq.clock import Clock
from pocketmq.console.problems import Problem, not_found
from pocketmq.console.shapes import plain
from pocketmq.errors import PocketMQError

_log = logging.getLogger(__name__)

RUNNING_MAX = 4
REMEMBERED_MAX = 100


@dataclass(slots=True)
class Task:
    """A long action and how far it is."""

    id: str
    kind: str
    about: str
    state: str
    done: int
    failed: int
    total: int | None
    error: str | None
    started_ms: int
    ended_ms: int


Work = Callable[[Task, Callable[[], None]], Awaitable[None]]
"""Does it: changes the task as it moves on, and calls the function to tell those who watch."""


class Tasks:
    """Runs long actions, a few at a time, and remembers how the last ones ended."""

    def __init__(self, clock: Clock, tell: Callable[[str, Any], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, kind: str, about: str, work: Work, total: int | None = None) -> Task:
        """Begin. Raise Problem (429) while too many run, (409) while one about the same does."""
        for running in self._running:
            if (self._tasks[running].kind, self._tasks[running].about) == (kind, about):
                raise Problem(
                    409,
                    "conflict",
                    f"{kind} of {about} is under way already",
                    details={"task": running},
                )
        if len(self._running) >= RUNNING_MAX:
            raise Problem(
                429,
                "too_many",
                f"{RUNNING_MAX} tasks are under way; wait for one",
                headers={"Retry-After": "5"},
            )
        now = self._clock.now_ms()
        task = Task(secrets.token_hex(8), kind, about, "running", 0, 0, total, None, now, 0)
        self._tasks[task.id] = task
        while len(self._tasks) > REMEMBERED_MAX:
            self._forget_one()
        doing = asyncio.ensure_future(self._run(task, work))
        doing.add_done_callback(lambda _: self._ended(task))
        self._running[task.id] = doing
        return task

    def all(self) -> list[Task]:
        """Those that run and the last that ended, the newest first."""
        return list(reversed(self._tasks.values()))

    def get(self, number: str) -> Task:
        """One task. Raise Problem (404)."""
        found = self._tasks.get(number)
        if found is None:
            raise not_found("task", number[:32])
        return found

    def stop(self, number: str) -> Task:
        """Ask a task to stop."""
        task = self.get(number)
        running = self._running.get(number)
        if running is not None:
            running.cancel()
        return task

    async def close(self) -> None:
        """Stop all."""
        running = list(self._running.values())
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, task: Task, work: Work) -> None:
        def moved() -> None:
            self._tell("task", plain(task))

        try:
            await work(task, moved)
            task.state = "done"
        except asyncio.CancelledError:
            task.state = "stopped"
        except (PocketMQError, Problem) as error:
            task.state, task.error = "failed", str(error)
        except Exception as error:  # noqa: BLE001 - the edge of a task
            _log.exception("task=%s kind=%s: it failed", task.id, task.kind)
            task.state, task.error = "failed", f"a mistake of the console: {error}"

    def _ended(self, task: Task) -> None:
        if task.state == "running":
            task.state = "stopped"  # before it had begun
        task.ended_ms = self._clock.now_ms()
        self._running.pop(task.id, None)
        self._tell("task", plain(task))

    def _forget_one(self) -> None:
        for number in self._tasks:
            if number not in self._running:
                del self._tasks[number]
                return
