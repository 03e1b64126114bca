"""Delivers timed messages when their moment has come.

The loop sleeps until the next slot that holds something is due, and is woken when messages enter
the timer's queue. Shortly before a slot is due its messages are read and made ready, so that at the
moment itself they only have to be appended: a thousand at once are through in a few milliseconds.

What was delivered before a crash, but not noted as delivered, is looked up in the key index before
it is delivered again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pocketmq.broker.config import TimersConfig
from pocketmq.broker.rules import timers as rules
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.timers import WaitingTable
from pocketmq.clock import Clock
from pocketmq.errors import BadTopicName, PropertiesTooLarge, RecordTooLarge, TopicTooLong
from pocketmq.message.hashing import java_string_hash
from pocketmq.message.record import Record
from pocketmq.message.topics import TIMER_TOPIC
from pocketmq.store import MessageStore
from pocketmq.store.timer import Timers, TimerUnit

_log = logging.getLogger(__name__)

_ENROL_STEP: Final = 500
_DELIVER_STEP: Final = 200
_READY_MAX: Final = 5000
_READY_BYTES_MAX: Final = 16 * 1024 * 1024
_AHEAD_MS: Final = 250
_GATHER_SECONDS: Final = 0.003
_REST_MS: Final = 1000
_FORGET_EVERY: Final = 30
# The key index knows store times to the second.
_INDEX_MARGIN_MS: Final = 2000
_UNDELIVERABLE: Final = (RecordTooLarge, PropertiesTooLarge, TopicTooLong, BadTopicName)


class TimerService:
    """Enrols, delivers, flushes. Without `timerWheelEnable` it is not made."""

    def __init__(
        self,
        timers: Timers,
        store: MessageStore,
        dispatch: DispatchService,
        flush: FlushService,
        statistics: Statistics,
        waiting: WaitingTable,
        clock: Clock,
        config: TimersConfig,
    ) -> None:
        self._timers = timers
        self._store = store
        self._dispatch = dispatch
        self._flush = flush
        self._statistics = statistics
        self._waiting = waiting
        self._clock = clock
        self._config = config
        self._ready: dict[int, rules.Delivery] = {}
        self._ready_bytes = 0
        self._ready_for = -1
        self._unready: list[TimerUnit] = []
        self._unconfirmed = False
        self._loop = Loop("timer", 1, self.step, clock)
        self._keeping = Loop("timer files", config.flush_interval_ms, self.keep)
        self._thread: ThreadPoolExecutor | None = None
        self._kept = 0
        self._seen = timers.queue_offset
        self._stopping = False
        self._waking = False
        self.needless: dict[int, str] = {}
        """Messages that need not be delivered any more, and what topic they were for. Whoever knows
        such messages puts them here by log offset; what is passed over is taken out."""
        self.enrolled = 0
        self.delivered = 0
        self._rates = (clock.monotonic(), 0, 0)
        self._enrol_rate = self._deliver_rate = 0.0

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to enrol and deliver."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pocketmq-timer")
        self._loop.start()
        self._keeping.start()

    async def stop(self) -> None:
        """End after the message under way; note the progress and let the files go."""
        self._stopping = True
        await self._loop.stop()
        await self._keeping.stop()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        self._timers.close(self._clock.now_ms())

    @property
    def read_ms(self) -> int:
        """Everything due before this tick is delivered."""
        return self._timers.read_ms

    @property
    def queue_offset(self) -> int:
        """Everything before this in the timer's queue has entered the timer."""
        return self._timers.queue_offset

    def arrived(self) -> None:
        """Messages were filed; look whether any are for the timer."""
        end = self._store.queue_offsets(TIMER_TOPIC, 0)[1]
        if end != self._seen:
            self._seen = end
            # Those that come within a few milliseconds are enrolled together.
            if not self._waking:
                self._waking = True
                asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._wake)

    def _wake(self) -> None:
        self._waking = False
        self._loop.wake()

    def recount(self) -> None:
        """After a crash: count again what waits for each topic that is known."""
        by_hash = self._timers.waiting_by_topic()
        for topic in self._waiting.topics():
            self._waiting.correct(topic, by_hash.get(java_string_hash(topic), 0))

    # --- one step ------------------------------------------------------------------------------

    async def step(self) -> None:
        """Enrol what has come and deliver all that is due now; then say when to come again."""
        timers = self._timers
        while not self._stopping:
            enrolled = self._enrol(_ENROL_STEP)
            timers.advance(self._clock.now_ms())
            await self._warm(timers.take(_DELIVER_STEP))
            self._deliver(_DELIVER_STEP)
            if self._unconfirmed and self._flush.is_sync:
                self._unconfirmed = False
                confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._flush.call_when_durable(confirmed)
                await confirmed
            if enrolled < _ENROL_STEP and not timers.is_due:
                await self._warm(self._look_ahead()[:_DELIVER_STEP])
                if not self._prepare(_DELIVER_STEP):
                    break
            await asyncio.sleep(0)
        self._loop.interval_ms = self._rest_ms()

    def _rest_ms(self) -> int:
        """How long nothing is to be done, at most a second."""
        timers, now_ms = self._timers, self._clock.now_ms()
        moment_ms = timers.read_ms
        while not timers.has_slot(moment_ms) and moment_ms < timers.read_ms + _REST_MS:
            moment_ms += timers.precision_ms
        wait_ms = moment_ms + timers.precision_ms - now_ms
        if moment_ms != self._ready_for and wait_ms > _AHEAD_MS:
            wait_ms -= _AHEAD_MS
        return max(1, min(wait_ms, _REST_MS))

    def _enrol(self, count_max: int) -> int:
        """Enrol a bounded number; deliver those that are due already. Return how many."""
        timers = self._timers
        first = timers.queue_offset
        while timers.queue_offset - first < count_max:
            before = timers.queue_offset
            count, due = timers.enrol(count_max - (before - first), self._waiting.add)
            self.enrolled += count
            if due is None:
                break
            if (
                self.needless.pop(due.log_offset, None) is None
                and not rules.is_recall(due)
                and not self._was_delivered(due, due.store_timestamp_ms)
            ):
                self._put(rules.delivery_of(due, rules.NEVER_ENROLLED_MS, roll=False))
            timers.skip()
        return timers.queue_offset - first

    def _deliver(self, count_max: int) -> int:
        """Deliver a bounded number of due messages; return how many were taken care of."""
        timers = self._timers
        units = timers.take(count_max)
        for count, unit in enumerate(units):
            try:
                self._deliver_one(unit)
            except BaseException:
                timers.done(count)
                raise
        if units:
            timers.done(len(units))
            self.delivered += len(units)
        return len(units)

    def _deliver_one(self, unit: TimerUnit) -> None:
        unneeded_by = self.needless.pop(unit.log_offset, None)
        if unneeded_by is not None:
            self._ready.pop(unit.log_offset, None)
            self._waiting.add(unneeded_by, -1)
            return
        delivery = self._ready.pop(unit.log_offset, None)
        if delivery is None or self._timers.has_recalls or self._is_doubtful(unit.due_ms):
            record = self._timers.record_of(unit)
            if record is None:
                _log.warning("timed message is gone from the commit log at=%d", unit.log_offset)
                return
            delivery = rules.delivery_of(record, unit.written_ms, roll=unit.is_stage)
            recalled = not unit.is_stage and self._timers.is_recalled(record)
            if recalled or self._was_delivered(record, unit.due_ms, roll=unit.is_stage):
                self._waiting.add(delivery.real_topic, 0 if recalled else -1)
                return
        self._put(delivery)
        self._waiting.add(delivery.real_topic, -1)

    def _put(self, delivery: rules.Delivery) -> None:
        """Append a message where it belongs. Raise StoreError when it must be tried again."""
        try:
            _, size, _, _ = self._store.append(
                delivery.topic,
                delivery.queue_id,
                delivery.flag,
                delivery.sys_flag,
                delivery.born_timestamp_ms,
                delivery.born_host,
                delivery.reconsume_times,
                0,
                delivery.body,
                rules.stamped(delivery.properties, self._clock.now_ms()),
            )
        except _UNDELIVERABLE as error:
            _log.error("timed message is dropped topic=%s reason=%s", delivery.topic, error)
            return
        self._unconfirmed = True
        if not self._dispatch.is_scheduled:
            self._dispatch.wake()
        self._statistics.put(delivery.topic, 1, size)

    # --- ahead of time -------------------------------------------------------------------------

    async def _warm(self, units: list[TimerUnit]) -> None:
        """Have messages read from the disk without stopping the event loop."""
        cold = [
            unit
            for unit in units
            if unit.log_offset not in self._ready and self._timers.is_cold(unit)
        ]
        if cold and self._thread is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._timers.warm, cold)

    def _look_ahead(self) -> list[TimerUnit]:
        """What is to be made ready: messages of the next slot, if it is due soon."""
        timers = self._timers
        if timers.due_at_ms - self._clock.now_ms() > _AHEAD_MS or not timers.has_slot(
            timers.read_ms
        ):
            return []
        if self._ready_for != timers.read_ms:
            self._forget_ready()
            self._ready_for = timers.read_ms
            self._unready = timers.upcoming(_READY_MAX)
        return self._unready

    def _prepare(self, count_max: int) -> int:
        """Make messages ready that were seen ahead; return how many."""
        timers = self._timers
        units = self._unready[:count_max]
        del self._unready[:count_max]
        for unit in units:
            if unit.log_offset in self.needless:
                continue
            record = timers.record_of(unit)
            if unit.is_recall or record is None:
                continue
            if self._ready_bytes + record.size <= _READY_BYTES_MAX:
                delivery = rules.delivery_of(record, unit.written_ms, roll=unit.is_stage)
                self._ready[unit.log_offset] = delivery
                self._ready_bytes += record.size
        return len(units)

    def _forget_ready(self) -> None:
        self._ready.clear()
        self._ready_bytes = 0

    # --- after a crash -------------------------------------------------------------------------

    def _is_doubtful(self, due_ms: int) -> bool:
        return due_ms < self._timers.doubtful_before_ms

    def _was_delivered(self, record: Record, due_ms: int, *, roll: bool = False) -> bool:
        """Whether a crash came between delivering a message and noting it."""
        if not self._is_doubtful(due_ms):
            return False
        original = record.properties
        topic, key = rules.target_of(original, roll=roll)
        if not key:
            return False
        since_ms = max(due_ms - _INDEX_MARGIN_MS, 0)
        found = self._store.query_by_key(topic, key, 64, since_ms, 2**62).log_offsets
        for log_offset in found:
            if log_offset <= record.log_offset:
                continue
            other = self._store.decoded_record_at(log_offset)
            if (
                other is not None
                and other.topic == topic
                and rules.is_same_delivery(original, other.properties, roll=roll)
            ):
                return True
        return False

    # --- keeping -------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Bring the timer's files onto the disk."""
        self._timers.prepare_flush(self._clock.now_ms())
        assert self._thread is not None, "the service runs"
        await asyncio.get_running_loop().run_in_executor(self._thread, self._timers.flush)
        self._kept += 1
        if self._kept % _FORGET_EVERY == 0:
            self._timers.forget()
        self._measure()

    # --- figures -------------------------------------------------------------------------------

    def is_full(self, due_ms: int) -> bool:
        """Whether to refuse a message due then: never up to the limit, always above twice."""
        limit = self._config.slot_messages_max
        count = self._timers.count_at(due_ms)
        if count <= limit:
            return False
        return count >= 2 * limit or random.random() < (count - limit) / limit

    def figures(self) -> dict[str, object]:
        """What operators are told, by Apache's names."""
        now_ms = self._clock.now_ms()
        limit = self._config.slot_messages_max
        return {
            "timerReadBehind": max(now_ms - self._timers.due_at_ms, 0) // 1000,
            "timerOffsetBehind": self._timers.behind,
            "timerCongestNum": max(self._timers.count_at(self._timers.read_ms) - limit, 0),
            "timerEnqueueTps": self._enrol_rate,
            "timerDequeueTps": self._deliver_rate,
        }

    def progress_bytes(self) -> bytes:
        """The check point that replicas ask for."""
        return self._timers.progress.to_bytes()

    def waiting_bytes(self) -> bytes:
        """The counts by topic that replicas ask for."""
        return self._waiting.encode()

    def _measure(self) -> None:
        then, enrolled, delivered = self._rates
        now = self._clock.monotonic()
        with contextlib.suppress(ZeroDivisionError):
            self._enrol_rate = (self.enrolled - enrolled) / (now - then)
            self._deliver_rate = (self.delivered - delivered) / (now - then)
        self._rates = (now, self.enrolled, self.delivered)
