"""The workers that suit a consumer: whoever handles the messages it has fetched.

    no handler       Inbox: messages wait for `async for` loops
    async handler    ConcurrentWorkers: tasks
    plain handler    ConcurrentThreads: threads

One after the other of each queue, `OrderlyRuns` has each of the three do one message at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pocketmq.client.concurrent import ConcurrentWorkers
from pocketmq.client.consuming import ConsumerOptions
from pocketmq.client.handling import Ending, Handler, is_async
from pocketmq.client.iteration import Inbox
from pocketmq.client.locks import QueueLocks
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.orderly import Call, OrderlyRuns, ThreadCalls, awaited
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.threads import ConcurrentThreads


class Crew(Protocol):
    """What the kinds of workers have in common."""

    @property
    def waiting(self) -> int:
        """How many messages wait to be handled."""
        ...

    @property
    def busy(self) -> int:
        """How many are being handled."""
        ...

    def offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        """Handle these."""
        ...

    def dropped(self, held: ProcessQueue) -> None:
        """Forget what waits of a queue that is no longer ours."""
        ...

    async def stop(self, timeout: float) -> None:
        """Finish what is in hand, and end."""
        ...


class Workers:
    """The workers of one consumer."""

    def __init__(
        self,
        handler: Handler | None,
        ending: Ending,
        options: ConsumerOptions,
        *,
        orderly: bool,
        locks: QueueLocks | None = None,
        concurrency: int,
        batch: int = 1,
    ) -> None:
        """`locks` keep other consumers away from queues that are handled in order."""
        self.inbox = Inbox(ending) if handler is None else None
        self._calls: ThreadCalls | None = None
        self._crew: Crew
        self._runs: OrderlyRuns | None = None
        if orderly:
            call, timeout_ms = self._one_call(handler, ending, options, concurrency)
            self._crew = self._runs = OrderlyRuns(
                call, ending, locks, concurrency=concurrency, batch=batch, timeout_ms=timeout_ms
            )
        elif handler is None:
            assert self.inbox is not None
            self._crew = self.inbox
        elif is_async(handler):
            self._crew = ConcurrentWorkers(handler, ending, concurrency=concurrency, batch=batch)
        else:
            self._crew = ConcurrentThreads(handler, ending, concurrency=concurrency, batch=batch)

    def _one_call(
        self, handler: Handler | None, ending: Ending, options: ConsumerOptions, concurrency: int
    ) -> tuple[Call, int]:
        """What handles one message, and how long it may take; 0 for a thread, which cannot be
        interrupted, and for a loop, which is its own master."""
        if handler is None:
            assert self.inbox is not None
            return self.inbox.hand_over, 0
        if is_async(handler):
            return awaited(handler), options.handler_timeout_ms
        group = ending.session.group
        self._calls = ThreadCalls(handler, concurrency=concurrency, group=group)
        return self._calls, 0

    @property
    def waiting(self) -> int:
        """How many messages wait to be handled."""
        return self._crew.waiting

    @property
    def busy(self) -> int:
        """How many are being handled."""
        return self._crew.busy

    def offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        """Handle these."""
        self._crew.offer(held, messages)

    def dropped(self, held: ProcessQueue) -> None:
        """Forget what waits of a queue that is no longer ours."""
        self._crew.dropped(held)
        if self.inbox is not None and self.inbox is not self._crew:
            self.inbox.dropped(held)

    def idle(self, held: ProcessQueue) -> asyncio.Future[None] | None:
        """Done when nothing of a queue is being handled, where that matters: in order."""
        return self._runs.idle(held) if self._runs is not None else None

    async def stop(self, timeout: float) -> None:
        """Finish what is in hand, and end."""
        await self._crew.stop(timeout)
        if self.inbox is not None and self.inbox is not self._crew:
            await self.inbox.stop(timeout)
        if self._calls is not None:
            await self._calls.stop(timeout)
