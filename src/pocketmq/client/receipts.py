"""Receipt handles: what a popping consumer shows a broker to acknowledge a message.

    startOffset popTime invisibleTime reviveQueue retryFlag broker queue offset

A pop's answer has the parts in its header, one entry for each queue it took messages from:

    startOffsetInfo   `retryFlag queue startOffset;...`
    msgOffsetInfo     `retryFlag queue offset,offset,...;...`
    orderCountInfo    `retryFlag qo<queue>%<offset> times;...` or `retryFlag queue times;...`

Messages that come again carry their handle as property POP_CK.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from pocketmq.client.messages import ReceivedMessage
from pocketmq.errors import MalformedBody
from pocketmq.message.topics import POP_RETRY_SEPARATOR, RETRY_PREFIX, pop_retry_topic
from pocketmq.protocol.bodies.pop import AckItem

HANDLE_PROPERTY: Final = "POP_CK"
NORMAL, RETRY_FIRST, RETRY_SECOND = 0, 1, 2
ORDERED_REVIVE_QUEUE: Final = 999
_BITS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Receipt:
    """The right to acknowledge one message, until it becomes visible again."""

    start_offset: int
    pop_time_ms: int
    invisible_ms: int
    revive_queue: int
    retry_flag: int
    broker_name: str
    queue_id: int
    offset: int

    @property
    def handle(self) -> str:
        """The handle as brokers read it."""
        return (
            f"{self.start_offset} {self.pop_time_ms} {self.invisible_ms} {self.revive_queue} "
            f"{self.retry_flag} {self.broker_name} {self.queue_id} {self.offset}"
        )

    def topic(self, group: str, topic: str) -> str:
        """The topic that the offset belongs to; `topic` is the one that was popped."""
        if self.retry_flag == NORMAL:
            return topic
        return pop_retry_topic(group, topic, second_form=self.retry_flag == RETRY_SECOND)

    def renewed(self, pop_time_ms: int, invisible_ms: int, revive_queue: int) -> Receipt:
        """The receipt after the broker has hidden the message anew."""
        start = self.start_offset if self.revive_queue == ORDERED_REVIVE_QUEUE else self.offset
        return replace(
            self,
            start_offset=start,
            pop_time_ms=pop_time_ms,
            invisible_ms=invisible_ms,
            revive_queue=revive_queue,
        )


def read_handle(text: str) -> Receipt:
    """The receipt in a handle. Raise MalformedBody."""
    parts = text.split(" ")
    try:
        numbers = [int(part) for part in (*parts[:5], *parts[6:8])]
        start, pop, invisible, revive, retry, queue, offset = numbers
    except ValueError:
        raise MalformedBody(f"the receipt handle {text[:80]!r} cannot be read") from None
    return Receipt(start, pop, invisible, revive, retry, parts[5], queue, offset)


def receipts_of(
    messages: Iterable[ReceivedMessage], fields: dict[str, str], broker_name: str
) -> list[Receipt]:
    """The receipts of popped messages, in their order. Raise MalformedBody."""
    try:
        pop_time, invisible = int(fields["popTime"]), int(fields["invisibleTime"])
        revive = int(fields["reviveQid"])
        starts = {
            (int(flag), int(queue)): int(start)
            for flag, queue, start in _entries(fields.get("startOffsetInfo", ""))
        }
    except (KeyError, ValueError) as error:
        raise MalformedBody(f"the answer to a pop cannot be read: {error!r}") from None
    found = []
    for message in messages:
        handle = message.properties.get(HANDLE_PROPERTY)
        if handle:
            found.append(read_handle(handle))
            continue
        flag = retry_flag(message.stored_topic)
        start = starts.get((flag, message.queue_id), message.queue_offset)
        found.append(
            Receipt(
                start, pop_time, invisible, revive, flag, broker_name,
                message.queue_id, message.queue_offset,
            )
        )  # fmt: skip
    return found


def count_attempts(messages: Iterable[ReceivedMessage], order_counts: str) -> None:
    """Let the messages of an ordered pop know how often they were handed out before.

    Stored messages do not say, as nothing is stored again. Raise MalformedBody.
    """
    try:
        counts = {key: int(times) for _, key, times in _entries(order_counts)}
    except ValueError as error:
        raise MalformedBody(f"the answer to a pop cannot be read: {error!r}") from None
    for message in messages:
        queue = str(message.queue_id)
        of_queue = counts.get(queue, 0)
        message.reconsume_times = counts.get(f"qo{queue}%{message.queue_offset}", of_queue)


def _entries(text: str) -> list[tuple[str, str, str]]:
    entries = []
    for part in text.split(";"):
        if part:
            flag, queue, value = part.split(" ")
            entries.append((flag, queue, value))
    return entries


def retry_flag(topic: str) -> int:
    """Which kind of topic a popped message lay in."""
    if not topic.startswith(RETRY_PREFIX):
        return NORMAL
    return RETRY_SECOND if POP_RETRY_SEPARATOR in topic else RETRY_FIRST


def ack_items(group: str, acked: Iterable[tuple[str, Receipt]]) -> list[AckItem]:
    """Acknowledgements of (popped topic, receipt), those of one pop and queue together."""
    bits: dict[tuple[str, int, int, int, int, int, int], int] = {}
    for topic, receipt in acked:
        distance = receipt.offset - receipt.start_offset
        start = receipt.start_offset if 0 <= distance < _BITS_MAX else receipt.offset
        key = (
            topic, receipt.retry_flag, start, receipt.queue_id, receipt.revive_queue,
            receipt.pop_time_ms, receipt.invisible_ms,
        )  # fmt: skip
        bits[key] = bits.get(key, 0) | 1 << (receipt.offset - start)
    return [
        AckItem(group, topic, str(flag), start, queue, revive, pop_time, invisible, _packed(set_))
        for (topic, flag, start, queue, revive, pop_time, invisible), set_ in bits.items()
    ]


def _packed(bits: int) -> str:
    return base64.b64encode(bits.to_bytes((bits.bit_length() + 7) // 8, "little")).decode()
