"""Why a send is refused: one place for the codes and the words."""

from __future__ import annotations

from pocketmq.errors import (
    MalformedBody,
    PropertiesTooLarge,
    QueueIdOutOfRange,
    RecordTooLarge,
    Refused,
    StoreError,
    TopicTooLong,
)
from pocketmq.protocol.codes import ResponseCode


def from_store(error: StoreError | MalformedBody) -> Refused:
    """What a producer is told when the store does not take its message."""
    if isinstance(error, (RecordTooLarge, PropertiesTooLarge, TopicTooLong, MalformedBody)):
        return Refused(ResponseCode.MESSAGE_ILLEGAL, str(error))
    if isinstance(error, QueueIdOutOfRange):
        return Refused(ResponseCode.INVALID_PARAMETER, str(error))
    return Refused(ResponseCode.SERVICE_NOT_AVAILABLE, str(error))


def topic_missing(topic: str) -> Refused:
    """The topic does not exist and may not be created by sending to it."""
    return Refused(
        ResponseCode.TOPIC_NOT_EXIST,
        f"topic {topic!r} does not exist and cannot be created by this send; create it with "
        "updateTopic, or set autoCreateTopicEnable=true",
    )


def queue_missing(topic: str, queue_id: int, count: int) -> Refused:
    """The queue number is beyond the topic's queues."""
    return Refused(
        ResponseCode.INVALID_PARAMETER,
        f"queue {queue_id} of topic {topic!r} does not exist; it has queues 0 to {count - 1}",
    )


def too_many_waiting(waiting: int) -> Refused:
    """The disk is slower than the producers."""
    return Refused(
        ResponseCode.SYSTEM_BUSY,
        f"[OVERLOAD] {waiting} sends already wait for the disk; try again later",
    )
