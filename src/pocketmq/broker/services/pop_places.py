"""Where a group that pops is in a queue, and which queues a pop looks at."""

from __future__ import annotations

from pocketmq.broker.config import PopConfig
from pocketmq.broker.services.ordered_pops import OrderedPops
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.topics import TopicTable, is_batch_topic
from pocketmq.message import topics as names
from pocketmq.store import MessageStore


class PopPlaces:
    """Reads offsets, and gives new groups one."""

    def __init__(
        self,
        store: MessageStore,
        topics: TopicTable,
        offsets: OffsetTable,
        ordered: OrderedPops,
        config: PopConfig,
    ) -> None:
        self._store = store
        self._topics = topics
        self._offsets = offsets
        self._ordered = ordered
        self._config = config
        self.is_blocked = ordered.is_blocked
        self.commit = offsets.commit

    def queues(self, topic: str) -> range:
        """The queues of a topic."""
        config = self._topics.find(topic)
        return range(config.read_queue_nums if config is not None else 0)

    def is_batch(self, topic: str) -> bool:
        """Whether batches are kept whole in a topic."""
        config = self._topics.find(topic)
        return config is not None and bool(config.attributes) and is_batch_topic(config)

    def retry_topics(self, group: str, topic: str) -> list[str]:
        """The retry topics that exist, the one that is written now first."""
        second = self._config.second_retry_form
        forms = [second, not second]
        if second and not self._config.read_first_retry_form:
            forms.pop()
        found = [names.pop_retry_topic(group, topic, second_form=form) for form in forms]
        return [name for name in found if self._topics.find(name) is not None]

    def start(self, group: str, topic: str, queue_id: int, *, from_end: bool) -> int:
        """Where a pop begins: at a reset, where the group is, or where a new one begins."""
        reset = self._offsets.take_reset(group, topic, queue_id)
        if reset is not None:
            self._ordered.forget(group, topic, queue_id)
            self._offsets.commit(group, topic, queue_id, reset)
            return reset
        known = self._offsets.query(group, topic, queue_id)
        if known is not None and known >= 0:
            return known
        first, end = self._store.queue_offsets(topic, queue_id)
        at = first
        if from_end and not topic.startswith(names.RETRY_PREFIX):
            at = 0 if first <= 0 and self._is_in_memory(topic, queue_id) else max(end - 1, first, 0)
        self._offsets.commit(group, topic, queue_id, at)
        return at

    def _is_in_memory(self, topic: str, queue_id: int) -> bool:
        if not self._config.new_group_looks_in_memory:
            return False
        entry = self._store.entry_of(topic, queue_id, 0)
        return entry is not None and self._store.is_recent(entry[0])

    def next_offset(self, group: str, topic: str, queue_id: int) -> int:
        """What a pop would see first, without giving a new group a place."""
        first, _ = self._store.queue_offsets(topic, queue_id)
        return max(self._offsets.query(group, topic, queue_id) or 0, first)

    def left(self, group: str, topic: str, queue_id: int) -> int:
        """How many messages are before the group."""
        first, end = self._store.queue_offsets(topic, queue_id)
        return max(end - max(self._offsets.query(group, topic, queue_id) or 0, first), 0)
