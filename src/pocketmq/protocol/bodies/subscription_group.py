"""How consumer groups are set up: 200, 201, 225, 352 and 353."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.versions import DataVersion


def _customized() -> dict[str, Any]:
    return {"type": "CUSTOMIZED"}


@dataclass(frozen=True, slots=True)
class SimpleSubscription(Document):
    """A topic and expression that a group is set up with."""

    topic: str = ""
    expression_type: str = "TAG"
    expression: str = "*"
    version: int = 0


@dataclass(frozen=True, slots=True)
class SubscriptionGroup(Document):
    """One consumer group. `group_retry_policy` is kept as the JSON it came as."""

    group_name: str = ""
    consume_enable: bool = True
    consume_from_min_enable: bool = True
    consume_broadcast_enable: bool = True
    consume_message_orderly: bool = False
    retry_queue_nums: int = 1
    retry_max_times: int = 16
    group_retry_policy: Any = field(default_factory=_customized)
    broker_id: int = 0
    which_broker_when_consume_slowly: int = 1
    notify_consumer_ids_changed_enable: bool = True
    group_sys_flag: int = 0
    consume_timeout_minute: int = 15
    subscription_data_set: tuple[SimpleSubscription, ...] | None = None
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubscriptionGroupTable(Document):
    """Body of the answer to GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201)."""

    subscription_group_table: dict[str, SubscriptionGroup] = field(default_factory=dict)
    forbidden_table: dict[str, dict[str, int]] = field(default_factory=dict)
    data_version: DataVersion = DataVersion()  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class SubscriptionGroupList(Document):
    """Body of UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST (225)."""

    group_config_list: tuple[SubscriptionGroup, ...] = ()

    request_chars_max: ClassVar[int] = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class GroupForbidden(Document):
    """Body of the answer to UPDATE_AND_GET_GROUP_FORBIDDEN (353)."""

    group: str = ""
    topic: str = ""
    readable: bool = True


@dataclass(frozen=True, slots=True)
class GroupList(Document):
    """Body of the answer to QUERY_TOPIC_CONSUME_BY_WHO (300)."""

    group_list: tuple[str, ...] = ()
