"""Messages that wait for a moment, from the timer's queue to the slot in which they fall due.

`rmq_sys_wheel_timer` holds them; its queue is read on and each message enrolled: a unit in
the timer log, chained into the slot of its moment. A slot is due when its whole tick is over, so
nothing is delivered early. A moment more than `roll_slots` away is approached in stages: when a
stage ends the message is written into the timer's queue again.

Two clocks advance: `write_ms`, the tick now, below which nothing is enrolled any more, and
`read_ms`, below which everything has been delivered. Both only move forward.

All calls take bounded steps and belong to the event loop, except `flush`, which blocks.
"""

from __future__ import annotations

import contextlib
import logging
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from pocketmq.message.hashing import java_string_hash
from pocketmq.message.properties import REAL_TOPIC, TIMER_DEL_UNIQKEY, TIMER_OUT_MS, UNIQUE_KEY
from pocketmq.message.record import Record
from pocketmq.message.topics import TIMER_TOPIC
from pocketmq.store.layout import Layout, file_name
from pocketmq.store.store import MessageStore
from pocketmq.store.timer.progress import TimerProgress, read_progress, write_progress
from pocketmq.store.timer.recovering import recover_chains, recovered_queue_offset
from pocketmq.store.timer.timer_log import DELETE, ROLL, UNIT, TimerLog, TimerUnit
from pocketmq.store.timer.wheel import ROUND_SLOTS, Slot, TimerWheel

_log = logging.getLogger(__name__)

_BLANK_SLOTS: Final = 60
_WALK_STEP: Final = 10_000
_DELETES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TimerFiles:
    """Where the timer keeps what, and its sizes."""

    root: Path
    log_file_bytes: int = 100 * 1024 * 1024
    precision_ms: int = 1000
    roll_slots: int = 172_800


