"""Pop consumption: 200050 to 200055. BATCH_ACK (200151) and QUERY_ASSIGNMENT (400) speak in bodies.

Numbers that RocketMQ's clients always send may be absent from others; Apache then takes zero.
"""

from __future__ import annotations

from typing import NamedTuple

from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.fields import I32, I64


class PopRequest(NamedTuple):
    """Header of POP_MESSAGE. Queue id -1 means any; `init_mode` 0 starts at min, 1 at max."""

    consumer_group: str
    topic: str
    queue_id: I32 = 0
    max_msg_nums: I32 = 0
    invisible_time: I64 = 0
    poll_time: I64 = 0
    born_time: I64 = 0
    init_mode: I32 = 0
    exp_type: str | None = None
    exp: str | None = None
    order: bool | None = None
    attempt_id: str | None = None


class PopReply(NamedTuple):
    """Header of the answer to POP_MESSAGE and PEEK_MESSAGE."""

    pop_time: I64
    invisible_time: I64
    revive_qid: I32
    rest_num: I64
    start_offset_info: str | None = None
    msg_offset_info: str | None = None
    order_count_info: str | None = None


class AckRequest(NamedTuple):
    """Header of ACK_MESSAGE."""

    consumer_group: str
    topic: str
    queue_id: I32
    extra_info: str
    offset: QueueOffset


class ChangeInvisibleRequest(NamedTuple):
    """Header of CHANGE_MESSAGE_INVISIBLETIME."""

    consumer_group: str
    topic: str
    queue_id: I32
    extra_info: str
    offset: QueueOffset
    invisible_time: I64


class ChangeInvisibleReply(NamedTuple):
    """Header of the answer to CHANGE_MESSAGE_INVISIBLETIME."""

    pop_time: I64
    invisible_time: I64
    revive_qid: I32


class NotificationRequest(NamedTuple):
    """Header of NOTIFICATION: tell me when there is something to pop."""

    consumer_group: str
    topic: str
    queue_id: I32 = 0
    poll_time: I64 = 0
    born_time: I64 = 0
    order: bool | None = None
    attempt_id: str | None = None


class NotificationReply(NamedTuple):
    """Header of the answer to NOTIFICATION."""

    has_msg: bool = False
    polling_full: bool = False


class PeekRequest(NamedTuple):
    """Header of PEEK_MESSAGE."""

    topic: str
    consumer_group: str
    queue_id: I32 = 0
    max_msg_nums: I32 = 0


class PollingRequest(NamedTuple):
    """Header of POLLING_INFO."""

    consumer_group: str
    topic: str
    queue_id: I32 = 0


class PollingReply(NamedTuple):
    """Header of the answer to POLLING_INFO."""

    polling_num: I32
