"""`async for message in consumer`: the body of the loop is the handler.

Coming back for the next message says that the body ended well, so the message is consumed. Leaving
the loop says so too, unless it was left by an exception: then the message is delivered again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import cast

from pocketmq.client.concurrent import Item, settle
from pocketmq.client.handling import Ending
from pocketmq.client.hooks import ConsumeContext
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.outcomes import RetryIn, Verdict
from pocketmq.client.process_queue import ProcessQueue

Task = asyncio.Task[object] | None


class Inbox:
    """Messages that wait for loops. Takes the place of workers when there is no handler."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._ready: deque[ReceivedMessage] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_hand: dict[Task, tuple[ReceivedMessage, ConsumeContext | None]] = {}
        self._done: dict[int, asyncio.Future[Verdict]] = {}
        self.closed = False

    @property
    def waiting(self) -> int:
        """How many messages wait for a loop."""
        return len(self._ready)

    @property
    def busy(self) -> int:
        """How many messages are in the bodies of loops."""
        return len(self._in_hand)

    # -- from the queues --------------------------------------------------------------------

    def offer(self, held: ProcessQueue, messages: Sequence[ReceivedMessage]) -> None:
        """Hand these to loops."""
        self._ready.extend(messages)
        for _ in range(min(len(self._waiting), len(messages))):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def dropped(self, held: ProcessQueue) -> None:
        """Forget what waits of a queue that is no longer ours."""
        self._ready = deque(message for message in self._ready if message.context is not held)

    async def hand_over(self, held: ProcessQueue, item: Item) -> Verdict:
        """Hand over one message and wait until the loop is done with it; for ordered queues."""
        assert isinstance(item, ReceivedMessage)
        done: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._done[id(item)] = done
        try:
            self.offer(held, [item])
            return await done
        finally:
            self._done.pop(id(item), None)

    async def stop(self, timeout: float) -> None:
        """Hand over nothing more. What is in the body of a loop is finished by its next step, by
        `settle_all`, or never."""
        self.closed = True
        self._ready.clear()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    # -- from the loops ---------------------------------------------------------------------

    async def take(self, idle_seconds: float | None) -> ReceivedMessage | None:
        """The next message; None when the consumer stops, or when none came in time."""
        task = cast(Task, asyncio.current_task())
        if task in self._in_hand:
            self._settle(task, None)
        while not self.closed:
            while self._ready:
                message = self._ready.popleft()
                if not _held(message).dropped:
                    hooks = self._ending.hooks
                    context = self._ending.begin([message]) if hooks else None
                    self._in_hand[task] = (message, context)
                    return message
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                if idle_seconds is None:
                    await waiter
                else:
                    await asyncio.wait([waiter], timeout=idle_seconds)
                    if not waiter.done():
                        return None
            finally:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                elif not waiter.done() or waiter.cancelled():
                    self._pass_on()
        return None

    def _pass_on(self) -> None:
        """Someone was woken and will not take a message: wake the next one."""
        if self._ready and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def settle_all(self, error: BaseException | None) -> None:
        """The consumer is left: what is in hand is consumed, or not if that was by an error."""
        for task in list(self._in_hand):
            self._settle(task, error)

    def _settle(self, task: Task, error: BaseException | None) -> None:
        message, context = self._in_hand.pop(task)
        held = _held(message)
        ending = self._ending
        verdict: Verdict = RetryIn(ending.rules.retry_in) if error is not None else None
        ending.end(context, verdict or held.verdict_for(message), error)
        done = self._done.get(id(message))
        if done is not None:
            if not done.done():
                done.set_result(verdict)
        elif error is None:
            if held.verdicts:
                settle(ending, held, [message], None, None)
            else:
                held.finish(message)
                ending.consumed += 1
        # After an error the message stays unfinished: its offset is not committed, so whoever
        # gets the queue next gets it again, without a delay.


class Messages(AsyncIterator[ReceivedMessage]):
    """One loop over a consumer's messages."""

    def __init__(self, inbox: Inbox, idle_seconds: float | None = None) -> None:
        self._inbox = inbox
        self._idle_seconds = idle_seconds

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> ReceivedMessage:
        message = await self._inbox.take(self._idle_seconds)
        if message is None:
            raise StopAsyncIteration
        return message


def _held(message: ReceivedMessage) -> ProcessQueue:
    return cast(ProcessQueue, message.context)
