"""Hands out again what was popped and not acknowledged.

Check points and acks come back from the timer in the revive topic, check points first. When the
timer has passed a check point's moment, what is not acknowledged of it goes to the group's retry
topic, as a message of its own. How far each revive queue is settled is the committed offset of
group CID_RMQ_SYS_REVIVE_GROUP; after a crash the rest is read again, so that nothing is lost and
little comes twice.
"""

from __future__ import annotations

import logging
from typing import Protocol

from pocketmq.broker.rules import pop as rules
from pocketmq.broker.rules.placement import TIMER_DELIVER_MS, timer_tick
from pocketmq.broker.rules.pop import CheckPoint, Key
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.pop import AckBook
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.message.properties import TAGS, UNIQUE_KEY
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

_INTERVAL_MS = 500
_FIRST_POP_TIME = "1ST_POP_TIME"
_READ_MAX = 2000


class Progress(Protocol):
    """The timer, as far as this service cares."""

    @property
    def read_ms(self) -> int:
        """Everything due before this tick is delivered."""
        ...

    @property
    def queue_offset(self) -> int:
        """Everything before this in the timer's queue has entered the timer."""
        ...


class ReviveService:
    """Stores check points and acks, and settles them."""

    def __init__(
        self,
        store: MessageStore,
        intake: Intake,
        dispatch: DispatchService,
        topics: TopicTable,
        offsets: OffsetTable,
        acks: AckBook,
        clock: Clock,
        timers: Progress,
        *,
        cluster: str,
        broker: str,
        precision_ms: int,
    ) -> None:
        self._store = store
        self._intake = intake
        self._dispatch = dispatch
        self._topics = topics
        self._offsets = offsets
        self._acks = acks
        self._clock = clock
        self._timers = timers
        self._topic = names.revive_topic(cluster)
        self._broker = broker
        self._precision_ms = precision_ms
        self._pending: dict[int, dict[int, CheckPoint]] = {}
        self._read: dict[int, int] = {}
        self._timer_end: int | None = None
        self._loop = Loop("pop-revive", _INTERVAL_MS, self.step)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    # -- storing ------------------------------------------------------------------------------

    def put_check_point(self, point: CheckPoint, revive_queue: int) -> None:
        """Store it, to come back before it is due. Raise Refused, StoreError."""
        self._put(
            revive_queue,
            point.encode(),
            rules.CHECK_POINT_TAG,
            point.unique_key,
            point.due_ms - rules.EARLY_MS,
        )

    def put_ack(self, key: Key, offset: int, revive_queue: int, due_ms: int) -> None:
        """Store it, to come back when it is due. Raise Refused, StoreError."""
        body = rules.encode_ack(key, offset, self._broker)
        unique = rules.ack_unique_key(key, offset, self._broker)
        self._put(revive_queue, body, rules.ACK_TAG, unique, due_ms)
        self._acks.add(key, offset, due_ms)

    def _put(self, queue_id: int, body: bytes, tag: str, unique: str, due_ms: int) -> None:
        properties = {TAGS: tag, UNIQUE_KEY: unique, TIMER_DELIVER_MS: str(due_ms)}
        self._intake.put_placed(OwnMessage(self._topic, queue_id, body, properties))

    # -- settling -----------------------------------------------------------------------------

    def step(self) -> int:
        """Read what came back and settle what is due; return how many came again."""
        if self._timer_end is None:
            self._timer_end = self._store.queue_offsets(names.TIMER_TOPIC, 0)[1]
        passed_ms = self._timers.read_ms
        caught_up = self._timers.queue_offset >= self._timer_end
        self._dispatch.drain()
        revived = 0
        for queue_id in self._store.queue_ids(self._topic):
            at_end = self._take_in(queue_id)
            if caught_up and at_end:
                revived += self._settle(queue_id, passed_ms)
        self._acks.expire(self._clock.now_ms())
        return revived

    def _take_in(self, queue_id: int) -> bool:
        pending = self._pending.setdefault(queue_id, {})
        first, end = self._store.queue_offsets(self._topic, queue_id)
        at = self._read.get(queue_id)
        if at is None:
            at = self._offsets.query(rules.REVIVE_GROUP, self._topic, queue_id) or 0
        at = min(max(at, first), end)
        stop = min(end, at + _READ_MAX)
        for offset in range(at, stop):
            entry = self._store.entry_of(self._topic, queue_id, offset)
            record = self._store.decoded_record_at(entry[0]) if entry is not None else None
            if record is None:
                continue
            try:
                if record.properties.get(TAGS) == rules.CHECK_POINT_TAG:
                    pending[offset] = rules.read_check_point(record.body)
                else:
                    key, settled = rules.read_ack(record.body)
                    for one in settled:
                        self._acks.add(key, one, record.store_timestamp_ms)
            except ValueError as error:
                _log.error("revive record passed over queue=%d at=%d: %s", queue_id, offset, error)
        self._read[queue_id] = stop
        return stop == end

    def _settle(self, queue_id: int, passed_ms: int) -> int:
        pending, revived = self._pending[queue_id], 0
        try:
            for at, point in list(pending.items()):
                if timer_tick(point.due_ms, self._precision_ms) >= passed_ms:
                    continue
                for offset in point.open_offsets(self._acks.of(point.key)):
                    revived += self._revive(point, offset)
                    self._acks.add(point.key, offset, point.due_ms)
                del pending[at]
                self._acks.drop(point.key)
        finally:
            settled = min(pending, default=self._read[queue_id])
            self._offsets.commit(rules.REVIVE_GROUP, self._topic, queue_id, settled)
        return revived

    def _revive(self, point: CheckPoint, offset: int) -> bool:
        """Store a message anew for its group. False: it is gone. Raise StoreError."""
        entry = self._store.entry_of(point.topic, point.queue_id, offset)
        record = self._store.decoded_record_at(entry[0]) if entry is not None else None
        if record is None:
            _log.warning("popped message is gone topic=%s offset=%d", point.topic, offset)
            return False
        topic = point.topic
        if not topic.startswith(names.RETRY_PREFIX):
            topic = names.pop_retry_topic(point.group, topic)
        if self._topics.find(topic) is None:
            self._topics.put(TopicConfig(topic, 1, 1))
        if self._offsets.query(point.group, topic, 0) is None:
            self._offsets.commit(point.group, topic, 0, 0)
        properties = record.properties
        properties.setdefault(_FIRST_POP_TIME, str(point.pop_time_ms))
        for name in ("DELAY", TIMER_DELIVER_MS, "TIMER_DELAY_SEC", "TIMER_DELAY_MS"):
            properties.pop(name, None)
        self._intake.put(
            OwnMessage(
                topic,
                0,
                record.body,
                properties,
                record.flag,
                record.sys_flag,
                record.born_timestamp_ms,
                b"",
                record.reconsume_times + 1,
            )
        )
        return True
