"""Pops of a message, read from the check points and acknowledgements that the broker stores.

They wait in the timer's queue until they matter. A broker that keeps them elsewhere (Apache's with
popConsumerKVServiceEnable) or in memory for some seconds (enablePopBufferMerge) shows none here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pocketmq.admin.explain.facts import BrokerFacts, CheckPointFacts, Copy
from pocketmq.broker.rules import pop_records as rules
from pocketmq.broker.rules.pop_records import CheckPoint, Key
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.pulling import pull
from pocketmq.errors import PocketMQError
from pocketmq.filtering.subscriptions import parse_subscription
from pocketmq.message.topics import TIMER_TOPIC, TOOLS_GROUP

PULLS_MAX: Final = 1000
"""At 32 records each; more is not read, and said so."""
LOOK_BACK_MS: Final = 3_600_000
"""Pops are seldom invisible for longer."""
_PAGE: Final = 32
_TAGS: Final = f"{rules.CHECK_POINT_TAG} || {rules.ACK_TAG} || {rules.BATCH_ACK_TAG}"


async def check_points_of(
    calls: Calls, broker: BrokerFacts, copies: Sequence[Copy]
) -> tuple[list[CheckPointFacts], str]:
    """The pops of these copies on their broker, oldest first, and why some may be missing."""
    wanted = {(copy.topic, copy.queue_id, copy.queue_offset) for copy in copies}
    oldest_ms = max(min(copy.stored_ms for copy in copies), broker.now_ms - LOOK_BACK_MS)
    queue = MessageQueue(TIMER_TOPIC, broker.name, 0)
    open_points: dict[tuple[Key, int], CheckPointFacts] = {}
    try:
        at: int = await calls.offset_at(broker.address, queue, oldest_ms)
        end = await calls.max_offset(broker.address, queue)
        subscription = parse_subscription(TIMER_TOPIC, _TAGS)
        for _ in range(PULLS_MAX):
            if at >= end:
                return _in_order(open_points), ""
            page = await pull(
                calls, broker.address, TOOLS_GROUP, queue, at, subscription, messages_max=_PAGE
            )
            for message in page.messages:
                _read(message, wanted, open_points)
            if page.next_offset <= at:
                break
            at = page.next_offset
    except PocketMQError as error:
        return _in_order(open_points), str(error)
    return _in_order(open_points), (
        f"only the first {PULLS_MAX * _PAGE:,} records of the last hour's pops were read"
    )


def _in_order(found: dict[tuple[Key, int], CheckPointFacts]) -> list[CheckPointFacts]:
    return sorted(found.values(), key=lambda point: point.popped_ms)


def _read(
    message: ReceivedMessage,
    wanted: set[tuple[str, int, int]],
    found: dict[tuple[Key, int], CheckPointFacts],
) -> None:
    try:
        if message.tag == rules.CHECK_POINT_TAG:
            _add(rules.read_check_point(message.body), wanted, found)
            return
        key, offsets = rules.read_acks(message.body)
    except (ValueError, RecursionError):
        return  # not a record of pops, whatever its tag says
    for offset in offsets:
        known = found.get((key, offset))
        if known is not None and known.acknowledged_ms is None:
            found[key, offset] = CheckPointFacts(
                known.group, known.popped_ms, known.due_ms, message.store_timestamp_ms
            )


def _add(
    point: CheckPoint,
    wanted: set[tuple[str, int, int]],
    found: dict[tuple[Key, int], CheckPointFacts],
) -> None:
    for offset in point.open_offsets:
        if (point.topic, point.queue_id, offset) in wanted:
            found[point.key, offset] = CheckPointFacts(point.group, point.pop_time_ms, point.due_ms)
