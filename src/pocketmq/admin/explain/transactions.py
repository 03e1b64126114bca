"""Which half messages have ended, read from the broker's list of operations.

An operation names the queue offsets of half messages that are done with: committed, rolled back, or
put again at the end of their queue because their producer was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pocketmq.admin.explain.facts import BrokerFacts, Copy
from pocketmq.broker.rules.transactions import parse_operations
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue
from pocketmq.client.pulling import pull
from pocketmq.errors import BrokerRefused, PocketMQError
from pocketmq.filtering.subscriptions import parse_subscription
from pocketmq.message.topics import HALF_OPERATION_TOPIC, TOOLS_GROUP
from pocketmq.protocol.codes import ResponseCode

PULLS_MAX: Final = 500
_PAGE: Final = 32


async def ended_halves(
    calls: Calls, broker: BrokerFacts, halves: Sequence[Copy]
) -> tuple[frozenset[int], str]:
    """The queue offsets of these half messages that have ended, and why some may be missing."""
    wanted = {half.queue_offset for half in halves}
    queue = MessageQueue(HALF_OPERATION_TOPIC, broker.name, halves[0].queue_id)
    oldest_ms = min(half.stored_ms for half in halves)
    ended: set[int] = set()
    problem = ""
    try:
        at: int = await calls.offset_at(broker.address, queue, oldest_ms)
        end = await calls.max_offset(broker.address, queue)
        subscription = parse_subscription(HALF_OPERATION_TOPIC, "*")
        for _ in range(PULLS_MAX):
            if at >= end or ended == wanted:
                break
            page = await pull(
                calls, broker.address, TOOLS_GROUP, queue, at, subscription, messages_max=_PAGE
            )
            for message in page.messages:
                ended |= wanted.intersection(parse_operations(message.body))
            if page.next_offset <= at:
                break
            at = page.next_offset
    except PocketMQError as error:
        problem = _in_words(error)
    return frozenset(ended), problem


def _in_words(error: PocketMQError) -> str:
    if isinstance(error, BrokerRefused) and error.code == ResponseCode.TOPIC_NOT_EXIST:
        # So answer all brokers of version 4, whose list is there and is not a topic to others.
        return "the broker does not let anybody read its list of ended transactions"
    return " ".join(str(error).split()).rstrip(".")
