"""Whether a send is allowed, and where its message goes: Apache's checks in Apache's order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from pocketmq.broker.config import SendConfig
from pocketmq.broker.rules import permission, send_refusals
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.locks import LockTable
from pocketmq.broker.state.statistics import Statistics, TopicCounter
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.message import topics as names
from pocketmq.message.flags import MULTI_TAGS
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.framing import SendFields

# Clients older than 3.4.9 do not say how often a message may be retried.
_VERSION_WITH_MAX_RECONSUME: Final = 121
_BATCH_TOPIC_CHARS_MAX: Final = 127
_PERM_READ_WRITE: Final = 6
_TIMER_PROPERTIES: Final = (
    "TIMER_DELAY_SEC",
    "TIMER_DELAY_MS",
    "TIMER_DELIVER_MS",
    "TIMER_DEL_UNIQKEY",
)
_INNER_PROPERTIES: Final = ("INNER_NUM", "INNER_BASE", "INNER_MULTI_DISPATCH")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message is stored. `answered_queue_id` is what its producer is told."""

    topic: str
    queue_id: int
    answered_queue_id: int
    sys_flag: int = 0
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class OpenTopic:
    """A topic that plain sends may go to without further questions."""

    queue_count: int
    counter: TopicCounter


class SendGate:
    """Routes messages, or refuses them with the code and remark that producers expect."""

    def __init__(
        self,
        topics: TopicTable,
        groups: GroupTable,
        locks: LockTable,
        statistics: Statistics,
        clock: Clock,
        config: SendConfig,
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._locks = locks
        self._statistics = statistics
        self.now_ms = clock.now_ms
        self._config = config
        self.waiting_for_disk_max = config.waiting_for_disk_max
        self.open_topics: dict[str, OpenTopic] = {}
        topics.on_change(lambda _: self.open_topics.clear())

    def route(
        self,
        fields: SendFields,
        properties: dict[str, str],
        version: int,
        batch: bool,
        body_bytes: int,
    ) -> Route:
        """Where the message goes. Raise Refused."""
        if self.now_ms() < self._config.accept_from_ms:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                "this broker does not accept sends yet; see startAcceptSendRequestTimeStamp",
            )
        topic = self._topic(fields)
        count = max(topic.read_queue_nums, topic.write_queue_nums)
        queue_id = fields.queue_id
        if queue_id >= count:
            raise send_refusals.queue_missing(fields.topic, queue_id, count)
        if queue_id < 0:
            queue_id = random.randrange(max(topic.write_queue_nums, 1))
        if body_bytes == 0:
            raise Refused(ResponseCode.MESSAGE_ILLEGAL, "the message has no body")
        route = Route(fields.topic, queue_id, queue_id)
        if batch:
            self._check_batch(fields.topic)
        if names.is_retry_topic(fields.topic):
            route = self._route_retry(fields, version, route)
        if topic.attributes.get("cleanup.policy") == "COMPACTION" and not properties.get("KEYS"):
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"a message of compacted topic {fields.topic!r} needs KEYS",
            )
        self._check_models(properties)
        if topic.topic_filter_type == "MULTI_TAG":
            route = Route(route.topic, route.queue_id, queue_id, MULTI_TAGS, route.properties)
        self._open(fields.topic, topic)
        return route

    def _topic(self, fields: SendFields) -> TopicConfig:
        name = fields.topic
        topic = self._topics.find(name)
        if (
            topic is not None
            and topic.order
            and not permission.writable(self._topics.broker_permission)
        ):
            raise Refused(
                ResponseCode.NO_PERMISSION, "this broker is not writable; see brokerPermission"
            )
        problem = names.topic_problem(name)
        if problem is not None:
            raise Refused(ResponseCode.INVALID_PARAMETER, problem)
        if name in names.SEND_FORBIDDEN_TOPICS:
            raise Refused(
                ResponseCode.NO_PERMISSION,
                f"topic {name!r} belongs to the broker; send to your own",
            )
        if topic is None:
            topic = self._topics.create_for_send(
                name, fields.default_topic, fields.default_queue_count, fields.unit_mode
            )
        if topic is None and names.is_retry_topic(name):
            topic = self._topics.create(name, queue_count=1, perm=_PERM_READ_WRITE)
        if topic is None:
            raise send_refusals.topic_missing(name)
        return topic

    def _check_batch(self, topic: str) -> None:
        if len(topic) > _BATCH_TOPIC_CHARS_MAX:
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"batches need a topic of at most {_BATCH_TOPIC_CHARS_MAX} characters",
            )
        if names.is_retry_topic(topic):
            raise Refused(ResponseCode.MESSAGE_ILLEGAL, "batches cannot go to a retry topic")

    def _check_models(self, properties: dict[str, str]) -> None:
        """Refuse what would be stored but not treated as its producer expects."""
        if properties.get("TRAN_MSG", "").lower() == "true":
            raise Refused(
                ResponseCode.NO_PERMISSION,
                "transactional messages are not supported by this broker",
            )
        delayed = properties.get("DELAY", "0") not in ("0", "-1")
        if delayed or any(name in properties for name in _TIMER_PROPERTIES):
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL, "delayed messages are not supported by this broker"
            )
        if any(name in properties for name in _INNER_PROPERTIES):
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                "INNER_NUM, INNER_BASE and INNER_MULTI_DISPATCH are set by brokers only",
            )

    def _route_retry(self, fields: SendFields, version: int, route: Route) -> Route:
        group_name = fields.topic[len(names.RETRY_PREFIX) :].partition("+")[0]
        group = self._groups.find(group_name) or self._groups.find_or_create(group_name)
        if group is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {group_name!r} does not exist; create it with updateSubGroup",
            )
        times_max = group.retry_max_times
        if version >= _VERSION_WITH_MAX_RECONSUME and fields.max_reconsume_times >= 0:
            times_max = fields.max_reconsume_times
        if fields.reconsume_times <= times_max and not self._locks.any_unexpired(group_name):
            return route
        dead = names.dead_letter_topic(group_name)
        created = self._topics.find(dead) or self._topics.create(
            dead, queue_count=1, perm=_PERM_READ_WRITE
        )
        if created is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"topic {dead!r} cannot be created")
        return Route(dead, 0, route.answered_queue_id, properties={"DELAY": "-1"})

    def _open(self, name: str, topic: TopicConfig) -> None:
        """Let later plain sends to this topic pass without these questions."""
        if (
            names.is_retry_topic(name)
            or topic.order
            or topic.attributes
            or topic.topic_filter_type == "MULTI_TAG"
        ):
            return
        count = max(topic.read_queue_nums, topic.write_queue_nums)
        self.open_topics[name] = OpenTopic(count, self._statistics.topic_counter(name))
