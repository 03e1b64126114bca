"""Tells the life of a message: where it lies in this broker, and who has gone past it.

Nothing is written for this while messages flow. Every few seconds the groups' offsets are looked at
and noted when they have changed; all else is found out when somebody asks.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from pocketmq.broker.config import TopicsConfig
from pocketmq.broker.rules import message_life as rules
from pocketmq.broker.rules.message_life import Passed
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.progress import ProgressTable
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.message.record import Record
from pocketmq.store import MessageStore

_SAMPLE_INTERVAL_MS: Final = 5000
_FORGET_EVERY: Final = 720
_PER_TURN: Final = 200
_FOUND_MAX: Final = 16
_TOPICS_MAX: Final = 500
"""Topics in which a key is looked for, when no trace names one: ten microseconds each."""
_GROUPS_MAX: Final = 200
_TOLD_MAX: Final = 64
"""Copies told of. More than that is a key of many messages, and no life."""
_ON_THE_WAY: Final = (names.HALF_TOPIC, names.SCHEDULE_TOPIC, names.TIMER_TOPIC)


class MessageLife:
    """Looks messages up. `topic` is that of traces."""

    def __init__(
        self,
        store: MessageStore,
        offsets: OffsetTable,
        clock: Clock,
        config: TopicsConfig,
        *,
        broker: str,
        store_host: bytes,
    ) -> None:
        self.topic = config.trace_topic_name
        self._store = store
        self._in_memory = store.in_memory
        self._offsets = offsets
        self._clock = clock
        self._broker = broker
        self._store_host = store_host
        self._is_on = config.trace_points
        self._rounds = 0
        self.progress = ProgressTable()
        self._loop = Loop("consume-progress", _SAMPLE_INTERVAL_MS, self.step, clock)

    def start(self) -> None:
        """Begin to look at offsets."""
        if self._is_on:
            self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    async def step(self) -> None:
        """Note how far groups are."""
        now_ms, known = self._clock.now_ms(), set()
        for count, (name, queues) in enumerate(self._offsets):
            known.add(name)
            for queue_id, offset in list(queues.items()):
                self.progress.sample(name, queue_id, offset, now_ms)
            if count % _PER_TURN == _PER_TURN - 1:
                await asyncio.sleep(0)
        self._rounds += 1
        if self._rounds % _FORGET_EVERY == 0:
            self.progress.forget(known)

    def tell(self, key: str, traced: bytes, begin_ms: int, end_ms: int) -> bytes:
        """A trace message about messages of this id or key, stored in a time; empty for none.

        `traced` are the trace messages of clients, which name the topic; without any, all topics
        are searched. Raise NotInMemory when something must be read from the disk first.
        """
        if not self._is_on or not key:
            return b""
        found: dict[int, Record] = {}
        named, existing = rules.topics_in(traced), set(self._store.topics())
        for topic in named or self._topics():
            originals = self._find(topic, key, begin_ms, end_ms)
            found |= originals
            if originals or named:
                for other in existing.intersection(self._derived(topic)):
                    found |= self._find(other, key, begin_ms, end_ms)
            if len(found) >= _TOLD_MAX:
                break
        points = []
        for log_offset in sorted(found)[:_TOLD_MAX]:
            record = found[log_offset]
            properties = record.properties
            points.append(rules.stored_point(record, properties, self._broker))
            points += [
                rules.passed_points(record, properties, passed, self._broker)
                for passed in self._passed(record)
            ]
        if not points:
            return b""
        return rules.trace_message(
            self.topic, key, "".join(points), self._clock.now_ms(), self._store_host
        )

    def _topics(self) -> list[str]:
        """Topics of users, those first that were used last for the first time."""
        topics = reversed(self._store.topics())
        own = (t for t in topics if not t.startswith("%") and not names.is_system_topic(t))
        return list(islice(own, _TOPICS_MAX))

    def _derived(self, topic: str) -> list[str]:
        """Where else a message of a topic may lie: on its way there, or to be consumed again."""
        found = list(_ON_THE_WAY)
        for group in self._offsets.groups_of(topic)[:_GROUPS_MAX]:
            found += (
                f"{names.RETRY_PREFIX}{group}",
                f"{names.DEAD_LETTER_PREFIX}{group}",
                names.pop_retry_topic(group, topic),
                names.pop_retry_topic(group, topic, second_form=True),
            )
        return found

    def _find(self, topic: str, key: str, begin_ms: int, end_ms: int) -> dict[int, Record]:
        found = {}
        places = self._in_memory.query_by_key(topic, key, _FOUND_MAX, begin_ms, end_ms)
        for log_offset in places.log_offsets:
            record = self._in_memory.decoded_record_at(log_offset)
            if (
                record is not None
                and record.topic == topic
                and rules.is_about(record.properties, key)
            ):
                found[log_offset] = record
        return found

    def _passed(self, record: Record) -> list[Passed]:
        topic, queue_id, offset = record.topic, record.queue_id, record.queue_offset
        if topic in _ON_THE_WAY:
            return []
        found = []
        for group in self._offsets.groups_of(topic)[:_GROUPS_MAX]:
            if (self._offsets.query(group, topic, queue_id) or 0) <= offset:
                continue
            seen_ms = self.progress.passed_ms(f"{topic}@{group}", queue_id, offset)
            found.append(Passed(group, self._clock.now_ms() if seen_ms is None else seen_ms))
        return found
