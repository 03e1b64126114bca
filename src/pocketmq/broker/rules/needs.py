"""Which permissions a request needs, by its code: RocketMQ's table, as a pure function.

Most requests name topics and groups in their fields; a few do so in their body, and some concern
the cluster as a whole. A retry topic stands for its group: whoever may consume as the group may use
it. Apache leaves some requests to anyone who can sign. Those that read or change what permissions
are for are checked here like their siblings (decision 10 lists them); the rest is `NEVER`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from pocketmq.message.topics import RETRY_PREFIX, is_retry_topic, topic_of_pop_retry_topic
from pocketmq.protocol import refusals
from pocketmq.protocol.bodies.heartbeat import Heartbeat
from pocketmq.protocol.bodies.pop import BatchAck, MessageRequestMode
from pocketmq.protocol.bodies.queues import LockRequest
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup, SubscriptionGroupList
from pocketmq.protocol.bodies.topic_config import TopicConfigList
from pocketmq.protocol.codes import RequestCode as Code
from pocketmq.protocol.command import Command
from pocketmq.security.acls import Action, Need, ResourceType

Actions = frozenset[Action]
Rule = Callable[[Command], Iterator[Need]]

_PUB: Final = frozenset((Action.PUB,))
_SUB: Final = frozenset((Action.SUB,))
_CREATE: Final = frozenset((Action.CREATE,))
_UPDATE: Final = frozenset((Action.UPDATE,))
_DELETE: Final = frozenset((Action.DELETE,))
_GET: Final = frozenset((Action.GET,))
_SUB_OR_GET: Final = _SUB | _GET
_SUB_OR_UPDATE: Final = _SUB | _UPDATE
_CREATE_OR_UPDATE: Final = _CREATE | _UPDATE


class Named(NamedTuple):
    """Fields of a request that name what it needs; absent ones need nothing.

    Those of `lists` hold several names, by what separates them.
    """

    actions: Actions
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    lists: tuple[tuple[ResourceType, str, str], ...] = ()


def _topic(actions: Actions, *, required: bool = True) -> Named:
    return Named(actions, ("topic",), required=("topic",) if required else ())


NAMED: Final[dict[int, Named]] = {
    Code.QUERY_MESSAGE: _topic(_SUB_OR_GET),
    Code.RECALL_MESSAGE: _topic(_PUB),
    Code.END_TRANSACTION: _topic(_PUB, required=False),
    Code.CONSUMER_SEND_MSG_BACK: Named(_SUB, groups=("group",), required=("group",)),
    Code.UNREGISTER_CLIENT: Named(_SUB, groups=("consumerGroup",)),
    Code.GET_CONSUMER_LIST_BY_GROUP: Named(
        _SUB_OR_GET, groups=("consumerGroup",), required=("consumerGroup",)
    ),
    Code.UPDATE_AND_CREATE_TOPIC: _topic(_CREATE),
    Code.UPDATE_AND_CREATE_STATIC_TOPIC: _topic(_CREATE),
    Code.DELETE_TOPIC_IN_BROKER: _topic(_DELETE),
    Code.DELETE_SUBSCRIPTIONGROUP: Named(_DELETE, groups=("groupName",), required=("groupName",)),
    **dict.fromkeys(
        (
            Code.SEARCH_OFFSET_BY_TIMESTAMP,
            Code.GET_MAX_OFFSET,
            Code.GET_MIN_OFFSET,
            Code.GET_EARLIEST_MSG_STORETIME,
            Code.GET_TOPIC_STATS_INFO,
            Code.QUERY_TOPIC_CONSUME_BY_WHO,
            Code.GET_TOPIC_CONFIG,
            Code.CHECK_ROCKSDB_CQ_WRITE_PROGRESS,
        ),
        _topic(_GET),
    ),
    Code.VIEW_MESSAGE_BY_ID: _topic(_GET, required=False),
    Code.GET_CONSUMER_CONNECTION_LIST: Named(
        _GET, groups=("consumerGroup",), required=("consumerGroup",)
    ),
    Code.GET_CONSUMER_RUNNING_INFO: Named(
        _GET, groups=("consumerGroup",), required=("consumerGroup",)
    ),
    Code.QUERY_TOPICS_BY_CONSUMER: Named(_GET, groups=("group",), required=("group",)),
    Code.GET_SUBSCRIPTIONGROUP_CONFIG: Named(_GET, groups=("group",), required=("group",)),
    Code.GET_CONSUME_STATS: Named(
        _GET,
        ("topic",),
        ("consumerGroup",),
        ("consumerGroup",),
        ((ResourceType.TOPIC, "topicList", ";"),),
    ),
    Code.INVOKE_BROKER_TO_GET_CONSUMER_STATUS: Named(_GET, ("topic",), ("group",), ("topic",)),
    Code.QUERY_CONSUME_TIME_SPAN: Named(_GET, ("topic",), ("group",)),
    Code.QUERY_CORRECTION_OFFSET: Named(
        _GET,
        ("topic",),
        ("compareGroup",),
        ("topic",),
        ((ResourceType.GROUP, "filterGroups", ","),),
    ),
    Code.QUERY_CONSUME_QUEUE: Named(_GET, ("topic",), ("consumerGroup",), ("topic",)),
    Code.QUERY_SUBSCRIPTION_BY_CONSUMER: Named(_GET, ("topic",), ("group",), ("group",)),
    Code.INVOKE_BROKER_TO_RESET_OFFSET: Named(_UPDATE, ("topic",), ("group",), ("topic", "group")),
    Code.CLONE_GROUP_OFFSET: Named(_UPDATE, ("topic",), ("destGroup",), ("destGroup",)),
    Code.UPDATE_AND_GET_GROUP_FORBIDDEN: Named(_UPDATE, ("topic",), ("group",), ("topic", "group")),
    Code.CONSUME_MESSAGE_DIRECTLY: Named(_SUB, ("topic",), ("consumerGroup",), ("consumerGroup",)),
    Code.RESUME_CHECK_HALF_MESSAGE: _topic(_UPDATE),
}
"""Requests whose needs are all in their fields, with any one of the actions."""

CLUSTER: Final[dict[int, Actions]] = {
    **dict.fromkeys(
        (
            Code.GET_PRODUCER_CONNECTION_LIST,
            Code.VIEW_BROKER_STATS_DATA,
            Code.GET_BROKER_CONSUME_STATS,
            Code.GET_ALL_PRODUCER_INFO,
            Code.EXPORT_ROCKSDB_CONFIG_TO_JSON,
            Code.AUTH_GET_USER,
            Code.AUTH_LIST_USER,
            Code.AUTH_GET_ACL,
            Code.AUTH_LIST_ACL,
            Code.COLLECT_FIGURES,
        ),
        _GET,
    ),
    **dict.fromkeys(
        (
            Code.NOTIFY_MIN_BROKER_ID_CHANGE,
            Code.EXCHANGE_BROKER_HA_INFO,
            Code.RESET_MASTER_FLUSH_OFFSET,
            Code.NOTIFY_BROKER_ROLE_CHANGED,
            Code.AUTH_CREATE_USER,
            Code.AUTH_UPDATE_USER,
            Code.AUTH_DELETE_USER,
            Code.AUTH_CREATE_ACL,
            Code.AUTH_UPDATE_ACL,
            Code.AUTH_DELETE_ACL,
            Code.UPDATE_BROKER_CONFIG,
            Code.CLEAN_EXPIRED_CONSUMEQUEUE,
            Code.CLEAN_UNUSED_TOPIC,
            Code.DELETE_EXPIRED_COMMITLOG,
        ),
        _UPDATE,
    ),
}
"""Requests about the cluster as a whole."""


def needs_of(command: Command, cluster: str) -> Iterator[Need]:
    """What a request needs, all of it; nothing for the codes of `NEVER`. Raise MalformedBody.

    A code that no table knows needs the right to change the cluster.
    """
    code = command.code
    rule = RULES.get(code)
    if rule is not None:
        yield from rule(command)
    elif code in NAMED:
        yield from _named(NAMED[code], command.fields)
    elif code not in NEVER:
        yield Need(ResourceType.CLUSTER, cluster, CLUSTER.get(code, _UPDATE))


def _named(names: Named, fields: dict[str, str]) -> Iterator[Need]:
    for kind, keys in ((ResourceType.TOPIC, names.topics), (ResourceType.GROUP, names.groups)):
        for key in keys:
            value = fields.get(key)
            if value or key in names.required:
                yield _need(kind, value or "", names.actions)
    for kind, key, separator in names.lists:
        for value in fields.get(key, "").split(separator):
            if value:
                yield _need(kind, value, names.actions)


def _need(kind: ResourceType, name: str, actions: Actions) -> Need:
    if kind is ResourceType.TOPIC and is_retry_topic(name):
        return Need(ResourceType.GROUP, name.removeprefix(RETRY_PREFIX), actions)
    return Need(kind, name, actions)


def need_topic(name: str, actions: Actions) -> Need:
    """These actions on a topic, or on the group that a retry topic belongs to."""
    return _need(ResourceType.TOPIC, name, actions)


def _need_group(name: str, actions: Actions) -> Need:
    return Need(ResourceType.GROUP, name, actions)


def _send(topic_key: str) -> Rule:
    """A message to a retry topic is one that its group could not consume."""

    def rule(command: Command) -> Iterator[Need]:
        topic = command.fields.get(topic_key, "")
        yield need_topic(topic, _SUB if is_retry_topic(topic) else _PUB)

    return rule


def _consume(actions: Actions) -> Rule:
    def rule(command: Command) -> Iterator[Need]:
        fields = command.fields
        yield need_topic(fields.get("topic", ""), actions)
        yield _need_group(fields.get("consumerGroup", ""), actions)

    return rule


def _acknowledge(command: Command) -> Iterator[Need]:
    fields = command.fields
    yield from _popped(fields.get("consumerGroup", ""), fields.get("topic", ""))


def _acknowledge_many(command: Command) -> Iterator[Need]:
    popped = {(ack.consumer_group, ack.topic) for ack in BatchAck.from_request(command.body).acks}
    for group, topic in popped:
        yield from _popped(group, topic)


def _popped(group: str, topic: str) -> Iterator[Need]:
    """What was popped a second time lies in `%RETRY%group_topic`, and is named so."""
    yield need_topic(topic_of_pop_retry_topic(topic, group), _SUB)
    yield _need_group(group, _SUB)


def _heartbeat(command: Command) -> Iterator[Need]:
    for consumer in Heartbeat.from_request(command.body).consumer_data_set:
        yield _need_group(consumer.group_name, _SUB)
        for subscription in consumer.subscription_data_set:
            yield need_topic(subscription.topic, _SUB)


def _lock(command: Command) -> Iterator[Need]:
    request = LockRequest.from_request(command.body)
    yield _need_group(request.consumer_group, _SUB)
    for topic in dict.fromkeys(queue.topic for queue in request.mq_set):
        yield need_topic(topic, _SUB)


def _create_topics(command: Command) -> Iterator[Need]:
    for topic in TopicConfigList.from_request(command.body).topic_config_list:
        yield need_topic(topic.topic_name, _CREATE)


def _create_group(command: Command) -> Iterator[Need]:
    yield _need_group(SubscriptionGroup.from_request(command.body).group_name, _CREATE_OR_UPDATE)


def _create_groups(command: Command) -> Iterator[Need]:
    for group in SubscriptionGroupList.from_request(command.body).group_config_list:
        yield _need_group(group.group_name, _CREATE_OR_UPDATE)


def _set_mode(command: Command) -> Iterator[Need]:
    mode = MessageRequestMode.from_request(command.body)
    yield need_topic(mode.topic, _UPDATE)
    yield _need_group(mode.consumer_group, _UPDATE)


RULES: Final[dict[int, Rule]] = {
    Code.SEND_MESSAGE: _send("topic"),
    Code.SEND_MESSAGE_V2: _send("b"),
    Code.SEND_BATCH_MESSAGE: _send("b"),
    Code.PULL_MESSAGE: _consume(_SUB),
    Code.LITE_PULL_MESSAGE: _consume(_SUB),
    Code.POP_MESSAGE: _consume(_SUB),
    Code.PEEK_MESSAGE: _consume(_SUB),
    Code.NOTIFICATION: _consume(_SUB),
    Code.POLLING_INFO: _consume(_GET),
    Code.QUERY_CONSUMER_OFFSET: _consume(_SUB_OR_GET),
    Code.UPDATE_CONSUMER_OFFSET: _consume(_SUB_OR_UPDATE),
    Code.ACK_MESSAGE: _acknowledge,
    Code.CHANGE_MESSAGE_INVISIBLETIME: _acknowledge,
    Code.BATCH_ACK_MESSAGE: _acknowledge_many,
    Code.HEART_BEAT: _heartbeat,
    Code.LOCK_BATCH_MQ: _lock,
    Code.UNLOCK_BATCH_MQ: _lock,
    Code.UPDATE_AND_CREATE_TOPIC_LIST: _create_topics,
    Code.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: _create_group,
    Code.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: _create_groups,
    Code.SET_MESSAGE_REQUEST_MODE: _set_mode,
}
"""Requests whose needs take a closer look."""

_ANYONE: Final = frozenset(
    (
        Code.GET_ALL_TOPIC_CONFIG,
        Code.GET_BROKER_CONFIG,
        Code.GET_BROKER_RUNTIME_INFO,
        Code.GET_ALL_CONSUMER_OFFSET,
        Code.GET_ALL_DELAY_OFFSET,
        Code.CHECK_CLIENT_CONFIG,
        Code.GET_TIMER_CHECK_POINT,
        Code.GET_TIMER_METRICS,
        Code.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
        Code.GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
        Code.SEND_REPLY_MESSAGE,
        Code.SEND_REPLY_MESSAGE_V2,
        Code.QUERY_ASSIGNMENT,
        Code.GET_ALL_MESSAGE_REQUEST_MODE,
        Code.GET_BROKER_HA_STATUS,
    )
)

NEVER: Final = _ANYONE | (refusals.BY_BROKER.keys() - NAMED.keys() - CLUSTER.keys())
"""Requests that need no permission, only a user: they list names and figures, or reply to somebody
who waits; and those that are refused to everybody anyway."""
