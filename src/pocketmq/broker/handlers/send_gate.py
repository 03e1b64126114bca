"""Whether a send is allowed, and where its message goes: Apache's checks in Apache's order."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pocketmq.broker.config import SendConfig
from pocketmq.broker.handlers.plain_sends import Lanes
from pocketmq.broker.rules import permission, send_refusals
from pocketmq.broker.rules.placement import Kind
from pocketmq.broker.services.placing import Placer
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.locks import LockTable
from pocketmq.broker.state.statistics import Statistics, TopicCounter
from pocketmq.broker.state.topics import TopicTable, is_batch_topic
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.message import topics as names
from pocketmq.message.flags import INNER_BATCH, MULTI_TAGS, NEEDS_UNWRAP
from pocketmq.message.properties import DELAY, UNIQUE_KEY
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.framing import SendFields

# Clients older than 3.4.9 do not say how often a message may be retried.
_VERSION_WITH_MAX_RECONSUME: Final = 121
_BATCH_TOPIC_CHARS_MAX: Final = 127
_PERM_READ_WRITE: Final = 6
_INNER_PROPERTIES: Final = ("INNER_NUM", "INNER_BASE", "INNER_MULTI_DISPATCH")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message is stored, and with what. `answered_queue_id` is what its producer is told.

    `kind` tells which message model it takes part in, and `due_ms` when a timed one is due.
    """

    topic: str
    queue_id: int
    answered_queue_id: int
    sys_flag: int
    properties: dict[str, str]
    kind: Kind = Kind.PLAIN
    due_ms: int = 0


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
        placer: Placer,
        lanes: Lanes,
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._locks = locks
        self._statistics = statistics
        self.now_ms = clock.now_ms
        self._config = config
        self._placer = placer
        self.open_topics: dict[str, OpenTopic] = {}
        self._lanes = lanes
        topics.on_change(self._close)

    def knows(self, topic: str) -> bool:
        """True when the topic exists already."""
        return self._topics.find(topic) is not None

    @property
    def takes_transactions(self) -> bool:
        """Whether half messages are taken at all."""
        return self._placer.rules.reject_transactions is False

    def route(
        self,
        fields: SendFields,
        properties: dict[str, str],
        version: int,
        batch: bool,
        body_bytes: int,
    ) -> Route:
        """Where the message goes. Raise Refused."""
        topic, queue_id = self.admit(fields)
        if body_bytes == 0:
            raise Refused(ResponseCode.MESSAGE_ILLEGAL, "the message has no body")
        target, target_queue_id = fields.topic, queue_id
        if batch:
            self._check_batch(fields.topic, properties)
        if names.is_retry_topic(fields.topic) and self._is_given_up(fields, version):
            target, target_queue_id = self._dead_letter_topic(fields.topic), 0
            properties = {**properties, DELAY: "-1"}
        if topic.attributes.get("cleanup.policy") == "COMPACTION" and not properties.get("KEYS"):
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"a message of compacted topic {fields.topic!r} needs KEYS",
            )
        if any(name in properties for name in _INNER_PROPERTIES):
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                "INNER_NUM, INNER_BASE and INNER_MULTI_DISPATCH are set by brokers only",
            )
        if fields.sys_flag & INNER_BATCH and not is_batch_topic(topic):
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"topic {fields.topic!r} keeps no whole batches; its queue.type is not BatchCQ",
            )
        sys_flag = fields.sys_flag
        if topic.topic_filter_type == "MULTI_TAG":
            sys_flag |= MULTI_TAGS
        self._open(fields.topic, topic)
        if batch:
            whole = INNER_BATCH | NEEDS_UNWRAP if self._stays_whole(topic, properties) else 0
            return Route(target, target_queue_id, queue_id, fields.sys_flag | whole, properties)
        placed = self._placer.place_client(
            target, target_queue_id, properties, sys_flag, fields.reconsume_times
        )
        return Route(
            placed.topic,
            placed.queue_id,
            queue_id,
            placed.sys_flag,
            placed.properties,
            placed.kind,
            placed.due_ms,
        )

    def admit(self, fields: SendFields) -> tuple[TopicConfig, int]:
        """The topic, made if it may be, and a queue of it. Raise Refused."""
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
        return topic, queue_id

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

    @staticmethod
    def _stays_whole(topic: TopicConfig, properties: dict[str, str]) -> bool:
        """Whether a batch is kept as one record, for its consumers to take apart."""
        return is_batch_topic(topic) and UNIQUE_KEY in properties

    def _check_batch(self, topic: str, properties: dict[str, str]) -> None:
        if len(topic) > _BATCH_TOPIC_CHARS_MAX:
            raise Refused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"batches need a topic of at most {_BATCH_TOPIC_CHARS_MAX} characters",
            )
        if names.is_retry_topic(topic):
            raise Refused(ResponseCode.MESSAGE_ILLEGAL, "batches cannot go to a retry topic")
        self._placer.check_batch(properties)

    def _is_given_up(self, fields: SendFields, version: int) -> bool:
        """Whether a message sent to be retried was retried often enough already.

        Also when its group holds locks: ordered consumers retry by themselves before they send.
        """
        group_name = names.group_of_retry_topic(fields.topic)
        group = self._groups.find(group_name) or self._groups.find_or_create(group_name)
        if group is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {group_name!r} does not exist; create it with updateSubGroup",
            )
        times_max = group.retry_max_times
        if version >= _VERSION_WITH_MAX_RECONSUME and fields.max_reconsume_times >= 0:
            times_max = fields.max_reconsume_times
        return fields.reconsume_times > times_max or self._locks.any_unexpired(group_name)

    def _dead_letter_topic(self, retry_topic: str) -> str:
        dead = names.dead_letter_topic(names.group_of_retry_topic(retry_topic))
        created = self._topics.find(dead) or self._topics.create(
            dead, queue_count=1, perm=_PERM_READ_WRITE
        )
        if created is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"topic {dead!r} cannot be created")
        return dead

    def _open(self, name: str, topic: TopicConfig) -> None:
        """Let later plain sends to this topic pass without these questions."""
        if (
            name in self.open_topics
            or names.is_retry_topic(name)
            or topic.order
            or topic.attributes
            or topic.topic_filter_type == "MULTI_TAG"
        ):
            return
        count = max(topic.read_queue_nums, topic.write_queue_nums)
        counter = self._statistics.topic_counter(name)
        self.open_topics[name] = OpenTopic(count, counter)
        self._lanes.open(name, count, counter)

    def _close(self, _: Iterable[str]) -> None:
        self.open_topics.clear()
        self._lanes.close()
