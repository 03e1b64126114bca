"""Topics on a broker: 17, 21, 202, 215, 300, 351, 354 and 513."""

from __future__ import annotations

from typing import NamedTuple

from pocketmq.protocol.fields import I32, I64


class CreateTopicRequest(NamedTuple):
    """Header of UPDATE_AND_CREATE_TOPIC (17) and UPDATE_AND_CREATE_STATIC_TOPIC (513).

    `attributes` is text such as `+message.type=FIFO,-reserve.time`.
    """

    topic: str
    default_topic: str
    read_queue_nums: I32
    write_queue_nums: I32
    perm: I32
    topic_filter_type: str = "SINGLE_TAG"
    topic_sys_flag: I32 | None = None
    order: bool = False
    attributes: str | None = None
    force: bool | None = None


class TopicRequest(NamedTuple):
    """Header of 202, 215, 300 and 351: just a topic."""

    topic: str


class AllTopicConfigRequest(NamedTuple):
    """Header of GET_ALL_TOPIC_CONFIG (21). All absent: everything at once."""

    topic_seq: I32 | None = None
    data_version: str | None = None
    max_topic_num: I32 | None = None


class AllTopicConfigReply(NamedTuple):
    """Header of the answer to 21."""

    total_topic_num: I32 | None = None


class QueueWriteProgressRequest(NamedTuple):
    """Header of CHECK_ROCKSDB_CQ_WRITE_PROGRESS (354)."""

    topic: str
    check_store_time: I64 = 0
