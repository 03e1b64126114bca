"""Sending messages: SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320), replies
(324, 325 and 326), CONSUMER_SEND_MSG_BACK (36) and RECALL_MESSAGE (370).

The V2 header says the same as the first one in one-letter names. The hot path reads it without
this class; see `framing.py`.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.protocol.fields import I32, I64, wire


class SendRequest(NamedTuple):
    """Header of 10 and 324; the body is the message body."""

    producer_group: str
    topic: str
    default_topic: str
    default_topic_queue_nums: I32
    queue_id: I32
    sys_flag: I32
    born_timestamp: I64
    flag: I32
    properties: str | None = None
    reconsume_times: I32 | None = None
    unit_mode: bool | None = None
    batch: bool | None = None
    max_reconsume_times: I32 | None = None
    broker_name: Annotated[str | None, wire("bname")] = None


class SendRequestV2(NamedTuple):
    """Header of 310, 320 and 325: the same facts under one-letter names."""

    producer_group: Annotated[str, wire("a")]
    topic: Annotated[str, wire("b")]
    default_topic: Annotated[str, wire("c")]
    default_topic_queue_nums: Annotated[I32, wire("d")]
    queue_id: Annotated[I32, wire("e")]
    sys_flag: Annotated[I32, wire("f")]
    born_timestamp: Annotated[I64, wire("g")]
    flag: Annotated[I32, wire("h")]
    properties: Annotated[str | None, wire("i")] = None
    reconsume_times: Annotated[I32 | None, wire("j")] = None
    unit_mode: Annotated[bool | None, wire("k")] = None
    max_reconsume_times: Annotated[I32 | None, wire("l")] = None
    batch: Annotated[bool | None, wire("m")] = None
    broker_name: Annotated[str | None, wire("n")] = None


class SendReply(NamedTuple):
    """Header of the answer to a send. Java clients need `region` and `trace_on`, even on errors."""

    msg_id: str | None = None
    queue_id: I32 | None = None
    queue_offset: QueueOffset | None = None
    transaction_id: str | None = None
    batch_uniq_id: str | None = None
    recall_handle: str | None = None
    region: Annotated[str | None, wire("MSG_REGION")] = None
    trace_on: Annotated[bool | None, wire("TRACE_ON")] = None


class SendBackRequest(NamedTuple):
    """Header of 36: a consumer returns a message it could not handle. There is no body."""

    offset: LogOffset
    group: str
    delay_level: I32
    origin_msg_id: str | None = None
    origin_topic: str | None = None
    unit_mode: bool | None = None
    max_reconsume_times: I32 | None = None


class PushReplyRequest(NamedTuple):
    """Header of 326: the broker hands a reply to the client that asked."""

    producer_group: str
    topic: str
    default_topic: str
    default_topic_queue_nums: I32
    queue_id: I32
    sys_flag: I32
    born_timestamp: I64
    flag: I32
    born_host: str
    store_host: str
    store_timestamp: I64 = 0
    properties: str | None = None
    reconsume_times: I32 | None = None
    unit_mode: bool | None = None


class RecallRequest(NamedTuple):
    """Header of 370: take back a timer message that is not delivered yet."""

    topic: str
    recall_handle: str
    producer_group: str | None = None


class RecallReply(NamedTuple):
    """Header of the answer to 370: the unique key of the recalled message."""

    msg_id: str
    region: Annotated[str | None, wire("MSG_REGION")] = None
