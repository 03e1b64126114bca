"""The topics of this broker: `config/topics.json`.

Topics come to be in three ways: this broker makes its own at start, an operator creates one, or the
first message to an unknown name does, after the example of a topic that may be inherited from:

    TBW102 (8 queues, perm read + write + inherit)  ->  T (the client's number of queues, at most 8,
                                                          perm read + write)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from pocketmq.broker.config import IdentityConfig, TopicsConfig
from pocketmq.broker.rules import permission
from pocketmq.broker.state.saved import ChangeListener, ChangeLog, encode_table
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.protocol.bodies.fastjson import dumps_plain
from pocketmq.protocol.bodies.topic_config import (
    UNIT_FLAG,
    UNIT_SUBSCRIPTION_FLAG,
    TopicConfig,
    TopicConfigTable,
)
from pocketmq.protocol.bodies.versions import DataVersion

QUEUE_TYPE: Final = "queue.type"
BATCH_QUEUE: Final = "BatchCQ"

_READ_WRITE = names.PERM_READ_WRITE
_ALL = names.PERM_READ_WRITE | names.PERM_INHERIT


def is_batch_topic(topic: TopicConfig) -> bool:
    """Whether a topic keeps batches whole: queue.type=BatchCQ."""
    return topic.attributes.get(QUEUE_TYPE) == BATCH_QUEUE


class TopicTable:
    """Finds, makes and changes topics. Changed on the event loop only."""

    def __init__(
        self,
        identity: IdentityConfig,
        config: TopicsConfig,
        clock: Clock,
        *,
        broker_permission: int = _READ_WRITE,
        file: TableFile | None = None,
    ) -> None:
        self._identity = identity
        self._config = config
        self._topics: dict[str, TopicConfig] = {}
        self._rows: dict[str, bytes] = {}
        self._ordered: frozenset[str] = frozenset()
        own = names.broker_system_topics(identity.cluster, identity.broker_name)
        self._system = own | {names.TIMER_TOPIC}
        self.file = file
        self.changes = ChangeLog(clock)
        self.auto_create = config.auto_create
        self.broker_permission = broker_permission
        self.find: Callable[[str], TopicConfig | None] = self._topics.get

    # -- loading and saving -----------------------------------------------------------------

    def load(self) -> None:
        """Read the file, then add what every broker has. Raise CorruptStore, OSError."""
        table = self.file.load(TopicConfigTable.from_json) if self.file is not None else None
        if table is not None:
            self.changes.version = table.data_version
            for topic in table.topic_config_table.values():
                if topic.topic_name:
                    self._store(topic)
        missing = [topic for topic in self._own_topics() if topic.topic_name not in self._topics]
        self.put_all(missing)

    def encode(self) -> bytes:
        """The content of the file."""
        rows = self._rows
        for name, topic in self._topics.items():
            if name not in rows:
                rows[name] = b"%b:%b" % (dumps_plain(name), topic.to_json())
        version = self.changes.version.to_json()
        return encode_table({"dataVersion": version, "topicConfigTable": rows.values()})

    # -- reading ----------------------------------------------------------------------------

    @property
    def data_version(self) -> DataVersion:
        """Changes whenever a topic does."""
        return self.changes.version

    @property
    def configs(self) -> Mapping[str, TopicConfig]:
        """All topics, as they are now."""
        return dict(self._topics)

    def each(self) -> Iterator[TopicConfig]:
        """Yield all topics; none may come or go in between."""
        return iter(self._topics.values())

    def __len__(self) -> int:
        return len(self._topics)

    def on_change(self, listener: ChangeListener) -> None:
        """Call `listener` with the names of topics that were made, changed or deleted."""
        self.changes.listen(listener)

    def is_system(self, topic: str) -> bool:
        """True for a topic that belongs to the broker and that operators may not change."""
        return topic in self._system or names.is_system_topic(topic)

    @property
    def system_topics(self) -> list[str]:
        """The names that are reserved on this broker."""
        return sorted(self._system)

    @property
    def batch_topics(self) -> list[str]:
        """Topics whose queues are kept as batches; the store is told before it opens."""
        return [name for name, topic in self._topics.items() if is_batch_topic(topic)]

    # -- changing ---------------------------------------------------------------------------

    def put(self, topic: TopicConfig) -> None:
        """Make a topic or change it."""
        self.put_all((topic,))

    def put_all(self, topics: Iterable[TopicConfig]) -> None:
        """Make or change several topics as one change."""
        changed = [topic.topic_name for topic in topics if self._store(topic)]
        if changed:
            self.changes.changed(changed)

    def delete(self, topic: str) -> bool:
        """Forget a topic; False when there is none."""
        if self._topics.pop(topic, None) is None:
            return False
        self._rows.pop(topic, None)
        self.changes.changed((topic,))
        return True

    def create_for_send(
        self, topic: str, default_topic: str, queue_count: int, unit_mode: bool
    ) -> TopicConfig | None:
        """The topic a message wants, made after the example of `default_topic` if need be.

        None when the example does not exist or may not be followed, when auto-creation is off, or
        when there are too many topics.
        """
        known = self._topics.get(topic)
        if known is not None:
            return known
        example = self._topics.get(default_topic)
        if example is None or self.is_full:
            return None
        if default_topic == names.AUTO_CREATE_TOPIC and not self.auto_create:
            return None
        if not permission.inheritable(example.perm):
            return None
        queues = max(0, min(queue_count, example.write_queue_nums))
        made = TopicConfig(
            topic,
            queues,
            queues,
            example.perm & ~names.PERM_INHERIT,
            example.topic_filter_type,
            UNIT_FLAG if unit_mode else 0,
        )
        self.put(made)
        return self._topics[topic]

    def create(
        self,
        topic: str,
        queue_count: int,
        perm: int = _READ_WRITE,
        *,
        sys_flag: int = 0,
        order: bool = False,
    ) -> TopicConfig | None:
        """A topic the broker needs, made unless it exists. None when there are too many topics."""
        known = self._topics.get(topic)
        if known is not None or self.is_full:
            return known
        made = TopicConfig(topic, queue_count, queue_count, perm, "SINGLE_TAG", sys_flag, order)
        self.put(made)
        return self._topics[topic]

    def create_retry(
        self, group: str, queue_count: int, *, unit_mode: bool = False
    ) -> TopicConfig | None:
        """The retry topic of a group; operators' tools find a group by its route."""
        flag = UNIT_SUBSCRIPTION_FLAG if unit_mode else 0
        return self.create(names.retry_topic(group), queue_count, sys_flag=flag)

    def mark_ordered(self, topics: Iterable[str]) -> None:
        """Name servers list these topics as ordered: those that exist, and those to come."""
        self._ordered = frozenset(topics)
        self.put_all([topic for name, topic in self._topics.items() if name in self._ordered])

    def set_auto_create(self, allowed: bool) -> None:
        """Allow topics to be created by sending to them, or forbid it."""
        self.auto_create = allowed
        if allowed and names.AUTO_CREATE_TOPIC not in self._topics:
            self.put(_topic(names.AUTO_CREATE_TOPIC, self._config.default_queue_count, _ALL))

    def set_broker_permission(self, perm: int) -> None:
        """Change what this broker as a whole allows; name servers learn it with every topic."""
        self.broker_permission = perm
        self.changes.changed(list(self._topics))

    @property
    def is_full(self) -> bool:
        """True when no further topic may be made without an operator's request."""
        return len(self._topics) >= self._config.topics_max

    # -- inside -----------------------------------------------------------------------------

    def _store(self, topic: TopicConfig) -> bool:
        name = topic.topic_name
        if name in self._ordered and not topic.order:
            topic = replace(topic, order=True)
        if self._topics.get(name) == topic:
            return False
        self._topics[name] = topic
        self._rows.pop(name, None)
        return True

    def _own_topics(self) -> Iterable[TopicConfig]:
        cluster, broker = self._identity.cluster, self._identity.broker_name
        config = self._config
        inherit = names.PERM_INHERIT
        if config.auto_create:
            yield _topic(names.AUTO_CREATE_TOPIC, config.default_queue_count, _ALL)
        yield _topic(names.SELF_TEST_TOPIC, 1)
        yield _topic(names.OFFSET_MOVED_TOPIC, 1)
        yield _topic(names.BENCHMARK_TOPIC, 1024)
        yield _topic(cluster, 16, _ALL if config.cluster_topic else inherit)
        yield _topic(broker, 1, _ALL if config.broker_topic else inherit)
        yield _topic(names.SCHEDULE_TOPIC, 18)
        if config.trace_topic:
            yield _topic(config.trace_topic_name, 1)
        yield _topic(names.reply_topic(cluster), 1)
        yield _topic(names.revive_topic(cluster), 8)
        yield _topic(names.member_topic(broker), 1, inherit)
        yield _topic(names.HALF_TOPIC, 1)
        yield _topic(names.HALF_OPERATION_TOPIC, 1)


def _topic(name: str, queues: int, perm: int = _READ_WRITE) -> TopicConfig:
    return TopicConfig(name, queues, queues, perm)
