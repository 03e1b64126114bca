"""Handling each queue's messages one after the other.

Every queue has a task of its own, and a lock at its broker that keeps other consumers away. A
message that fails is tried again in place after a pause, and everything behind it waits. One that
has had its attempts goes to the dead letters, and the queue goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pocketmq.client.concurrent import Item
from pocketmq.client.handling import AsyncHandler, Ending, Handler, HandlerTimeout
from pocketmq.client.locks import QueueLocks
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.outcomes import Reject, RetryIn, Verdict, verdict_of, verdict_of_error
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.threads import HandlerThreads, Job
from pocketmq.errors import ClientError, NetError

_log = logging.getLogger(__name__)

BURST: Final = 64

Call = Callable[[ProcessQueue, Item], Awaitable[Verdict]]
"""Calls the handler; raises what it raises."""


class QueueRun:
    """One queue's messages that wait for their turn, and the task that takes them."""

    __slots__ = ("arrived", "busy_since", "disturbed", "idle", "ready", "task", "timed_out")

    def __init__(self) -> None:
        self.ready: deque[ReceivedMessage] = deque()
        self.arrived: asyncio.Future[None] | None = None
        self.idle: asyncio.Future[None] | None = None
        """Done when no handler runs for this queue."""
        self.busy_since = 0.0
        """When the handler that runs was called, in the loop's time; 0 while none does."""
        self.timed_out = False
        self.disturbed: asyncio.Future[None] | None = None
        """Ends the pause after a failure early."""
        self.task: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Handle no more; what is in hand is finished."""
        self.ready.clear()
        for waiter in (self.arrived, self.disturbed):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)


class OrderlyRuns:
    """Runs a handler over each queue in order."""

    def __init__(
        self,
        call: Call,
        ending: Ending,
        locks: QueueLocks | None,
        *,
        concurrency: int,
        batch: int,
        timeout_ms: int = 0,
    ) -> None:
        """With `timeout_ms`, a call that takes longer is cancelled and tried again."""
        self._call = call
        self._ending = ending
        self.locks = locks
        self._slots = asyncio.Semaphore(concurrency)
        self._batch = batch
        self._runs: dict[ProcessQueue, QueueRun] = {}
        self._stopping = False
        self.busy = 0
        self._timeout = timeout_ms / 1000
        self._watch: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return sum(len(run.ready) for run in self._runs.values())

    def offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        """Handle these in their turn."""
        run = self._runs.get(held)
        if run is None:
            run = self._runs[held] = QueueRun()
            run.task = asyncio.ensure_future(self._run(held, run))
            if self._timeout and self._watch is None:
                self._look_later()
        run.ready.extend(messages)
        if run.arrived is not None and not run.arrived.done():
            run.arrived.set_result(None)

    def dropped(self, held: ProcessQueue) -> None:
        """Forget what waits of a queue that is no longer ours; what is in hand is finished."""
        run = self._runs.get(held)
        if run is not None:
            run.end()

    def idle(self, held: ProcessQueue) -> asyncio.Future[None] | None:
        """Done when nothing of a queue is being handled; None when that is so now."""
        run = self._runs.get(held)
        return run.idle if run is not None else None

    async def stop(self, timeout: float) -> None:
        """Finish what is in hand, leave what waits, and end."""
        self._stopping = True
        runs = list(self._runs.values())
        for run in runs:
            run.end()
        tasks = [run.task for run in runs if run.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                _log.warning("handler did not end in time and is cancelled: %r", task)
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._watch is not None:
            self._watch.cancel()

    # -- handlers that hang -----------------------------------------------------------------

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(max(self._timeout / 10, 0.02), self._look_at_time)

    def _look_at_time(self) -> None:
        now = asyncio.get_running_loop().time()
        for run in self._runs.values():
            late = run.busy_since and now - run.busy_since > self._timeout
            if late and run.task is not None and not run.timed_out:
                run.timed_out = True
                run.task.cancel()
        self._look_later()

    # -- one queue --------------------------------------------------------------------------

    async def _run(self, held: ProcessQueue, run: QueueRun) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not held.dropped and not self._stopping:
                if not run.ready:
                    run.arrived = loop.create_future()
                    await run.arrived
                    run.arrived = None
                    continue
                async with self._slots:
                    run.idle = loop.create_future()
                    self.busy += 1
                    try:
                        pause = await self._burst(held, run)
                    finally:
                        self.busy -= 1
                        run.idle.set_result(None)
                        run.idle = None
                await self._pause(run, pause)
        finally:
            self._runs.pop(held, None)

    async def _pause(self, run: QueueRun, seconds: float) -> None:
        """Let others run; after a failure, wait before the message is tried again."""
        if not seconds:
            await asyncio.sleep(0)
            return
        run.disturbed = asyncio.get_running_loop().create_future()
        await asyncio.wait([run.disturbed], timeout=seconds)
        run.disturbed = None

    async def _burst(self, held: ProcessQueue, run: QueueRun) -> float:
        """Handle some messages. Return how long to pause."""
        ending = self._ending
        now = asyncio.get_running_loop().time
        for _ in range(BURST):
            if not run.ready or held.dropped or self._stopping:
                return 0.0
            if self.locks is not None and not self.locks.is_held(held):
                await self.locks.wait_until_held(held)
                continue
            size = min(self._batch, len(run.ready))
            messages = [run.ready.popleft() for _ in range(size)]
            item: Item = messages[0] if self._batch == 1 else messages
            context = ending.begin(messages) if ending.hooks else None
            error: BaseException | None = None
            run.busy_since = now()
            try:
                verdict = await self._call(held, item)
            except asyncio.CancelledError:
                if not _was_timed_out(run):
                    raise
                error = HandlerTimeout(f"the handler took more than {self._timeout} s")
                verdict = verdict_of_error(error, ending.rules.retry_in)
                ending.report(messages[0], error)
            except Exception as raised:  # noqa: BLE001 - whatever a handler raises is a retry
                error = raised
                verdict = verdict_of_error(raised, ending.rules.retry_in)
                ending.report(messages[0], raised)
            run.busy_since = 0.0
            if run.timed_out:
                await _absorb(run)
            if context is not None:
                ending.end(context, verdict, error)
            if verdict is None and not held.verdicts:
                held.finish_all(messages)
                ending.consumed += len(messages)
                continue
            pause = await self._again(held, run, messages, verdict)
            if pause is not None:
                return pause
        return 0.0

    async def _again(
        self,
        held: ProcessQueue,
        run: QueueRun,
        messages: list[ReceivedMessage],
        verdict: Verdict,
    ) -> float | None:
        """Sort out a failed batch. Return how long to pause, None when the queue may go on."""
        ending = self._ending
        pause: float | None = None
        kept: list[ReceivedMessage] = []
        for message in messages:
            mine = held.take_verdict(message) or verdict
            if mine is None:
                if kept:
                    kept.append(message)  # it comes after one that is tried again
                else:
                    held.finish(message)
                    ending.consumed += 1
                continue
            ending.failed += 1
            if await self._is_given_up(held, message, mine):
                continue
            message.reconsume_times += 1
            pause = max(pause or 0.0, self._pause_of(mine))
            kept.append(message)
        run.ready.extendleft(reversed(kept))
        return pause

    def _pause_of(self, verdict: RetryIn | Reject) -> float:
        seconds = verdict.seconds if isinstance(verdict, RetryIn) else None
        return self._ending.rules.ordered_retry_seconds if seconds is None else max(seconds, 0.01)

    async def _is_given_up(
        self, held: ProcessQueue, message: ReceivedMessage, verdict: RetryIn | Reject
    ) -> bool:
        """Move a message to the dead letters if it has had its attempts."""
        ending = self._ending
        limit = ending.rules.attempts_max
        if not isinstance(verdict, Reject) and (limit is None or message.attempt < limit):
            return False
        if ending.session.broadcast:
            _log.warning("message dropped, as broadcasting has no dead letters: %r", message)
            held.finish(message)
            return True
        try:
            await ending.send_back(message, Reject())
        except (NetError, ClientError) as error:
            _log.warning("message not moved to the dead letters, kept: %r: %s", message, error)
            return False
        held.finish(message)
        return True


def _was_timed_out(run: QueueRun) -> bool:
    """Whether a cancellation was our own, which ends with this."""
    if not run.timed_out:
        return False
    run.timed_out = False
    uncancel = getattr(run.task, "uncancel", None)  # since Python 3.11
    if uncancel is not None:
        uncancel()
    return True


async def _absorb(run: QueueRun) -> None:
    """Take the cancellation of a handler that had just ended, so that nothing else gets it."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        if not _was_timed_out(run):
            raise


def awaited(handler: AsyncHandler) -> Call:
    """Calls of an async handler."""

    async def call(held: ProcessQueue, item: Item) -> Verdict:
        return verdict_of(await handler(item))

    return call


class ThreadCalls:
    """Calls of a plain handler, each awaited."""

    def __init__(self, handler: Handler, *, concurrency: int, group: str) -> None:
        self._threads = HandlerThreads(handler, threads_max=concurrency, name=f"consumer-{group}")

    async def __call__(self, held: ProcessQueue, item: Item) -> Verdict:
        """Call the handler on a thread and wait for it."""
        job = Job(held, item, done=asyncio.get_running_loop().create_future())
        assert job.done is not None
        self._threads.submit(job)
        await asyncio.shield(job.done)
        if job.error is not None:
            raise job.error
        return job.verdict

    async def stop(self, timeout: float) -> None:
        """End the threads."""
        await self._threads.stop(timeout)
