"""Delivers what waits in the delay levels: the queues of the schedule topic.

All messages of one level wait equally long, so each queue is in order of delivery and only its
head matters: a waiting message costs nothing. The consume queue holds the moment of delivery where
others hold the tag hash. A message is delivered by storing it again, as it is, in the queue that
REAL_TOPIC and REAL_QID name; then its level's offset moves on.

The service sleeps until the next message is due, but never longer than the shortest delay: what
is stored while it sleeps cannot be due earlier than that. The offset is remembered as soon as the
delivered copies are on the disk. After a crash it may lie before what was delivered; such messages
are found by their unique key in the key index and are not delivered twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.delay import DelayTable
from pocketmq.clock import Clock
from pocketmq.errors import (
    PropertiesTooLarge,
    QueueIdOutOfRange,
    RecordTooLarge,
    StoreError,
    TopicTooLong,
)
from pocketmq.message.properties import REAL_QUEUE_ID, REAL_TOPIC, UNIQUE_KEY
from pocketmq.message.record import Record
from pocketmq.message.topics import HALF_TOPIC, SCHEDULE_TOPIC
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

_DELIVERIES_PER_TURN: Final = 128
_SLEEP_MS_MIN: Final = 1
_SLEEP_MS_MAX: Final = 1000
_RETRY_MS: Final = 100
_CHUNK: Final = 32
_NEVER_TAKEN = (RecordTooLarge, PropertiesTooLarge, TopicTooLong, QueueIdOutOfRange)


class DelayService:
    """Delivers messages of all levels when they are due. `delays_ms[n - 1]` belongs to level n."""

    def __init__(
        self,
        store: MessageStore,
        intake: Intake,
        table: DelayTable,
        cold_reads: ColdReadService,
        clock: Clock,
        delays_ms: tuple[int, ...],
        *,
        after_crash: bool,
    ) -> None:
        self._store = store
        self._intake = intake
        self._table = table
        self._cold_reads = cold_reads
        self._clock = clock
        self._delays_ms = delays_ms
        self._sleep_ms_max = max(min((_SLEEP_MS_MAX, *delays_ms)), _SLEEP_MS_MIN)
        self._hot_bytes = store.config.reading.hot_bytes
        self._offsets: dict[int, int] = dict(table.offsets)
        self._unsettled: deque[tuple[int, int, int]] = deque()
        self._doubtful_before_ms = clock.now_ms() if after_crash else 0
        self._stepping = asyncio.Lock()
        self._loop = Loop("delay-levels", _SLEEP_MS_MIN, self.step, clock)

    def start(self) -> None:
        """Begin; what became due while the broker was down is delivered at once."""
        self._loop.start()

    async def stop(self) -> None:
        """End. What was delivered counts when it is on the disk."""
        await self._loop.stop()
        if await self._intake.is_durable():
            for level, offset in self._offsets.items():
                self._table.put(level, offset)
            self._unsettled.clear()

    def waiting(self) -> dict[int, tuple[int, int]]:
        """For each level in use: the offset of the next message, and the end of its queue."""
        ends = {
            queue_id + 1: self._store.queue_offsets(SCHEDULE_TOPIC, queue_id)[1]
            for queue_id in self._store.queue_ids(SCHEDULE_TOPIC)
        }
        return {level: (self._offsets.get(level, 0), end) for level, end in ends.items()}

    async def step(self) -> int:
        """Deliver all that is due; return how many. Raise StoreError; then try again."""
        async with self._stepping:
            return await self._step()

    async def _step(self) -> int:
        delivered = 0
        sleep_ms = self._sleep_ms_max
        try:
            for queue_id in self._store.queue_ids(SCHEDULE_TOPIC):
                count, wait_ms = await self._deliver_level(queue_id + 1)
                delivered += count
                sleep_ms = min(sleep_ms, wait_ms)
        except StoreError:
            sleep_ms = _RETRY_MS
            raise
        finally:
            self._settle()
            self._loop.interval_ms = max(sleep_ms, _SLEEP_MS_MIN)
        return delivered

    async def _deliver_level(self, level: int) -> tuple[int, int]:
        """Deliver what is due of a level; return how many, and in how long the next one is due."""
        delivered, handled, queue_id = 0, 0, level - 1
        first, end = self._store.queue_offsets(SCHEDULE_TOPIC, queue_id)
        offset = self._offsets.get(level, 0)
        if not first <= offset <= end:
            _log.warning(
                "delay level continues elsewhere level=%d at=%d queue=%d..%d",
                level,
                offset,
                first,
                end,
            )
            offset = min(max(offset, first), end)
        wait_ms = self._sleep_ms_max
        warm_before = offset
        try:
            while offset < end:
                entry = self._store.entry_of(SCHEDULE_TOPIC, queue_id, offset)
                if entry is not None:
                    log_offset, _, due_ms = entry
                    now_ms = self._clock.now_ms()
                    if self._due(level, due_ms, now_ms) > now_ms:
                        wait_ms = due_ms - now_ms
                        break
                    if offset >= warm_before and self._is_cold(log_offset):
                        await self._warm(queue_id, offset)
                        warm_before = offset + _CHUNK
                    delivered += self._deliver(level, log_offset, due_ms)
                offset += 1
                handled += 1
                if handled % _DELIVERIES_PER_TURN == 0:
                    await asyncio.sleep(0)
                    end = self._store.queue_offsets(SCHEDULE_TOPIC, queue_id)[1]
        finally:
            if self._offsets.get(level) != offset:
                self._offsets[level] = offset
                self._unsettled.append((self._store.log_end, level, offset))
        return delivered, wait_ms

    def _due(self, level: int, due_ms: int, now_ms: int) -> int:
        """A moment further away than the level's delay stems from another table, or clock."""
        if level <= len(self._delays_ms) and due_ms > now_ms + self._delays_ms[level - 1]:
            return now_ms
        return due_ms

    def _is_cold(self, log_offset: int) -> bool:
        return log_offset < self._store.log_end - self._hot_bytes

    async def _warm(self, queue_id: int, offset: int) -> None:
        """Bring a few messages into memory without stopping the event loop."""
        result = self._store.pull(SCHEDULE_TOPIC, queue_id, offset, _CHUNK)
        if result.cold:
            ready = asyncio.Event()
            self._cold_reads.bring_in(result, ready.set)
            await ready.wait()

    def _deliver(self, level: int, log_offset: int, due_ms: int) -> bool:
        """Store a message where it belongs. False: it is passed over. Raise StoreError."""
        record = self._store.decoded_record_at(log_offset)
        if record is None:
            _log.error("delayed message is unreadable level=%d log_offset=%d", level, log_offset)
            return False
        properties = record.properties
        topic, queue_text = properties.get(REAL_TOPIC), properties.get(REAL_QUEUE_ID, "")
        if not topic or topic == HALF_TOPIC or not queue_text.isdigit():
            _log.error(
                "delayed message has no place to go level=%d log_offset=%d topic=%s queue=%s",
                level,
                log_offset,
                topic,
                queue_text,
            )
            return False
        message = OwnMessage(
            topic,
            int(queue_text),
            record.body,
            properties,
            record.flag,
            record.sys_flag,
            record.born_timestamp_ms,
            record.born_host,
            record.reconsume_times,
        )
        if due_ms <= self._doubtful_before_ms and self._was_delivered(message, record):
            return False
        try:
            self._intake.put(message)
        except _NEVER_TAKEN as error:
            _log.error(
                "delayed message cannot be stored level=%d log_offset=%d reason=%s",
                level,
                log_offset,
                error,
            )
            return False
        return True

    def _was_delivered(self, message: OwnMessage, record: Record) -> bool:
        """Whether the copy that delivers a message was stored before the broker crashed."""
        unique_key = message.properties.get(UNIQUE_KEY)
        if not unique_key:
            return False
        found = self._store.query_by_key(
            message.topic, unique_key, _CHUNK, record.store_timestamp_ms, 2**62
        )
        for log_offset in found.log_offsets:
            copy = self._store.decoded_record_at(log_offset)
            if (
                copy is not None
                and log_offset > record.log_offset
                and copy.topic == message.topic
                and copy.queue_id == message.queue_id
                and copy.properties == message.properties
                and copy.reconsume_times == record.reconsume_times
            ):
                return True
        return False

    def _settle(self) -> None:
        """Remember the offsets whose copies are on the disk."""
        flushed = self._store.flushed_offset
        while self._unsettled and self._unsettled[0][0] <= flushed:
            _, level, offset = self._unsettled.popleft()
            self._table.put(level, offset)
