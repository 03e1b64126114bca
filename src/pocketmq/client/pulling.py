"""Pulls one queue: asks, holds what comes, asks again at once, for as long as the queue is ours.

There is one pull under way for each queue, so the queues of a consumer together keep its brokers
and the network busy while messages are handled. A pull that finds nothing is held by the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pocketmq.client.calls import Calls
from pocketmq.client.decoding import decode_messages
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.subscriptions import wanted
from pocketmq.errors import BrokerRefused, ClientError, MalformedBody, PocketMQError
from pocketmq.filtering.subscriptions import Subscription
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.pull import HAS_SUBSCRIPTION, MAY_SUSPEND

_log = logging.getLogger(__name__)

ANSWER_GRACE_MS: Final = 15_000
"""How much longer than the broker may hold a pull we wait for its answer."""
BACKOFF_SECONDS: Final = (0.1, 0.5, 1.0, 3.0)
BUSY_SECONDS: Final = 0.02
_ACCEPT: Final = frozenset(
    (
        ResponseCode.SUCCESS,
        ResponseCode.PULL_NOT_FOUND,
        ResponseCode.PULL_RETRY_IMMEDIATELY,
        ResponseCode.PULL_OFFSET_MOVED,
    )
)
FORGOTTEN: Final = frozenset(
    (
        ResponseCode.SUBSCRIPTION_NOT_EXIST,
        ResponseCode.SUBSCRIPTION_NOT_LATEST,
        ResponseCode.FILTER_DATA_NOT_EXIST,
        ResponseCode.FILTER_DATA_NOT_LATEST,
    )
)
"""Answers of a broker that does not know our subscription: a heartbeat cures them."""


@dataclass(slots=True)
class Pulled:
    """The answer to one pull."""

    messages: list[ReceivedMessage]
    next_offset: int
    min_offset: int
    max_offset: int
    status: int
    """One of the response codes of a pull: SUCCESS, PULL_NOT_FOUND and so on."""
    broker_id: int
    """The replica the broker suggests for the next pull."""


async def pull(
    calls: Calls,
    address: str,
    group: str,
    queue: MessageQueue,
    offset: int,
    subscription: Subscription,
    *,
    messages_max: int,
    bytes_max: int = 0,
    wait_ms: int = 0,
) -> Pulled:
    """Ask once. `wait_ms` lets the broker hold a pull that finds nothing.

    Tags are not looked at again here. Raises what a call raises, and CorruptRecord.
    """
    flags = HAS_SUBSCRIPTION
    if wait_ms > 0:
        flags |= MAY_SUSPEND
    fields = {
        "consumerGroup": group,
        "topic": queue.topic,
        "queueId": str(queue.queue_id),
        "queueOffset": str(offset),
        "maxMsgNums": str(messages_max),
        "sysFlag": str(flags),
        # A pull may be served after a commit that was sent later, so it carries no position.
        "commitOffset": "0",
        "suspendTimeoutMillis": str(wait_ms),
        "subscription": subscription.expression,
        "subVersion": str(subscription.version),
        "expressionType": subscription.expression_type,
    }
    if bytes_max:
        fields["maxMsgBytes"] = str(bytes_max)
    answer = await calls.ask(
        address,
        RequestCode.PULL_MESSAGE,
        fields,
        timeout_ms=wait_ms + ANSWER_GRACE_MS,
        step=queue,
        accept=_ACCEPT,
    )
    return _pulled(answer, queue)


def _pulled(answer: Command, queue: MessageQueue) -> Pulled:
    fields = answer.fields
    try:
        found = Pulled(
            [],
            int(fields["nextBeginOffset"]),
            int(fields["minOffset"]),
            int(fields["maxOffset"]),
            answer.code,
            int(fields.get("suggestWhichBrokerId", "0")),
        )
    except (KeyError, ValueError) as error:
        raise MalformedBody(f"the answer to a pull lacks a position: {error!r}") from None
    if answer.code == ResponseCode.SUCCESS:
        found.messages = decode_messages(answer.body, queue.broker_name)
    return found


class Puller:
    """Keeps one queue flowing, in a task of its own.

    `deliver` gets what is to be handled. `moved` is told when the broker says that the position
    lies outside the queue, or was reset by an operator; the queue is then dropped and begun anew.
    """

    def __init__(
        self,
        calls: Calls,
        group: str,
        held: ProcessQueue,
        *,
        address_of: Callable[[MessageQueue, int], str | None],
        deliver: Callable[[ProcessQueue, list[ReceivedMessage]], None],
        moved: Callable[[ProcessQueue, int], None],
        forgotten: Callable[[str], Awaitable[None]],
        ready: Callable[[ProcessQueue], Awaitable[None]] | None,
        prepare: Callable[[ProcessQueue, list[ReceivedMessage]], None],
        messages_max: int,
        bytes_max: int,
        wait_ms: int,
    ) -> None:
        self.held = held
        self.problem = ""
        """Why the last pull failed; empty after one that did not."""
        self._calls = calls
        self._group = group
        self._address_of = address_of
        self._deliver = deliver
        self._moved = moved
        self._forgotten = forgotten
        self._ready = ready
        self._prepare = prepare
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._wait_ms = wait_ms
        self._broker_id = 0
        self._failures = 0
        self.task: asyncio.Task[None] = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Pull no more. A pull under way is given up."""
        self.task.cancel()
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        held = self.held
        while not held.dropped:
            if held.is_blocked():
                await held.wait_for_room()
                continue
            if self._ready is not None:
                await self._ready(held)
                if self.held.dropped:
                    return
            try:
                pause = await self._pull_once()
            except PocketMQError as error:
                pause = await self._failed(error)
            if pause:
                await asyncio.sleep(pause)

    async def _pull_once(self) -> float:
        """Pull and deliver. Return how long to wait before the next pull."""
        held = self.held
        queue = held.queue
        address = self._address_of(queue, self._broker_id)
        if address is None:
            raise ClientError(f"no address of broker {queue.broker_name} is known")
        offset = held.pulled_to
        loop_time = asyncio.get_running_loop().time
        began = held.last_pulled = loop_time()
        found = await pull(
            self._calls,
            address,
            self._group,
            queue,
            offset,
            held.subscription,
            messages_max=self._messages_max,
            bytes_max=self._bytes_max,
            wait_ms=self._wait_ms,
        )
        if held.dropped:
            return 0.0
        self._failures = 0
        self.problem = ""
        self._broker_id = found.broker_id
        held.min_offset, held.max_offset = found.min_offset, found.max_offset
        if found.status == ResponseCode.PULL_OFFSET_MOVED:
            if found.next_offset != offset:
                self._moved(held, found.next_offset)
                return 0.0
            return BUSY_SECONDS
        messages = found.messages
        if messages:
            messages, _ = wanted(messages, held.subscription)
            if messages:
                self._prepare(held, messages)
        held.add(messages, found.next_offset)
        if messages:
            self._deliver(held, messages)
            return 0.0
        # A broker that neither holds the pull nor gives a later position must not be hammered.
        idle = found.next_offset == offset and loop_time() - began < BUSY_SECONDS
        return BUSY_SECONDS if idle else 0.0

    async def _failed(self, error: PocketMQError) -> float:
        """Note the failure. Return how long to wait."""
        if self.held.dropped:
            return 0.0
        queue = self.held.queue
        if isinstance(error, BrokerRefused) and error.code == ResponseCode.SYSTEM_BUSY:
            return BUSY_SECONDS
        if not self.problem:
            _log.warning("pull failed group=%s queue=%s: %s", self._group, queue, error)
        self.problem = str(error)
        pause = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._broker_id = 0
        if isinstance(error, BrokerRefused) and error.code in FORGOTTEN:
            await self._forgotten(error.address)
        return pause
