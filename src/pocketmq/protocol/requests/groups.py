"""Consumer groups on a broker: 201, 207, 208, 303, 317, 343, 345, 352 and 353."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.protocol.fields import I32


@dataclass(frozen=True, slots=True)
class AllGroupConfigRequest:
    """Header of GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201). All absent: everything at once."""

    group_seq: I32 | None = None
    data_version: str | None = None
    max_group_num: I32 | None = None


@dataclass(frozen=True, slots=True)
class AllGroupConfigReply:
    """Header of the answer to 201."""

    total_group_num: I32 | None = None


@dataclass(frozen=True, slots=True)
class DeleteGroupRequest:
    """Header of DELETE_SUBSCRIPTIONGROUP (207)."""

    group_name: str
    clean_offset: bool = False


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """Header of QUERY_TOPICS_BY_CONSUMER (343) and GET_SUBSCRIPTIONGROUP_CONFIG (352)."""

    group: str


@dataclass(frozen=True, slots=True)
class GroupTopicRequest:
    """Header of QUERY_SUBSCRIPTION_BY_CONSUMER (345) and QUERY_CONSUME_TIME_SPAN (303)."""

    group: str
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class GroupForbiddenRequest:
    """Header of UPDATE_AND_GET_GROUP_FORBIDDEN (353); without `readable` it only asks."""

    group: str
    topic: str
    readable: bool | None = None


@dataclass(frozen=True, slots=True)
class ConsumeStatsRequest:
    """Header of GET_CONSUME_STATS (208). `topic_list` is joined by semicolons."""

    consumer_group: str
    topic: str | None = None
    topic_list: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerConsumeStatsRequest:
    """Header of GET_BROKER_CONSUME_STATS (317)."""

    is_order: bool = False
