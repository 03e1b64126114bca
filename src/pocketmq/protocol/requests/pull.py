"""Pulling messages: PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361)."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.fields import I32, I64, wire

# Bits of the request's `sys_flag`.
COMMIT_OFFSET_VALID: Final = 1
MAY_SUSPEND: Final = 2
HAS_SUBSCRIPTION: Final = 4
CLASS_FILTER: Final = 8
LITE_PULL: Final = 16


class PullRequest(NamedTuple):
    """Header of 11 and 361. `subscription` counts only when HAS_SUBSCRIPTION is set."""

    consumer_group: str
    topic: str
    queue_id: I32
    queue_offset: QueueOffset
    max_msg_nums: I32
    sys_flag: I32
    commit_offset: QueueOffset
    suspend_timeout_millis: I64
    subscription: str | None = None
    sub_version: I64 | None = None
    expression_type: str | None = None
    max_msg_bytes: I32 | None = None
    request_source: I32 | None = None
    proxy_client_id: Annotated[str | None, wire("proxyFrowardClientId")] = None


class PullReply(NamedTuple):
    """Header of the answers 0, 19, 20 and 21. The body holds stored messages back to back."""

    suggest_which_broker_id: I64
    next_begin_offset: QueueOffset
    min_offset: QueueOffset
    max_offset: QueueOffset
    offset_delta: I64 | None = None
    topic_sys_flag: I32 | None = None
    group_sys_flag: I32 | None = None
    forbidden_type: I32 | None = None
