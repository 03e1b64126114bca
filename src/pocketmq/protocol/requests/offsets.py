"""Positions in queues: 14, 15, 29 to 32, and the operator actions on them: 220 to 223, 308, 314."""

from __future__ import annotations

from typing import NamedTuple

from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.fields import I32, I64


class QueryOffsetRequest(NamedTuple):
    """Header of QUERY_CONSUMER_OFFSET (14)."""

    consumer_group: str
    topic: str
    queue_id: I32
    set_zero_if_not_found: bool | None = None


class CommitOffsetRequest(NamedTuple):
    """Header of UPDATE_CONSUMER_OFFSET (15). Numbers may be absent: the answer is then 29."""

    consumer_group: str
    topic: str
    queue_id: I32 | None = None
    commit_offset: QueueOffset | None = None


class OffsetReply(NamedTuple):
    """Header of the answers to 14, 29, 30 and 31."""

    offset: QueueOffset


class SearchOffsetRequest(NamedTuple):
    """Header of SEARCH_OFFSET_BY_TIMESTAMP (29). `boundary_type` is LOWER (default) or UPPER."""

    topic: str
    queue_id: I32
    timestamp: I64
    boundary_type: str | None = None

    @property
    def is_upper(self) -> bool:
        """True when the last message not after the time is wanted; any odd text means LOWER."""
        return (self.boundary_type or "").upper() == "UPPER"


class MaxOffsetRequest(NamedTuple):
    """Header of GET_MAX_OFFSET (30). Brokers ignore `committed`."""

    topic: str
    queue_id: I32
    committed: bool | None = None


class QueueRequest(NamedTuple):
    """Header of GET_MIN_OFFSET (31) and GET_EARLIEST_MSG_STORETIME (32)."""

    topic: str
    queue_id: I32


class EarliestStoreTimeReply(NamedTuple):
    """Header of the answer to 32: milliseconds, -1 when the queue is empty."""

    timestamp: I64


class ResetOffsetRequest(NamedTuple):
    """Header of 222 (admin to broker) and 220 (broker to client). Queue id -1 means all."""

    group: str
    topic: str
    queue_id: I32 = -1
    offset: QueueOffset | None = None
    timestamp: I64 = 0
    is_force: bool = False


class ConsumerStatusRequest(NamedTuple):
    """Header of 223 (admin to broker) and 221 (broker to client)."""

    topic: str
    group: str
    client_addr: str | None = None


class CorrectionOffsetRequest(NamedTuple):
    """Header of QUERY_CORRECTION_OFFSET (308)."""

    compare_group: str
    topic: str
    filter_groups: str | None = None


class CloneOffsetRequest(NamedTuple):
    """Header of CLONE_GROUP_OFFSET (314)."""

    src_group: str
    dest_group: str
    topic: str | None = None
    offline: bool = False
