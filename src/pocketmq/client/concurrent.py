"""Handling messages side by side, in no particular order.

An async handler runs in one of `concurrency` worker tasks. A worker takes message after message; a
handler that never waits costs no task and no turn of the event loop, so one worker does all of its
work. Only when workers are seen to wait are more of them woken.

A plain handler runs on threads, see `threads.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

from pocketmq.client.handling import AsyncHandler, Ending, HandlerTimeout
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.outcomes import Verdict, verdict_of, verdict_of_error
from pocketmq.client.process_queue import ProcessQueue

_log = logging.getLogger(__name__)

BURST: Final = 64
"""How many messages a worker handles before it lets others run."""

Item = ReceivedMessage | list[ReceivedMessage]


class Worker:
    """One task and what it is doing."""

    __slots__ = ("busy_since", "item", "resting", "task", "timed_out", "wake")

    def __init__(self) -> None:
        self.item: Item | None = None
        self.busy_since = 0.0
        self.resting = False
        """True between two bursts: the worker comes back by itself."""
        self.timed_out = False
        self.wake: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None


class ConcurrentWorkers:
    """Runs an async handler over what is offered."""

    def __init__(
        self, handler: AsyncHandler, ending: Ending, *, concurrency: int, batch: int
    ) -> None:
        self._handler = handler
        self._ending = ending
        self._concurrency = concurrency
        self._batch = batch
        self._ready: deque[Item] = deque()
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._stopping = False
        self._looking = False
        self._timeout = ending.session.options.handler_timeout_ms / 1000
        self._watch: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many messages, or batches of them, wait for a worker."""
        return len(self._ready)

    @property
    def busy(self) -> int:
        """How many handlers are running."""
        return sum(worker.item is not None for worker in self._workers)

    def offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        """Handle these soon."""
        if self._batch == 1:
            self._ready.extend(messages)
        else:
            size = self._batch
            self._ready.extend(
                list(messages[at : at + size]) for at in range(0, len(messages), size)
            )
        if not self._looking and not any(worker.resting for worker in self._workers):
            self._wake(1)

    def dropped(self, held: ProcessQueue) -> None:
        """Forget what waits of a queue that is no longer ours."""
        self._ready = deque(item for item in self._ready if _held(item) is not held)

    async def stop(self, timeout: float) -> None:
        """Finish what is in hand, leave what waits, and end."""
        self._stopping = True
        self._ready.clear()
        for worker in list(self._idle):
            self._rouse(worker)
        tasks = [worker.task for worker in self._workers if worker.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                _log.warning("handler did not end in time and is cancelled: %r", task)
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._watch is not None:
            self._watch.cancel()

    # -- workers ----------------------------------------------------------------------------

    def _wake(self, wanted: int) -> None:
        """See to it that more workers run, as far as there may be more."""
        for _ in range(wanted):
            if self._idle:
                self._rouse(self._idle.pop())
            elif len(self._workers) < self._concurrency and not self._stopping:
                self._workers.append(self._hire())
            else:
                return

    def _hire(self) -> Worker:
        worker = Worker()
        worker.task = asyncio.ensure_future(self._work(worker))
        if self._timeout and self._watch is None:
            self._watch_later()
        return worker

    def _rouse(self, worker: Worker) -> None:
        if worker.wake is not None and not worker.wake.done():
            worker.wake.set_result(None)

    def _look(self) -> None:
        """Called a turn after a worker began: if none is at work any more, all of them wait."""
        self._looking = False
        if not self._ready:
            return
        if any(worker.resting for worker in self._workers):
            return
        self._wake(len(self._ready))

    async def _work(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping:
                try:
                    await self._turn(worker, loop)
                except asyncio.CancelledError:
                    # A time-out that came when the handler had just ended.
                    if not _was_timed_out(worker):
                        raise
        finally:
            self._workers.remove(worker)

    async def _turn(self, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        """Work while there is any; otherwise wait for some."""
        worker.resting = False
        if not self._ready:
            worker.wake = loop.create_future()
            self._idle.append(worker)
            try:
                await worker.wake
            finally:
                worker.wake = None
                if worker in self._idle:
                    self._idle.remove(worker)
            return
        await self._burst(worker, loop)
        if self._ready:
            worker.resting = True
            await asyncio.sleep(0)

    async def _burst(self, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        if not self._looking:
            self._looking = True
            loop.call_soon(self._look)
        handler, ending, hooks = self._handler, self._ending, self._ending.hooks
        now = loop.time
        for _ in range(BURST):
            ready = self._ready
            if not ready:
                return
            item = ready.popleft()
            held = _held(item)
            if held.dropped:
                continue
            worker.item = item
            worker.busy_since = now()
            context = ending.begin(_messages(item)) if hooks else None
            error: BaseException | None = None
            try:
                verdict = verdict_of(await handler(item))
            except asyncio.CancelledError:
                if not _was_timed_out(worker):
                    raise
                error = HandlerTimeout(f"the handler took more than {self._timeout} s")
                verdict = verdict_of_error(error, ending.rules.retry_in)
            except Exception as raised:  # noqa: BLE001 - whatever a handler raises is a retry
                error = raised
                verdict = verdict_of_error(raised, ending.rules.retry_in)
            worker.item = None
            if context is not None:
                ending.end(context, verdict, error)
            if verdict is None and not held.verdicts:
                if type(item) is ReceivedMessage:
                    held.finish(item)
                    ending.consumed += 1
                else:
                    held.finish_all(_messages(item))
                    ending.consumed += len(_messages(item))
            else:
                self._ended_oddly(held, item, verdict, error)
            if self._stopping:
                return

    def _ended_oddly(
        self, held: ProcessQueue, item: Item, verdict: Verdict, error: BaseException | None
    ) -> None:
        settle(self._ending, held, _messages(item), verdict, error)

    # -- handlers that hang -----------------------------------------------------------------

    def _watch_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(max(self._timeout / 10, 0.02), self._look_at_time)

    def _look_at_time(self) -> None:
        now = asyncio.get_running_loop().time()
        for worker in self._workers:
            late = worker.item is not None and now - worker.busy_since > self._timeout
            if late and worker.task is not None and not worker.timed_out:
                worker.timed_out = True
                worker.task.cancel()
        self._watch_later()


def _was_timed_out(worker: Worker) -> bool:
    """Whether a cancellation was our own, which ends with this."""
    if not worker.timed_out:
        return False
    worker.timed_out = False
    uncancel = getattr(worker.task, "uncancel", None)  # since Python 3.11
    if uncancel is not None:
        uncancel()
    return True


def settle(
    ending: Ending,
    held: ProcessQueue,
    messages: Sequence[ReceivedMessage],
    verdict: Verdict,
    error: BaseException | None,
) -> None:
    """Finish or give back messages after their handler; each may have asked for its own fate."""
    if error is not None:
        ending.report(messages[0], error)
    for message in messages:
        mine = held.take_verdict(message) or verdict
        if mine is None:
            held.finish(message)
            ending.consumed += 1
        else:
            ending.failed += 1
            ending.give_back(held, message, mine)


def _messages(item: Item) -> Sequence[ReceivedMessage]:
    return item if isinstance(item, list) else (item,)


def _held(item: Item) -> ProcessQueue:
    message: Any = item[0] if isinstance(item, list) else item
    return cast(ProcessQueue, message.context)
