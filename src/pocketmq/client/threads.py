"""Handling messages with a plain function, on threads of the consumer's own.

Threads take messages from one queue and leave results in another; the event loop is woken once for
many results. Threads are started as they are needed, up to `concurrency`.

    ConcurrentThreads   any thread takes any message
    ThreadCalls         one call at a time is awaited, for ordered consumption
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pocketmq.client.concurrent import Item, settle
from pocketmq.client.handling import Ending, Handler, HandlerTimeout
from pocketmq.client.hooks import ConsumeContext
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.outcomes import Verdict, verdict_of, verdict_of_error
from pocketmq.client.process_queue import ProcessQueue

_log = logging.getLogger(__name__)

RESULTS_PER_TURN: Final = 256


@dataclass(slots=True)
class Job:
    """One call of the handler."""

    held: ProcessQueue
    item: Item
    context: ConsumeContext | None = None
    began: float = 0.0
    """When a thread took it, in the loop's time; 0 while it waits."""
    verdict: Verdict = None
    error: BaseException | None = None
    given_up: bool = False
    """True when it has taken too long and the message was given back already."""
    done: asyncio.Future[None] | None = None
    """For whoever awaits just this call."""


class HandlerThreads:
    """A few threads that call a plain handler."""

    def __init__(self, handler: Handler, *, threads_max: int, name: str) -> None:
        self._handler = handler
        self._threads_max = threads_max
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: deque[Job] = deque()
        self._threads: list[threading.Thread] = []
        self._collecting = False
        self._collect: Callable[[Job], None] = _finish_call
        self.outstanding = 0
        """Jobs that are submitted and whose results were not collected yet."""

    def submit(self, job: Job) -> None:
        """Call the handler on some thread."""
        self.outstanding += 1
        self._jobs.put(job)
        if len(self._threads) < min(self.outstanding, self._threads_max):
            self._start_one()

    def on_result(self, collect: Callable[[Job], None]) -> None:
        """Have each result handed to `collect`, on the event loop."""
        self._collect = collect

    def take_waiting(self) -> list[Job]:
        """Take back the jobs that no thread has begun."""
        taken = []
        try:
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    taken.append(job)
        except queue.Empty:
            self.outstanding -= len(taken)
            return taken

    async def stop(self, timeout: float) -> None:
        """Let the threads end what they are at, and end. Threads cannot be interrupted: one that
        does not end in time is left alone and does no harm."""
        for _ in self._threads:
            self._jobs.put(None)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause = 0.001
        while any(thread.is_alive() for thread in self._threads) or self._results:
            if loop.time() >= deadline:
                _log.warning("handlers did not end in time name=%s", self._name)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)

    def _start_one(self) -> None:
        # Context variables of the code that made the consumer are seen by its handler.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(self._work,),
            name=f"{self._name}-{len(self._threads)}",
            daemon=True,
        )
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        """What a thread does."""
        take, results, handler, now = self._jobs.get, self._results, self._handler, self._loop.time
        while (job := take()) is not None:
            job.began = now()
            try:
                job.verdict = verdict_of(handler(job.item))
            except BaseException as error:  # noqa: BLE001 - it is reported and becomes a retry
                job.error = error
            results.append(job)
            if not self._collecting:
                self._collecting = True
                try:
                    self._loop.call_soon_threadsafe(self._collect_some)
                except RuntimeError:
                    return  # the loop is closed: nobody waits for results any more

    def _collect_some(self) -> None:
        # Cleared first: a thread that appends after this wakes the loop once more.
        self._collecting = False
        results = self._results
        for _ in range(RESULTS_PER_TURN):
            if not results:
                return
            self.outstanding -= 1
            self._collect(results.popleft())
        self._collecting = True
        self._loop.call_soon(self._collect_some)


def _finish_call(job: Job) -> None:
    if job.done is not None and not job.done.done():
        job.done.set_result(None)


class ConcurrentThreads:
    """Runs a plain handler over what is offered, in no particular order."""

    def __init__(self, handler: Handler, ending: Ending, *, concurrency: int, batch: int) -> None:
        self._ending = ending
        self._batch = batch
        self._threads = HandlerThreads(
            handler, threads_max=concurrency, name=f"consumer-{ending.session.group}"
        )
        self._threads.on_result(self._collect)
        self._timeout = ending.session.options.handler_timeout_ms / 1000
        self._jobs: dict[int, Job] = {}
        self._watch: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many handlers are running or waiting to."""
        return self._threads.outstanding

    @property
    def busy(self) -> int:
        """How many handlers are running."""
        return sum(job.began > 0 for job in self._jobs.values())

    def offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        """Handle these soon."""
        ending, size = self._ending, self._batch
        hooks = ending.hooks
        for at in range(0, len(messages), size):
            item: Item = messages[at] if size == 1 else list(messages[at : at + size])
            job = Job(held, item)
            if hooks:
                job.context = ending.begin(_items(item))
            self._jobs[id(job)] = job
            self._threads.submit(job)
        if self._timeout and self._watch is None:
            self._watch_later()

    def dropped(self, held: ProcessQueue) -> None:
        """Forget what waits of a queue that is no longer ours."""
        for job in self._threads.take_waiting():
            if job.held is held:
                self._jobs.pop(id(job), None)
            else:
                self._threads.submit(job)

    async def stop(self, timeout: float) -> None:
        """Finish what is in hand, leave what waits, and end."""
        for job in self._threads.take_waiting():
            self._jobs.pop(id(job), None)
        await self._threads.stop(timeout)
        if self._watch is not None:
            self._watch.cancel()

    def _collect(self, job: Job) -> None:
        self._jobs.pop(id(job), None)
        ending = self._ending
        verdict, error = job.verdict, job.error
        if error is not None:
            verdict = verdict_of_error(error, ending.rules.retry_in)
        if job.given_up:
            return
        ending.end(job.context, verdict, error)
        held = job.held
        if verdict is None and not held.verdicts and type(job.item) is ReceivedMessage:
            held.finish(job.item)
            ending.consumed += 1
        else:
            settle(ending, held, _items(job.item), verdict, error)

    # -- handlers that hang -----------------------------------------------------------------

    def _watch_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(max(self._timeout / 10, 0.02), self._look_at_time)

    def _look_at_time(self) -> None:
        """Give back what takes too long. Its thread stays busy: it cannot be interrupted."""
        now = asyncio.get_running_loop().time()
        ending = self._ending
        for job in list(self._jobs.values()):
            if job.began and not job.given_up and now - job.began > self._timeout:
                job.given_up = True
                error = HandlerTimeout(f"the handler took more than {self._timeout} s")
                verdict = verdict_of_error(error, ending.rules.retry_in)
                ending.end(job.context, verdict, error)
                settle(ending, job.held, _items(job.item), verdict, error)
        self._watch_later()


def _items(item: Any) -> Sequence[ReceivedMessage]:
    return item if isinstance(item, list) else (item,)
