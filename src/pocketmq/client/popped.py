"""What a popping consumer has in hand of one topic on one broker, or of one of its queues.

Every message has a receipt with a time. While it is being handled its receipt is renewed, so that
the broker does not give it to somebody else; when it is finished, it is acknowledged, those of one
turn of the event loop together. One that failed is hidden until its next attempt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pocketmq.client.calls import Calls
from pocketmq.client.messages import Delay, MessageQueue, ReceivedMessage
from pocketmq.client.outcomes import DEAD_LETTER, Reject, RetryIn, Verdict
from pocketmq.client.pop_calls import ANY_QUEUE, Popped, acknowledge, hide
from pocketmq.client.process_queue import ProcessQueue, QueueLimits
from pocketmq.client.receipts import Receipt
from pocketmq.errors import ClientError, NetError, ProtocolError
from pocketmq.filtering.subscriptions import Subscription

_log = logging.getLogger(__name__)

RETRY_SECONDS: Final = (
    10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
)  # fmt: skip
"""How long a failed message stays hidden, by the number of the attempt."""
ACKS_MAX: Final = 256
RELEASE_MS: Final = 1000
_FAILURES: Final = (NetError, ClientError, ProtocolError)


@dataclass(slots=True)
class InHand:
    """One message and its receipt."""

    message: ReceivedMessage
    receipt: Receipt
    hidden_until: float
    """In the loop's time."""
    renewing: bool = False
    hidden_by_user: bool = False
    """True after `change_invisible`: the user has said when it is to be seen again."""
    finished: bool = False


