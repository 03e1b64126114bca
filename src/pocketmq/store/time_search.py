"""From a moment to a queue offset: a binary search by the store times in the log."""

from __future__ import annotations

from collections.abc import Callable

from pocketmq.message.positions import QueueOffset
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.consume_queue import ConsumeQueue

LOWER = "LOWER"
UPPER = "UPPER"


def store_time_of(log: CommitLog, queue: ConsumeQueue, queue_offset: int) -> int:
    """Return the store time of one message of a queue, or -1 when it is gone."""
    held = queue.entry(queue_offset)
    return -1 if held is None else log.store_time_at(held[0])


def offset_by_time(
    log: CommitLog,
    queue: ConsumeQueue,
    timestamp_ms: int,
    boundary: str,
    time_of: Callable[[ConsumeQueue, int], int] | None = None,
) -> QueueOffset:
    """Return the first message stored at or after a moment (LOWER), or the last not after (UPPER).

    Behind the last message, LOWER is the queue's end, but for batch queues the last record. Before
    the first, UPPER is the first. `time_of` reads a message's store time in another way.
    """
    first = queue.min_offset(log.min_offset)
    low, high = first, queue.end
    while low < high:
        middle = QueueOffset((low + high) // 2)
        moment = time_of(queue, middle) if time_of else store_time_of(log, queue, middle)
        if moment < timestamp_ms or (moment == timestamp_ms and boundary == UPPER):
            low = QueueOffset(middle + 1)
        else:
            high = middle
    if boundary == UPPER:
        return queue.align(QueueOffset(max(low - 1, first)))
    if queue.is_batch and low == queue.end and low > first:
        return queue.align(queue.end_entry)
    return low
