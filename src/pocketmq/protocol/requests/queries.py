"""Finding stored messages: QUERY_MESSAGE (12), VIEW_MESSAGE_BY_ID (33) and
QUERY_CONSUME_QUEUE (321)."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.protocol.fields import I32, I64, wire

_FIRST = QueueOffset(0)


class QueryMessageRequest(NamedTuple):
    """Header of 12. `by_unique_key` makes `key` a message's UNIQ_KEY instead of a user's key."""

    topic: str
    key: str
    max_num: I32
    begin_timestamp: I64
    end_timestamp: I64
    by_unique_key: Annotated[bool | None, wire("_UNIQUE_KEY_QUERY")] = None


class QueryMessageReply(NamedTuple):
    """Header of the answer to 12. The body holds stored messages back to back."""

    index_last_update_timestamp: I64
    index_last_update_phyoffset: LogOffset


class ViewMessageRequest(NamedTuple):
    """Header of 33. The answer's body is one stored message."""

    offset: LogOffset
    topic: str | None = None


class QueryQueueRequest(NamedTuple):
    """Header of 321: `entry_count` consume queue entries from `first_index` on."""

    topic: str
    queue_id: I32 = 0
    first_index: Annotated[QueueOffset, wire("index")] = _FIRST
    entry_count: Annotated[I32, wire("count")] = 0
    consumer_group: str | None = None
