"""Making the timer's files agree at start.

The timer log is the truth: units are found by reading on from one file before what was surely on
the disk. The wheel is mended from them. It may also be ahead of the log, after a power cut only;
then all of it is built again.
"""

from __future__ import annotations

import logging

from pocketmq.message.topics import TIMER_TOPIC
from pocketmq.store.store import MessageStore
from pocketmq.store.timer.progress import TimerProgress
from pocketmq.store.timer.timer_log import DELETE, UNIT_BYTES, TimerLog, TimerUnit
from pocketmq.store.timer.wheel import Slot, TimerWheel

_log = logging.getLogger(__name__)


def recover_chains(
    units: TimerLog,
    wheel: TimerWheel,
    position: int,
    read_ms: int,
    log_end: int,
    *,
    clean: bool,
    fresh: bool,
) -> None:
    """Find the end of the timer log, and see that the wheel knows all units. Raise StoreError.

    Everything before `position` was on the disk when it was noted. `fresh` says that the wheel was
    made just now.
    """
    start = max(position, units.start)
    if start > units.limit:
        start = units.start
    if not clean:
        # The wheel may lag behind what was noted; a file before that it does not.
        start = max(start - units.file_bytes, units.start)
        start -= (start - units.start) % units.file_bytes
    end = _mend_recent(units, wheel, start, read_ms, log_end)
    units.end = end
    if not clean:
        units.cut(end)
    if (fresh and end) or (not clean and _is_ahead(units, wheel, read_ms)):
        _log.warning("the timer wheel is built again from the timer log")
        for moment_ms, _ in list(wheel.slots(read_ms)):
            wheel.clear(moment_ms)
        for unit in units.walk(units.start):
            if unit.due_ms >= read_ms and unit.position < end:
                _mend(wheel, unit)


def _mend_recent(units: TimerLog, wheel: TimerWheel, start: int, read_ms: int, log_end: int) -> int:
    """Let the wheel know the newest units; return the end of the timer log."""
    end = start
    for unit in units.walk(start):
        if unit.log_offset + unit.record_bytes > log_end:
            break
        end = unit.position + UNIT_BYTES
        if unit.due_ms >= read_ms:
            _mend(wheel, unit)
    return end


def _is_ahead(units: TimerLog, wheel: TimerWheel, read_ms: int) -> bool:
    return any(
        slot.last >= units.end or not _is_of(units.unit(slot.last), moment_ms)
        for moment_ms, slot in wheel.slots(read_ms)
    )


def _is_of(unit: TimerUnit | None, moment_ms: int) -> bool:
    return unit is not None and unit.due_ms == moment_ms


def _mend(wheel: TimerWheel, unit: TimerUnit) -> None:
    slot = wheel.slot(unit.due_ms)
    if slot is not None and slot.last >= unit.position:
        return
    step = -1 if unit.kind & DELETE else 1
    if slot is None:
        wheel.put(unit.due_ms, Slot(unit.position, unit.position, step))
    else:
        wheel.put(unit.due_ms, Slot(slot.first, unit.position, slot.waiting + step))


def recovered_queue_offset(units: TimerLog, store: MessageStore, progress: TimerProgress) -> int:
    """The first message of the timer's queue that has not entered the timer.

    When units are missing that were surely on the disk, all messages enter it once more.
    """
    offset = progress.queue_offset if units.end >= progress.log_end else 0
    position = max(units.start, progress.log_end)
    for unit in units.walk(position):
        if unit.position >= units.end:
            break
        record = store.decoded_record_at(unit.log_offset)
        if record is not None and record.topic == TIMER_TOPIC:
            offset = max(offset, record.queue_offset + 1)
    first, end = store.queue_offsets(TIMER_TOPIC, 0)
    return min(max(offset, first), end)