class Timers:
    """Enrols messages and tells which are due. Open the store first."""

    def __init__(self, files: TimerFiles, store: MessageStore) -> None:
        self._files = files
        self._store = store
        self.precision_ms = files.precision_ms
        self._wheel = TimerWheel(files.root / "timerwheel", files.precision_ms)
        self._units = TimerLog(files.root / "timerlog", files.log_file_bytes)
        self._progress_path = files.root / "config" / "timercheck"
        self.progress = TimerProgress()
        self.read_ms = 0
        self.write_ms = 0
        self.queue_offset = 0
        self.doubtful_before_ms = 0
        """What is due before this may have been delivered before a crash."""
        self._walk: _SlotWalk | None = None
        self._pending = TimerProgress()
        self._pending_log_end = 0

    # --- opening and closing -------------------------------------------------------------------

    def open(self, now_ms: int, *, clean: bool) -> None:
        """Find out how far the timer had come. Raise StoreError when its files do not fit."""
        self._units.load()
        fresh = self._wheel.open()
        progress = read_progress(self._progress_path)
        self.write_ms = self._tick(now_ms)
        oldest = self.write_ms - (ROUND_SLOTS - _BLANK_SLOTS) * self.precision_ms
        # The clock may have been set back.
        self.read_ms = min(max(self._tick(progress.read_ms), oldest), self.write_ms)
        recover_chains(
            self._units,
            self._wheel,
            progress.log_end,
            self.read_ms,
            self._store.confirm_offset,
            clean=clean,
            fresh=fresh,
        )
        if self._units.end == self._units.start:
            self.read_ms = self.write_ms  # nothing has ever waited, or what did is read again
        self.queue_offset = recovered_queue_offset(self._units, self._store, progress)
        if clean and self._units.end >= progress.log_end:
            # One slot may have been delivered in part.
            self.doubtful_before_ms = max(self.read_ms, progress.read_ms) + self.precision_ms
        else:
            self.doubtful_before_ms = self.write_ms + self.precision_ms
        self.progress = progress

    def close(self, now_ms: int) -> None:
        """Write down how far the timer came, and let the files go."""
        try:
            self._store.flush_log()
            self.prepare_flush(now_ms)
            self.flush()
        finally:
            self._units.close()
            self._wheel.close()

    # --- entering ------------------------------------------------------------------------------

    @property
    def behind(self) -> int:
        """How many messages are in the timer's queue but not in the timer yet."""
        return max(self._store.queue_offsets(TIMER_TOPIC, 0)[1] - self.queue_offset, 0)

    def enrol(
        self, count_max: int, counted: Callable[[str, int], None] = lambda topic, step: None
    ) -> tuple[int, Record | None]:
        """Enrol what has come; return how many were, and a message that is due at once, if met.

        `counted` is told the topic each is meant for and 1, or -1 for one that recalls another.
        Deliver that one and call `skip`, then go on. Raise StoreFull, StoreNotWritable.
        """
        first, end = self._store.queue_offsets(TIMER_TOPIC, 0)
        self.queue_offset = max(self.queue_offset, first)
        count = 0
        while self.queue_offset < end and count < count_max:
            entry = self._store.entry_of(TIMER_TOPIC, 0, self.queue_offset)
            record = self._store.decoded_record_at(entry[0]) if entry is not None else None
            if record is None:
                _log.warning("timer message unreadable queue_offset=%d", self.queue_offset)
                self.skip()
                continue
            raw = bytes(record.raw_properties)
            due_ms = _number(raw, TIMER_OUT_MS)
            if due_ms < self.write_ms:
                return count, record
            counted(*self._add(record, raw, self._tick(due_ms)))
            self.skip()
            count += 1
        return count, None

    def skip(self) -> None:
        """The message at `queue_offset` is taken care of."""
        self.queue_offset += 1

    def _add(self, record: Record, raw: bytes, due_ms: int) -> tuple[str, int]:
        topic = _value(raw, REAL_TOPIC)
        kind = UNIT
        window_ms = self._files.roll_slots * self.precision_ms
        if due_ms - self.write_ms >= window_ms:
            kind |= ROLL
            excess_ms = due_ms - self.write_ms - window_ms
            # Room is left for the next stage, so that it is no stage of a few ticks.
            stage_ms = window_ms // 2 if excess_ms < window_ms // 3 else window_ms
            due_ms = self._tick(self.write_ms + stage_ms)
        if _value(raw, TIMER_DEL_UNIQKEY):
            kind |= DELETE
        slot = self._wheel.slot(due_ms)
        position = self._units.append(
            slot.last if slot is not None else -1,
            kind,
            self.write_ms,
            due_ms - self.write_ms,
            record.log_offset,
            record.size,
            _topic_hash(topic),
        )
        step = -1 if kind & DELETE else 1
        if slot is None:
            self._wheel.put(due_ms, Slot(position, position, step))
        else:
            self._wheel.put(due_ms, Slot(slot.first, position, slot.waiting + step))
        return topic, step

    # --- falling due ---------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """It is now: slots before this tick are due."""
        self.write_ms = max(self.write_ms, self._tick(now_ms))

    @property
    def due_at_ms(self) -> int:
        """When the next slot, empty or not, is due."""
        return self.read_ms + self.precision_ms

    def count_at(self, moment_ms: int) -> int:
        """How many messages wait for this moment."""
        slot = self._wheel.slot(moment_ms)
        return max(slot.waiting, 0) if slot is not None else 0

    def has_slot(self, moment_ms: int) -> bool:
        """Whether something was enrolled for this moment."""
        return self._wheel.slot(moment_ms) is not None

    def upcoming(self, count_max: int) -> list[TimerUnit]:
        """The last `count_max` units of the next slot, oldest first: a look ahead, no promise."""
        slot = self._wheel.slot(self.read_ms)
        if slot is None or self._walk is not None:
            return []
        found: list[TimerUnit] = []
        for unit in self._chain(self.read_ms, slot.last):
            found.append(unit)
            if len(found) >= count_max:
                break
        return found[::-1]

    @property
    def is_due(self) -> bool:
        """Whether a slot is due, or being delivered."""
        return self._walk is not None or self.read_ms < self.write_ms

    def take(self, count_max: int) -> list[TimerUnit]:
        """The next units that are due, oldest first; each is to be confirmed by `done`.

        Nothing is not the end: ask `is_due`. What is recalled has been left out already.
        """
        walk = self._walk
        if walk is None:
            slot = self._next_slot()
            if slot is None:
                return []
            walk = self._walk = _SlotWalk(self._chain(self.read_ms, slot.last))
        if not walk.collected:
            walk.collect(self, _WALK_STEP)
            return []
        if not walk.positions:
            self._walk = None
            self.read_ms += self.precision_ms
            return []
        units = []
        for position in reversed(walk.positions[-count_max:]):
            unit = self._units.unit(position)
            assert unit is not None, "it was there when it was collected"
            units.append(unit)
        return units

    def _next_slot(self) -> Slot | None:
        """The next slot that is due, passing over a bounded number of empty ones."""
        for _ in range(_WALK_STEP):
            if self.read_ms >= self.write_ms:
                return None
            slot = self._wheel.slot(self.read_ms)
            if slot is not None:
                return slot
            self.read_ms = self._wheel.after(self.read_ms, self.write_ms)
        return None

    def done(self, count: int) -> None:
        """The first `count` units of the last `take` are delivered, or need not be."""
        assert self._walk is not None, "units were taken"
        del self._walk.positions[len(self._walk.positions) - count :]

    @property
    def has_recalls(self) -> bool:
        """Whether something in the slot being delivered was recalled."""
        return self._walk is not None and bool(self._walk.deletes)

    def is_recalled(self, record: Record) -> bool:
        """Whether a message of the slot being delivered was recalled in time."""
        deletes = self._walk.deletes if self._walk is not None else None
        if not deletes:
            return False
        properties = record.properties
        topic, key = properties.get(REAL_TOPIC, ""), properties.get(UNIQUE_KEY, "")
        return bool(key) and (topic, key) in deletes

    def record_of(self, unit: TimerUnit) -> Record | None:
        """The message of a unit; None when the commit log has let it go."""
        record = self._store.decoded_record_at(unit.log_offset)
        return record if record is not None and record.topic == TIMER_TOPIC else None

    def is_cold(self, unit: TimerUnit) -> bool:
        """Whether reading its message may have to wait for the disk."""
        return unit.log_offset < self._store.log_end - self._store.config.reading.hot_bytes

    def warm(self, units: list[TimerUnit]) -> None:
        """Read messages of units from the disk, so that they are in memory. Blocks."""
        config = self._store.config
        directory, file_bytes = Layout.of(config).commit_log, config.log.file_bytes
        for unit in units:
            start = unit.log_offset // file_bytes * file_bytes
            with (
                contextlib.suppress(OSError),  # it is gone, or reading it again tells why not
                open(directory / file_name(start), "rb", buffering=0) as file,
            ):
                file.seek(unit.log_offset - start)
                file.read(unit.record_bytes)

    def _chain(self, moment_ms: int, last: int) -> Iterator[TimerUnit]:
        """The units of a slot, newest first."""
        position = last
        while (unit := self._units.unit(position)) is not None and unit.due_ms == moment_ms:
            yield unit
            position = unit.previous

    # --- keeping -------------------------------------------------------------------------------

    def prepare_flush(self, now_ms: int) -> None:
        """Note how far the timer is; the next `flush` writes it down when that is safe."""
        if self._store.flushed_offset < self._pending_log_end:
            return  # what was delivered up to the note before is not on the disk yet
        self._pending_log_end = self._store.log_end
        self._pending = replace(
            self.progress,
            read_ms=self.read_ms,
            log_end=self._units.end,
            queue_offset=self.queue_offset,
            master_offset=self.queue_offset,
            timestamp_ms=now_ms,
            counter=self.progress.counter + 1,
        )

    def flush(self) -> bool:
        """Force the timer's files to the disk, then note the progress; True if done. Blocks."""
        pending = self._pending
        if self._store.flushed_offset < self._pending_log_end:
            return False
        grown = pending.log_end > self.progress.log_end
        if grown:
            self._units.flush(self.progress.log_end, pending.log_end)
            self._wheel.flush()
        if pending.counter > self.progress.counter:
            write_progress(self._progress_path, pending, durably=grown)
            self.progress = pending
        return True

    def forget(self) -> int:
        """Delete timer log files whose messages are gone; return how many. Blocks."""
        return self._units.forget_before(self._store.min_log_offset)

    def waiting_by_topic(self) -> dict[int, int]:
        """How many messages wait, by topic hash: reads the whole timer log. Blocks."""
        counts: dict[int, int] = {}
        for unit in self._units.walk(self._units.start):
            if unit.due_ms >= self.read_ms and unit.position < self._units.end:
                step = -1 if unit.kind & DELETE else 1
                counts[unit.topic_hash] = counts.get(unit.topic_hash, 0) + step
        return counts

    @property
    def waiting(self) -> int:
        """How many messages wait; reads the whole wheel."""
        return sum(max(slot.waiting, 0) for _, slot in self._wheel.slots(self.read_ms))

    def _tick(self, moment_ms: int) -> int:
        return moment_ms // self.precision_ms * self.precision_ms


