"""Many messages in one request: batches given by the user, and batches gathered from single sends.

A batch goes to one queue, and its messages lie there one after the other. Each keeps its own
properties and unique key; brokers give each its own offset. What is delayed, or half of a
transaction, cannot be in a batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pocketmq.client.messages import SendReceipt
from pocketmq.client.outgoing import Outgoing
from pocketmq.message.batch import ITEM_BYTES_MIN, encode_batch
from pocketmq.protocol.bodies.queues import MessageQueue

if TYPE_CHECKING:
    from pocketmq.client.sending import Sender

BATCH_WAIT: Final = b"WAIT\x01true\x02"
BATCH_NO_WAIT: Final = b"WAIT\x01false\x02"


@dataclass(frozen=True, slots=True)
class Batching:
    """How single sends are gathered into batches.

    A batch leaves when it is full or its first message has waited long enough.
    """

    linger_ms: float = 5.0
    """How long a message may wait for others."""
    messages_max: int = 512
    """Messages of one batch."""
    bytes_max: int = 128 * 1024
    """Bytes of one batch."""


def batch_of(items: Sequence[Outgoing], *, wait_stored: bool = True) -> Outgoing:
    """One request's worth of messages, all for one topic and queue."""
    first = items[0]
    out = Outgoing(
        first.user_topic,
        first.topic,
        encode_batch((item.flag, item.body, item.properties) for item in items),
        # The broker adds a batch's own properties to each message's, so there is no key here.
        BATCH_WAIT if wait_stored else BATCH_NO_WAIT,
        ",".join(item.unique_key for item in items),
        first.born_ms,
        kind="batch",
    )
    out.batch_size = len(items)
    out.order_by = first.order_by
    out.queue = first.queue
    return out


def split(items: Iterable[Outgoing], bytes_max: int) -> Iterator[list[Outgoing]]:
    """The same messages in lists that fit a batch each; one that fits none comes alone."""
    part: list[Outgoing] = []
    size = 0
    for item in items:
        item_bytes = batched_bytes(item)
        if part and size + item_bytes > bytes_max:
            yield part
            part, size = [], 0
        part.append(item)
        size += item_bytes
    if part:
        yield part


def batched_bytes(item: Outgoing) -> int:
    """What a message takes in a batch."""
    return ITEM_BYTES_MIN + len(item.body) + len(item.properties)


def receipts_of(items: Sequence[Outgoing], receipt: SendReceipt) -> list[SendReceipt]:
    """Each message's own receipt, from that of the batch."""
    ids = receipt.offset_message_id.split(",")
    found = []
    for index, item in enumerate(items):
        found.append(
            receipt._replace(
                message_id=item.unique_key,
                offset_message_id=ids[index] if index < len(ids) else "",
                queue_offset=receipt.queue_offset + index,
                transaction_id="",
            )
        )
    return found


Settle = Callable[["SendReceipt | None", "BaseException | None"], None]


class _Gathering:
    """Messages that wait for others to leave with."""

    __slots__ = ("bytes", "items", "settlers", "timer")

    def __init__(self) -> None:
        self.items: list[Outgoing] = []
        self.settlers: list[Settle] = []
        self.bytes = 0
        self.timer: asyncio.TimerHandle | None = None


_Key = tuple[str, str, "MessageQueue | None"]


class Gatherer:
    """Gathers single sends into batches, per topic and order key."""

    def __init__(self, sender: Sender, config: Batching) -> None:
        self._sender = sender
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._gatherings: dict[_Key, _Gathering] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def takes(self, out: Outgoing) -> bool:
        """True for a message that may travel in a batch."""
        return (
            out.kind in ("normal", "ordered")
            and not out.sys_flag
            and batched_bytes(out) < self._config.bytes_max
        )

    def add(self, out: Outgoing, settle: Settle) -> None:
        """Take a message; `settle` hears of its receipt or its error."""
        key = (out.topic, self._lane_key(out), out.queue)
        gathering = self._gatherings.get(key)
        size = batched_bytes(out)
        if gathering is not None and gathering.bytes + size > self._config.bytes_max:
            self._release(key)
            gathering = None
        if gathering is None:
            gathering = self._gatherings[key] = _Gathering()
            gathering.timer = self._loop.call_later(
                self._config.linger_ms / 1000, self._release, key
            )
        gathering.items.append(out)
        gathering.settlers.append(settle)
        gathering.bytes += size
        if len(gathering.items) >= self._config.messages_max:
            self._release(key)

    def _lane_key(self, out: Outgoing) -> str:
        """Keys that share a queue share a batch; before the route is known, only equal keys do."""
        if not out.order_by:
            return ""
        lanes = self._sender.known_lanes(out.topic)
        if lanes is None:
            return f"={out.order_by}"
        lane = lanes.by_key(out.order_by)
        return f"{lane.broker_name}/{lane.queue.queue_id}"

    def _release(self, key: _Key) -> None:
        gathering = self._gatherings.pop(key, None)
        if gathering is None:
            return
        if gathering.timer is not None:
            gathering.timer.cancel()
        task = asyncio.ensure_future(self._send(gathering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, gathering: _Gathering) -> None:
        items = gathering.items
        try:
            if len(items) == 1:
                receipts = [await self._sender.deliver(items[0])]
            else:
                receipts = receipts_of(items, await self._sender.deliver(batch_of(items)))
        except BaseException as error:
            for settle in gathering.settlers:
                settle(None, error)
            if not isinstance(error, Exception):
                raise
            return
        for settle, receipt in zip(gathering.settlers, receipts, strict=True):
            settle(receipt, None)

    async def flush(self) -> None:
        """Send what is gathered, and return when it is answered."""
        for key in list(self._gatherings):
            self._release(key)
        while self._tasks:
            await asyncio.wait(set(self._tasks))
