"""Finding stored messages: QUERY_MESSAGE (12), VIEW_MESSAGE_BY_ID (33) and
QUERY_CONSUME_QUEUE (321)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.protocol.fields import I32, I64, wire

_FIRST = QueueOffset(0)


@dataclass(frozen=True, slots=True)
class QueryMessageRequest:
    """Header of 12. `by_unique_key` makes `key` a message's UNIQ_KEY instead of a user's key."""

    topic: str
    key: str
    max_num: I32
    begin_timestamp: I64
    end_timestamp: I64
    by_unique_key: bool | None = field(default=None, metadata=wire("_UNIQUE_KEY_QUERY"))


@dataclass(frozen=True, slots=True)
class QueryMessageReply:
    """Header of the answer to 12. The body holds stored messages back to back."""

    index_last_update_timestamp: I64
    index_last_update_phyoffset: LogOffset


@dataclass(frozen=True, slots=True)
class ViewMessageRequest:
    """Header of 33. The answer's body is one stored message."""

    offset: LogOffset
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class QueryQueueRequest:
    """Header of 321: `count` consume queue entries from `index` on."""

    topic: str
    queue_id: I32 = 0
    index: QueueOffset = _FIRST
    count: I32 = 0
    consumer_group: str | None = None