class _SlotWalk:
    """One slot being delivered: its units, newest first, and what its recalls name."""

    def __init__(self, chain: Iterator[TimerUnit]) -> None:
        self._chain = chain
        self.positions = array("q")
        self.deletes: set[tuple[str, str]] = set()
        self.collected = False

    def collect(self, timers: Timers, count_max: int) -> None:
        """Follow the chain a bit further."""
        for _ in range(count_max):
            unit = next(self._chain, None)
            if unit is None:
                self.collected = True
                # Taken from the end: oldest first.
                return
            if unit.is_recall:
                self._recall(timers.record_of(unit))
            else:
                self.positions.append(unit.position)

    def _recall(self, record: Record | None) -> None:
        if record is None or len(self.deletes) >= _DELETES_MAX:
            return
        properties = record.properties
        topic = properties.get(REAL_TOPIC, "")
        key = properties.get(TIMER_DEL_UNIQKEY, "")
        # Brokers of some versions put the topic before the key.
        self.deletes.add((topic, key.removeprefix(f"{topic}+")))


def _value(raw: bytes, name: str) -> str:
    """One property, without decoding the others; empty when it is not there."""
    mark = name.encode() + b"\x01"
    at = 0 if raw.startswith(mark) else raw.find(b"\x02" + mark) + 1
    if at == 0 and not raw.startswith(mark):
        return ""
    first = at + len(mark)
    last = raw.find(b"\x02", first)
    return raw[first : last if last >= 0 else len(raw)].decode("utf-8", "replace")


def _number(raw: bytes, name: str) -> int:
    text = _value(raw, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@lru_cache(maxsize=1024)
def _topic_hash(topic: str) -> int:
    return java_string_hash(topic)
