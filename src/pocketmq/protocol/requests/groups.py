"""Consumer groups on a broker: 201, 207, 208, 303, 317, 343, 345, 352 and 353."""

from __future__ import annotations

from typing import NamedTuple

from pocketmq.protocol.fields import I32


class AllGroupConfigRequest(NamedTuple):
    """Header of GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201). All absent: everything at once."""

    group_seq: I32 | None = None
    data_version: str | None = None
    max_group_num: I32 | None = None


class AllGroupConfigReply(NamedTuple):
    """Header of the answer to 201."""

    total_group_num: I32 | None = None


class DeleteGroupRequest(NamedTuple):
    """Header of DELETE_SUBSCRIPTIONGROUP (207)."""

    group_name: str
    clean_offset: bool = False


class GroupRequest(NamedTuple):
    """Header of QUERY_TOPICS_BY_CONSUMER (343) and GET_SUBSCRIPTIONGROUP_CONFIG (352)."""

    group: str


class GroupTopicRequest(NamedTuple):
    """Header of QUERY_SUBSCRIPTION_BY_CONSUMER (345) and QUERY_CONSUME_TIME_SPAN (303)."""

    group: str
    topic: str | None = None


class GroupForbiddenRequest(NamedTuple):
    """Header of UPDATE_AND_GET_GROUP_FORBIDDEN (353); without `readable` it only asks."""

    group: str
    topic: str
    readable: bool | None = None


class ConsumeStatsRequest(NamedTuple):
    """Header of GET_CONSUME_STATS (208). `topic_list` is joined by semicolons."""

    consumer_group: str
    topic: str | None = None
    topic_list: str | None = None


class BrokerConsumeStatsRequest(NamedTuple):
    """Header of GET_BROKER_CONSUME_STATS (317)."""

    is_order: bool = False
