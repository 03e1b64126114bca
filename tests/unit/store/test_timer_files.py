"""The timer's files: units, slots, blanks, and what a start makes of damaged ones."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketmq.errors import CorruptStore
from pocketmq.store.timer.progress import TimerProgress, read_progress, write_progress
from pocketmq.store.timer.recovering import recover_chains
from pocketmq.store.timer.timer_log import DELETE, UNIT, UNIT_BYTES, TimerLog
from pocketmq.store.timer.wheel import SLOTS, WHEEL_BYTES, Slot, TimerWheel

NOW_MS = 1_795_240_000_000
LOG_END = 10**9
FILE_BYTES = 40 * UNIT_BYTES


def opened(root: Path) -> tuple[TimerLog, TimerWheel]:
    units, wheel = TimerLog(root / "timerlog", FILE_BYTES), TimerWheel(root / "timerwheel", 1000)
    units.load()
    wheel.open()
    return units, wheel


def closed(units: TimerLog, wheel: TimerWheel) -> None:
    units.close()
    wheel.close()


def enrol(units: TimerLog, wheel: TimerWheel, number: int, delay_ms: int) -> int:
    due_ms = NOW_MS + delay_ms
    slot = wheel.slot(due_ms)
    last = slot.last if slot is not None else -1
    at = units.append(last, UNIT, NOW_MS, delay_ms, number * 100, 100, 7)
    first, waiting = (slot.first, slot.waiting) if slot is not None else (at, 0)
    wheel.put(due_ms, Slot(first, at, waiting + 1))
    return at


def chain(units: TimerLog, wheel: TimerWheel, delay_ms: int) -> list[int]:
    """The numbers of the messages in a slot, oldest first."""
    slot = wheel.slot(NOW_MS + delay_ms)
    found: list[int] = []
    position = slot.last if slot is not None else -1
    while (unit := units.unit(position)) is not None:
        found.append(unit.log_offset // 100)
        position = unit.previous
    return found[::-1]


def test_a_unit_is_52_bytes_in_apaches_order(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    units.append(-1, UNIT | DELETE, NOW_MS, 3000, 77, 88, -5)
    closed(units, wheel)
    raw = (tmp_path / "timerlog" / ("0" * 20)).read_bytes()
    assert len(raw) == FILE_BYTES
    wanted = (52, -1, 5, NOW_MS, 3000, 77, 88, -5, 0)
    assert struct.unpack_from(">iqiqiqiiq", raw) == wanted


def test_a_blank_ends_a_file_and_chains_go_on_in_the_next(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    positions = [enrol(units, wheel, number, 5000) for number in range(100)]
    assert positions[38:40] == [38 * UNIT_BYTES, FILE_BYTES]
    assert chain(units, wheel, 5000) == list(range(100))
    assert [unit.position for unit in units.walk(0)] == positions
    closed(units, wheel)
    raw = (tmp_path / "timerlog" / ("0" * 20)).read_bytes()
    assert struct.unpack_from(">iqI", raw, 39 * UNIT_BYTES) == (UNIT_BYTES, 0, 0xCBD43194)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 30), max_size=120), st.integers(0, 120))
def test_a_start_finds_all_units_whatever_the_wheel_has_lost(
    tmp_path_factory: pytest.TempPathFactory, delays: list[int], flushed: int
) -> None:
    root = tmp_path_factory.mktemp("timer")
    units, wheel = opened(root)
    ends = [0]
    for number, delay in enumerate(delays):
        if number == flushed:
            shutil.copy(root / "timerwheel", root / "old")
        enrol(units, wheel, number, delay * 1000)
        ends.append(units.end)
    end = units.end
    closed(units, wheel)
    if (root / "old").exists():
        shutil.move(root / "old", root / "timerwheel")
    units, wheel = opened(root)
    position = ends[min(flushed, len(delays))]
    recover_chains(units, wheel, position, NOW_MS, LOG_END, clean=False, fresh=False)
    assert units.end == end
    for delay in range(31):
        wanted = [number for number, other in enumerate(delays) if other == delay]
        assert chain(units, wheel, delay * 1000) == wanted
        slot = wheel.slot(NOW_MS + delay * 1000)
        assert (slot.waiting if slot is not None else 0) == len(wanted)
    closed(units, wheel)
    shutil.rmtree(root)


def test_units_whose_messages_a_power_cut_took_are_forgotten(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    for number in range(60):
        enrol(units, wheel, number, 5000 + number % 3 * 1000)
    closed(units, wheel)
    units, wheel = opened(tmp_path)
    recover_chains(units, wheel, 0, NOW_MS, 50 * 100, clean=False, fresh=False)
    for third in range(3):
        assert chain(units, wheel, 5000 + third * 1000) == list(range(third, 50, 3))
    assert [unit.log_offset // 100 for unit in units.walk(0)] == list(range(50))
    enrol(units, wheel, 50, 5000)
    assert chain(units, wheel, 5000)[-1] == 50
    closed(units, wheel)


def test_a_wheel_that_is_gone_is_built_again(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    for number in range(100):
        enrol(units, wheel, number, number % 5 * 1000)
    closed(units, wheel)
    (tmp_path / "timerwheel").unlink()
    units, wheel = opened(tmp_path)
    recover_chains(units, wheel, 100 * UNIT_BYTES, NOW_MS + 2000, LOG_END, clean=True, fresh=True)
    assert chain(units, wheel, 1000) == [], "that moment had been delivered"
    assert chain(units, wheel, 3000) == list(range(3, 100, 5))
    closed(units, wheel)


def test_a_slot_of_another_turn_of_the_wheel_is_empty(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    wheel.put(NOW_MS, Slot(0, 52, 2))
    assert wheel.slot(NOW_MS) == Slot(0, 52, 2)
    assert wheel.slot(NOW_MS + 999) == Slot(0, 52, 2)
    assert wheel.slot(NOW_MS + SLOTS * 1000) is None
    assert list(wheel.slots(0)) == [(NOW_MS, Slot(0, 52, 2))]
    assert list(wheel.slots(NOW_MS + 1000)) == []
    closed(units, wheel)


@pytest.mark.parametrize("used", [(), (0,), (63, 64), (98, 99, 100, 101), (5, 1000)])
def test_going_through_a_wheel_misses_no_slot_and_stops_at_the_limit(
    tmp_path: Path, used: tuple[int, ...]
) -> None:
    units, wheel = opened(tmp_path)
    start_ms = (NOW_MS // 1000 // SLOTS + 1) * SLOTS * 1000 - 100_000
    moments = [start_ms + number * 1000 for number in used]
    for moment_ms in moments:
        wheel.put(moment_ms, Slot(0, 0, 1))
    limit_ms = start_ms + 2_000_000
    found, steps, moment_ms = [], 0, start_ms
    while moment_ms < limit_ms:
        if wheel.slot(moment_ms) is not None:
            found.append(moment_ms)
        moment_ms = wheel.after(moment_ms, limit_ms)
        steps += 1
    closed(units, wheel)
    assert found == moments
    assert moment_ms == limit_ms
    assert steps < 800


def test_a_sparse_wheel_takes_little_space(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    wheel.put(NOW_MS, Slot(0, 0, 1))
    closed(units, wheel)
    status = (tmp_path / "timerwheel").stat()
    assert status.st_size == WHEEL_BYTES
    assert status.st_blocks * 512 < 1024 * 1024


def test_files_of_another_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "timerwheel").write_bytes(b"\0" * 100)
    with pytest.raises(CorruptStore, match="move it away"):
        TimerWheel(tmp_path / "timerwheel", 1000).open()
    units = TimerLog(tmp_path / "timerlog", FILE_BYTES)
    units.append(-1, UNIT, NOW_MS, 0, 0, 100, 0)
    units.close()
    with pytest.raises(CorruptStore, match="mappedFileSizeTimerLog"):
        TimerLog(tmp_path / "timerlog", FILE_BYTES // 2).load()


def test_files_go_when_their_messages_are_gone(tmp_path: Path) -> None:
    units, wheel = opened(tmp_path)
    for number in range(100):
        enrol(units, wheel, number, 5000)
    assert units.forget_before(38 * 100) == 0
    assert units.forget_before(38 * 100 + 1) == 1
    assert units.start == FILE_BYTES
    assert chain(units, wheel, 5000) == list(range(39, 100))
    assert units.forget_before(10**9) == 1, "the last file stays"
    closed(units, wheel)


def test_progress_comes_back_and_nonsense_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config" / "timercheck"
    assert read_progress(path) == TimerProgress()
    progress = TimerProgress(1, 2, 3, 4, 5, 6, 7)
    write_progress(path, progress)
    assert read_progress(path) == progress
    assert path.stat().st_size == 4096
    path.write_bytes(b"\xff" * 56)
    assert read_progress(path) == TimerProgress()


def test_an_empty_wheel_file_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "timerwheel"
    path.touch()
    wheel = TimerWheel(path, 1000)
    assert wheel.open(), "as if it were not there"
    wheel.close()
    assert path.stat().st_size == WHEEL_BYTES
