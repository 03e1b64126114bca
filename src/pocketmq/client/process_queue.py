"""What a consumer holds of one queue: messages pulled and not yet finished.

Messages finish in any order; the position to commit is that of the first unfinished one, so that
nothing is skipped if the consumer dies. When all are finished it is the position up to which the
queue has been pulled, which also counts what was filtered out.

A queue is *full* when it holds too many messages or bytes, or when the unfinished ones span too
far; the puller then waits. A queue that was taken away is *dropped*: what is still under way
finishes without effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from pocketmq.client.messages import Delay, MessageQueue, ReceivedMessage
from pocketmq.client.outcomes import Reject, RetryIn, Verdict
from pocketmq.filtering.subscriptions import Subscription


@dataclass(slots=True)
class QueueLimits:
    """How much of one queue may be held."""

    messages_max: int = 1000
    bytes_max: int = 100 * 1024 * 1024
    span_max: int = 2000
    """The most between the first unfinished offset and the last; 0 for no limit."""


class ProcessQueue:
    """The messages of one queue that are held. Lives on one event loop."""

    __slots__ = (
        "_pulled_to",
        "_room",
        "_unfinished",
        "bytes",
        "committed_offset",
        "dropped",
        "last_consumed",
        "last_offset",
        "last_pulled",
        "limits",
        "locked_at",
        "max_offset",
        "min_offset",
        "paused",
        "queue",
        "subscription",
        "verdicts",
    )

    def __init__(
        self,
        queue: MessageQueue,
        subscription: Subscription,
        offset: int,
        limits: QueueLimits,
    ) -> None:
        self.queue = queue
        self.subscription = subscription
        self.limits = limits
        self.bytes = 0
        self.dropped = False
        self.paused = False
        self.committed_offset = -1
        """What was last committed; -1 for nothing yet."""
        self.last_offset = offset - 1
        self.last_pulled = 0.0
        self.last_consumed = 0.0
        self.locked_at: float | None = None
        """When the broker last said that the queue is locked for us, for ordered consumption."""
        self.max_offset = -1
        """The end of the queue as the broker last told; -1 until it has."""
        self.min_offset = -1
        self.verdicts: dict[int, RetryIn | Reject] = {}
        """Queue offset -> what `message.retry()` or `message.reject()` asked for."""
        self._pulled_to = offset
        self._unfinished: dict[int, int] = {}
        self._room: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<ProcessQueue {self.queue} at={self._pulled_to} held={len(self._unfinished)}>"

    # -- positions --------------------------------------------------------------------------

    @property
    def pulled_to(self) -> int:
        """The offset to pull from next."""
        return self._pulled_to

    @property
    def commit_offset(self) -> int:
        """The offset of the first message that is not finished."""
        return next(iter(self._unfinished), self._pulled_to)

    @property
    def count(self) -> int:
        """How many messages are held."""
        return len(self._unfinished)

    @property
    def span(self) -> int:
        """How far the unfinished messages lie apart."""
        first = next(iter(self._unfinished), None)
        return 0 if first is None else self.last_offset - first

    # -- flow -------------------------------------------------------------------------------

    def add(self, messages: Iterable[ReceivedMessage], pulled_to: int) -> None:
        """Hold messages that were pulled, and go on from `pulled_to`."""
        unfinished = self._unfinished
        total = 0
        offset = self.last_offset
        for message in messages:
            offset = message.queue_offset
            size = len(message.raw_body)
            unfinished[offset] = size
            total += size
            message.context = self
        self.bytes += total
        self.last_offset = offset
        self._pulled_to = pulled_to

    def finish(self, message: ReceivedMessage) -> None:
        """A message is consumed, or was given back to the broker."""
        size = self._unfinished.pop(message.queue_offset, None)
        if size is not None:
            self.bytes -= size
            if self._room is not None:
                self._wake()

    def finish_all(self, messages: Iterable[ReceivedMessage]) -> None:
        """Several are."""
        for message in messages:
            self.finish(message)

    def is_unfinished(self, message: ReceivedMessage) -> bool:
        """Whether a message is still held here."""
        return message.queue_offset in self._unfinished

    def is_full(self) -> bool:
        """Whether no more may be pulled for now."""
        limits = self.limits
        if len(self._unfinished) >= limits.messages_max or self.bytes >= limits.bytes_max:
            return True
        return bool(limits.span_max) and self.span > limits.span_max

    def is_blocked(self) -> bool:
        """Whether the puller has to wait: the queue is full or paused."""
        return self.paused or self.is_full()

    async def wait_for_room(self) -> None:
        """Return when the queue is neither full nor paused, or was dropped."""
        while self.is_blocked() and not self.dropped:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            # Many may wait; whoever is cancelled must not take the future away from the others.
            await asyncio.shield(self._room)

    def drop(self) -> None:
        """The queue is no longer ours."""
        self.dropped = True
        self._wake()

    def pause(self) -> None:
        """Pull no more until `resume`."""
        self.paused = True

    def resume(self) -> None:
        """Pull again."""
        self.paused = False
        self._wake()

    def _wake(self) -> None:
        room = self._room
        if room is not None and (self.dropped or not self.is_blocked()):
            self._room = None
            if not room.done():
                room.set_result(None)

    # -- verdicts ---------------------------------------------------------------------------

    def retry(self, message: ReceivedMessage, delay: Delay | None) -> None:
        """`message.retry()` was called."""
        self.verdicts[message.queue_offset] = RetryIn(delay)

    def reject(self, message: ReceivedMessage) -> None:
        """`message.reject()` was called."""
        self.verdicts[message.queue_offset] = Reject()

    def take_verdict(self, message: ReceivedMessage) -> Verdict:
        """What was asked for by a method of the message."""
        return self.verdicts.pop(message.queue_offset, None)

    def verdict_for(self, message: ReceivedMessage) -> Verdict:
        """The same, without taking it."""
        return self.verdicts.get(message.queue_offset)