class PoppedQueue(ProcessQueue):
    """The messages popped from one topic, or queue, of one broker that are not finished yet."""

    __slots__ = ("_acks", "_address", "_calls", "_flushing", "_group", "_hands", "_jobs")

    def __init__(
        self,
        calls: Calls,
        group: str,
        subscription: Subscription,
        broker_name: str,
        address: str,
        in_hand_max: int,
        queue_id: int = ANY_QUEUE,
    ) -> None:
        queue = MessageQueue(subscription.topic, broker_name, queue_id)
        super().__init__(queue, subscription, 0, QueueLimits(in_hand_max))
        self._calls = calls
        self._group = group
        self._address = address
        self._hands: dict[int, InHand] = {}
        self._acks: list[Receipt] = []
        self._flushing = False
        self._jobs: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where the broker is."""
        return self._address

    @property
    def count(self) -> int:
        """How many messages are in hand."""
        return len(self._hands)

    def is_full(self) -> bool:
        """Whether as many messages are in hand as may be."""
        return len(self._hands) >= self.limits.messages_max

    def _let_go(self, hand: InHand) -> None:
        self._hands.pop(id(hand.message), None)
        self._wake()

    def take(self, popped: Popped, now: float) -> None:
        """Have popped messages in hand."""
        for message, receipt in zip(popped.messages, popped.receipts, strict=True):
            message.context = self
            until = now + receipt.invisible_ms / 1000
            self._hands[id(message)] = InHand(message, receipt, until)

    def forget_expired(self) -> None:
        """Let go of what the broker has given to somebody else by now."""
        now = asyncio.get_running_loop().time()
        for hand in [hand for hand in self._hands.values() if hand.hidden_until <= now]:
            self._let_go(hand)

    def receipt(self, message: ReceivedMessage) -> Receipt:
        """The receipt of a message in hand. Raise ClientError when it is finished."""
        return self._hand(message).receipt

    def _hand(self, message: ReceivedMessage) -> InHand:
        hand = self._hands.get(id(message))
        if hand is None:
            raise ClientError(f"{message!r} is not in hand: it was acknowledged or given back")
        return hand

    def is_unfinished(self, message: ReceivedMessage) -> bool:
        """Whether a message is still in hand."""
        return id(message) in self._hands

    # -- finishing --------------------------------------------------------------------------

    def finish(self, message: ReceivedMessage) -> None:
        """A message is consumed: acknowledge it soon."""
        hand = self._hands.get(id(message))
        if hand is None:
            return
        hand.finished = True
        if not hand.renewing:
            self._acknowledge_soon(hand)

    def finish_all(self, messages: Iterable[ReceivedMessage]) -> None:
        """Several are."""
        for message in messages:
            self.finish(message)

    def _acknowledge_soon(self, hand: InHand) -> None:
        self._let_go(hand)
        self._acks.append(hand.receipt)
        if len(self._acks) >= ACKS_MAX:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        acks, self._acks = self._acks, []
        if acks:
            self.spawn(self._acknowledge(acks))

    async def _acknowledge(self, acks: list[Receipt]) -> None:
        topic = self.queue.topic
        try:
            await acknowledge(
                self._calls,
                self._address,
                self.queue.broker_name,
                self._group,
                [(topic, receipt) for receipt in acks],
            )
        except _FAILURES as error:
            _log.warning(
                "%d messages not acknowledged, they will come again topic=%s: %s",
                len(acks),
                topic,
                error,
            )

    async def acknowledged(self) -> None:
        """Return when the broker has heard of all that is finished, or has not in time."""
        self._flush()
        while self._jobs:
            await asyncio.wait(self._jobs)

    async def acknowledge_now(self, message: ReceivedMessage) -> None:
        """Acknowledge one message and wait for the answer. Raise what a call raises."""
        hand = self._hand(message)
        pair = (self.queue.topic, hand.receipt)
        broker = self.queue.broker_name
        await acknowledge(self._calls, self._address, broker, self._group, [pair])
        self._let_go(hand)

    # -- hiding -----------------------------------------------------------------------------

    async def hide(self, message: ReceivedMessage, seconds: float) -> None:
        """Hide a message for so long from now. Raise what a call raises."""
        hand = self._hand(message)
        hand.hidden_by_user = True
        await self._hide(hand, round(seconds * 1000))

    async def _hide(self, hand: InHand, invisible_ms: int) -> None:
        hand.receipt = await hide(
            self._calls, self._address, self._group, self.queue.topic, hand.receipt, invisible_ms
        )
        hand.hidden_until = asyncio.get_running_loop().time() + invisible_ms / 1000

    def renew(self, invisible_ms: int) -> None:
        """Hide anew what would become visible before long."""
        soon = asyncio.get_running_loop().time() + invisible_ms / 2000
        for hand in list(self._hands.values()):
            if hand.hidden_until < soon and not hand.renewing:
                hand.renewing = True
                self.spawn(self._renew(hand, invisible_ms))

    async def _renew(self, hand: InHand, invisible_ms: int) -> None:
        try:
            await self._hide(hand, invisible_ms)
        except _FAILURES as error:
            _log.warning("message not hidden for longer: %r: %s", hand.message, error)
        finally:
            hand.renewing = False
            if hand.finished:
                self._acknowledge_soon(hand)

    # -- giving back ------------------------------------------------------------------------

    async def give_back(
        self, message: ReceivedMessage, verdict: RetryIn | Reject, attempts_max: int
    ) -> None:
        """Let a message come again later, or move it to the dead letters."""
        hand = self._hands.get(id(message))
        if hand is None:
            return
        self._let_go(hand)
        try:
            if isinstance(verdict, Reject) or message.attempt >= attempts_max:
                await self._calls.send_back(
                    self._address,
                    self._group,
                    message.log_offset,
                    DEAD_LETTER,
                    message_id=message.message_id,
                    topic=message.topic,
                )
                await self._acknowledge([hand.receipt])
                return
            seconds = verdict.seconds
            if seconds is None:
                seconds = RETRY_SECONDS[min(message.attempt, len(RETRY_SECONDS)) - 1]
            await self._hide(hand, max(1, round(seconds * 1000)))
        except _FAILURES as error:
            _log.warning("not given back, it comes again by itself: %r: %s", message, error)

    def retry(self, message: ReceivedMessage, delay: Delay | None) -> None:
        """`message.retry()` was called."""
        self.verdicts[id(message)] = RetryIn(delay)

    def reject(self, message: ReceivedMessage) -> None:
        """`message.reject()` was called."""
        self.verdicts[id(message)] = Reject()

    def take_verdict(self, message: ReceivedMessage) -> Verdict:
        """What was asked for by a method of the message."""
        return self.verdicts.pop(id(message), None)

    def verdict_for(self, message: ReceivedMessage) -> Verdict:
        """The same, without taking it."""
        return self.verdicts.get(id(message))

    # -- ending -----------------------------------------------------------------------------

    def spawn(self, job: object) -> None:
        """Do something beside; `settle` waits for it."""
        task = asyncio.ensure_future(job)  # type: ignore[call-overload]
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def settle(self, timeout: float) -> None:
        """Acknowledge what is finished and let the rest be seen again soon."""
        self._flush()
        self.forget_expired()
        for hand in list(self._hands.values()):
            if not hand.renewing and not hand.hidden_by_user:
                self._let_go(hand)
                self.spawn(self._release(hand))
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=timeout)
        for job in list(self._jobs):
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    async def _release(self, hand: InHand) -> None:
        try:
            await self._hide(hand, RELEASE_MS)
        except _FAILURES as error:
            _log.debug("message not released: %r: %s", hand.message, error)
