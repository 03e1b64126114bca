"""Where topics are: topic -> broker name -> how many queues, with which permissions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from pocketmq.message.topics import PERM_READ_WRITE, PERM_WRITE
from pocketmq.protocol.bodies.route import QueueData
from pocketmq.protocol.bodies.static_topics import TopicQueueMapping


class TopicTable:
    """The queues of all topics. Changed on the event loop only."""

    def __init__(self) -> None:
        self._queues: dict[str, dict[str, QueueData]] = {}
        self._mappings: dict[str, dict[str, TopicQueueMapping]] = {}
        self._by_broker: dict[str, set[str]] = {}
        self.removals = 0
        """Grows when anything is removed, which a broker may then have to tell again."""

    def __len__(self) -> int:
        return len(self._queues)

    def __contains__(self, topic: str) -> bool:
        return topic in self._queues

    def __iter__(self) -> Iterator[str]:
        return iter(self._queues)

    def queues(self, topic: str) -> tuple[QueueData, ...]:
        """What each broker offers of a topic."""
        return tuple(self._queues.get(topic, {}).values())

    def is_at(self, topic: str, broker: str) -> bool:
        """True when the broker offers the topic."""
        return broker in self._queues.get(topic, {})

    def topics_of(self, broker: str) -> list[str]:
        """The topics a broker offers."""
        return list(self._by_broker.get(broker, ()))

    def mappings(self, topic: str) -> dict[str, TopicQueueMapping] | None:
        """The parts of a static topic by broker; None for an ordinary topic."""
        known = self._mappings.get(topic)
        return None if known is None else dict(known)

    def put(self, topic: str, queues: QueueData) -> None:
        """Set what one broker offers of a topic."""
        self._queues.setdefault(topic, {})[queues.broker_name] = queues
        self._by_broker.setdefault(queues.broker_name, set()).add(topic)

    def put_mapping(self, mapping: TopicQueueMapping) -> None:
        """Set which part of a static topic a broker holds."""
        self._mappings.setdefault(mapping.topic, {})[mapping.bname] = mapping

    def remove(self, topic: str, brokers: Iterable[str] | None = None) -> None:
        """Forget a topic at these brokers, or everywhere."""
        self.removals += 1
        offered = self._queues.get(topic, {})
        for broker in list(offered) if brokers is None else list(brokers):
            if offered.pop(broker, None) is not None:
                self._by_broker[broker].discard(topic)
                if not self._by_broker[broker]:
                    del self._by_broker[broker]
            self._mappings.get(topic, {}).pop(broker, None)
        if not offered:
            self._queues.pop(topic, None)
            self._mappings.pop(topic, None)

    def remove_broker(self, broker: str) -> None:
        """Forget everything a broker offers."""
        for topic in self.topics_of(broker):
            self.remove(topic, (broker,))

    def wipe_write(self, broker: str) -> int:
        """Take the write permission from all topics of a broker; how many these are."""
        return self._change_perm(broker, lambda perm: perm & ~PERM_WRITE)

    def allow_write(self, broker: str) -> int:
        """Let all topics of a broker be read and written; how many these are.

        Any other permission bit is lost, as in RocketMQ.
        """
        return self._change_perm(broker, lambda perm: PERM_READ_WRITE)

    def _change_perm(self, broker: str, change: Callable[[int], int]) -> int:
        topics = self.topics_of(broker)
        for topic in topics:
            offered = self._queues[topic]
            offered[broker] = replace(offered[broker], perm=change(offered[broker].perm))
        return len(topics)
