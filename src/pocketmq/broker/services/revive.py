"""Hands out again what was popped and not acknowledged.

Check points and acks come back from the timer in the revive topic, each check point before its
acks. Once the timer has delivered all that was stored before a check point's moment, what is not
acknowledged of it is put again, by `services/pop_retries.py`. Where that fails, a check point of
the one message takes it up later. How far each revive queue is settled is the committed offset of
group CID_RMQ_SYS_REVIVE_GROUP, which as in Apache is the last settled one and not the next; after a
crash the rest is read again, so that nothing is lost and little comes twice.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from pocketmq.broker.config import PopConfig
from pocketmq.broker.rules import pop_records as rules
from pocketmq.broker.rules.placement import timer_tick
from pocketmq.broker.rules.pop_records import CheckPoint, Key
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.services.pop_records import PopRecords, Progress
from pocketmq.broker.services.pop_retries import PopRetries
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.clock import Clock
from pocketmq.errors import StoreError
from pocketmq.message import topics as names
from pocketmq.message.properties import TAGS, TIMER_OUT_MS
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

_PER_TURN: Final = 50
_PENDING_MAX: Final = 100_000


@dataclass(slots=True)
class _Queue:
    """One revive queue: check points that are read and not settled, by where they lie."""

    next_offset: int
    pending: dict[int, CheckPoint] = field(default_factory=dict)
    is_read: bool = False
    """Whether it was read to its end."""
    slot_ms: int = 0
    """What the timer delivered before this tick has been read."""
    _places: dict[Key, int] = field(default_factory=dict)
    _first_tick_ms: int = 0

    @property
    def is_full(self) -> bool:
        """Whether reading can wait, because what has been read keeps the service busy."""
        return len(self.pending) >= _PENDING_MAX and self._first_tick_ms < self.slot_ms

    def add(self, offset: int, point: CheckPoint) -> None:
        """A check point lies there. One that came twice counts once."""
        if point.key in self._places:
            return
        if not self.pending:
            self._first_tick_ms = point.due_ms
        self._places[point.key] = offset
        self.pending[offset] = point

    def acknowledge(self, key: Key, offsets: list[int]) -> None:
        """Acks were read. A check point that is all acknowledged is settled by that."""
        place = self._places.get(key)
        if place is None:
            return
        point = self.pending[place]
        point = self.pending[place] = point._replace(bits=point.bits | point.bits_of(offsets))
        if not point.open_offsets:
            self.drop(place)

    def drop(self, place: int) -> None:
        """A check point is settled."""
        point = self.pending.pop(place)
        del self._places[point.key]


class ReviveService:
    """Reads check points and acks, and settles them."""

    def __init__(
        self,
        store: MessageStore,
        records: PopRecords,
        retries: PopRetries,
        dispatch: DispatchService,
        offsets: OffsetTable,
        clock: Clock,
        timers: Progress,
        config: PopConfig,
    ) -> None:
        self._store = store
        self._records = records
        self._retries = retries
        self._dispatch = dispatch
        self._offsets = offsets
        self._clock = clock
        self._timers = timers
        self._drop_after_failures = config.drop_after_failures
        self._queues: dict[int, _Queue] = {}
        self._seen: tuple[int, int, int | None] | None = None
        self._complete_ms = 0
        self._stepping = asyncio.Lock()
        self._loop = Loop("pop-revive", config.revive_interval_ms, self.step, clock)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        await self._loop.stop()

    async def step(self) -> int:
        """Read what came back and settle what is due; return how many messages came again."""
        async with self._stepping:
            return await self._step()

    async def _step(self) -> int:
        passed_ms = self._timers.read_ms
        self._dispatch.drain()
        self._records.open_pops.passed(passed_ms)
        complete_ms = self._enrolled_until()
        revived = 0
        for queue_id in self._store.queue_ids(self._records.topic):
            queue = self._queues.get(queue_id) or self._open(queue_id)
            await self._take_in(queue_id, queue)
            revived += await self._settle(queue_id, queue, complete_ms, passed_ms)
        return revived

    def _enrolled_until(self) -> int:
        """The moment before which all that was stored has entered the timer.

        To be certain, wait until the timer has reached the end its queue had at some moment.
        """
        now_ms, seen = self._clock.now_ms(), self._seen
        end = self._store.queue_offsets(names.TIMER_TOPIC, 0)[1]
        if seen is None:
            seen = (now_ms, self._store.log_end, None)
        moment_ms, log_end, queue_end = seen
        if queue_end is None and self._store.dispatched_offset >= log_end:
            queue_end = end
        if queue_end is None or self._timers.queue_offset < queue_end:
            self._seen = (moment_ms, log_end, queue_end)
            return self._complete_ms
        self._seen = None
        self._complete_ms = max(self._complete_ms, moment_ms)
        return self._complete_ms

    def _open(self, queue_id: int) -> _Queue:
        settled = self._offsets.query(rules.REVIVE_GROUP, self._records.topic, queue_id)
        queue = _Queue(0 if settled is None else settled + 1)
        self._queues[queue_id] = queue
        return queue

    async def _take_in(self, queue_id: int, queue: _Queue) -> None:
        """Read on, to the end or until a good many check points can be settled."""
        topic = self._records.topic
        first, end = self._store.queue_offsets(topic, queue_id)
        queue.next_offset = min(max(queue.next_offset, first), end)
        count = 0
        while queue.next_offset < end and not queue.is_full:
            offset = queue.next_offset
            entry = self._store.entry_of(topic, queue_id, offset)
            if entry is not None:
                await self._retries.warm(topic, queue_id, offset, entry[0])
                self._read(queue, offset, entry[0])
            queue.next_offset = offset + 1
            count += 1
            if count % _PER_TURN == 0:
                await asyncio.sleep(0)
        queue.is_read = queue.next_offset >= end

    def _read(self, queue: _Queue, offset: int, log_offset: int) -> None:
        record = self._store.decoded_record_at(log_offset)
        if record is None:
            return
        properties = record.properties
        try:
            queue.slot_ms = max(queue.slot_ms, int(properties.get(TIMER_OUT_MS, "0")))
            if properties.get(TAGS) == rules.CHECK_POINT_TAG:
                queue.add(offset, rules.read_check_point(record.body))
            else:
                queue.acknowledge(*rules.read_acks(record.body))
        except (ValueError, RecursionError) as error:
            _log.error("revive record passed over at=%d: %s", offset, error)

    async def _settle(self, queue_id: int, queue: _Queue, complete_ms: int, passed_ms: int) -> int:
        """Settle the check points whose moment is past, with all of their acks read."""
        revived = looked_at = 0
        if not queue.is_read:
            passed_ms = min(passed_ms, queue.slot_ms)
        try:
            for place, point in list(queue.pending.items()):
                tick_ms = timer_tick(point.due_ms, self._records.precision_ms)
                if tick_ms >= passed_ms or point.due_ms > complete_ms:
                    continue
                revived += await self._settle_one(queue_id, queue, place)
                looked_at += 1
                if looked_at % _PER_TURN == 0:
                    await asyncio.sleep(0)
        finally:
            settled = min(queue.pending, default=queue.next_offset) - 1
            if settled >= 0:
                group, topic = rules.REVIVE_GROUP, self._records.topic
                self._offsets.commit(group, topic, queue_id, settled)
        return revived

    async def _settle_one(self, queue_id: int, queue: _Queue, place: int) -> int:
        revived = 0
        point = queue.pending[place]
        for offset in point.open_offsets if self._retries.is_wanted(point) else ():
            try:
                revived += await self._retries.put_again(point, offset)
            except StoreError as error:
                self._try_later(queue_id, point, offset, error)
            point = point._replace(bits=point.bits | point.bits_of((offset,)))
            queue.pending[place] = point
        queue.drop(place)
        return revived

    def _try_later(self, queue_id: int, point: CheckPoint, offset: int, error: StoreError) -> None:
        """Raise StoreError when that cannot be stored either; the check point stays as it is."""
        tries = len(rules.FAILURE_DELAYS_SECONDS)
        if point.failures >= tries and self._drop_after_failures:
            _log.error("message given up topic=%s offset=%d: %s", point.topic, offset, str(error))
            return
        later = point.failed(offset, self._clock.now_ms())
        self._records.put_check_point(later, queue_id)
        _log.warning(
            "popped message not put again, next try in %d s topic=%s offset=%d: %s",
            (later.due_ms - self._clock.now_ms()) // 1000,
            point.topic,
            offset,
            str(error),
        )
