"""What the front door promises."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest
from tests.support.descriptors import descriptors_left
from tests.support.failing_disk import FailingDisk
from tests.support.store_builder import (
    BORN_HOST,
    BORN_HOST_V6,
    append,
    dispatch_all,
    open_store,
    read_all,
    read_queue,
    small_config,
    sync_config,
)

from pocketmq.clock import ManualClock
from pocketmq.errors import (
    BadTopicName,
    CorruptStore,
    DirectoryInUse,
    FlushFailed,
    PropertiesTooLarge,
    QueueIdOutOfRange,
    RecordTooLarge,
    StoreFull,
    StoreNotWritable,
    TopicTooLong,
)
from pocketmq.message.batch import encode_batch
from pocketmq.message.hashing import tag_hash
from pocketmq.message.positions import LogOffset
from pocketmq.message.record import decode_record
from pocketmq.store import MessageStore, PullStatus, StoreConfig


def test_what_is_appended_is_pulled_in_order_and_survives_a_restart(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    kept = [append(store, body=b"%d" % n, queue_id=n % 3) for n in range(300)]
    assert dispatch_all(store) == 300
    for queue_id in range(3):
        wanted = [x for x in kept if x.queue_id == queue_id]
        assert list(read_queue(store, queue_id=queue_id)) == wanted
    store.close()
    again = open_store(small_config(tmp_path))
    assert read_all(again) == set(kept)
    assert append(again, queue_id=1).queue_offset == 100
    again.close()


def test_neighbours_in_the_log_are_pulled_as_one_view(tmp_path: Path) -> None:
    store = open_store(StoreConfig(root=tmp_path))
    for n in range(40):
        append(store, body=b"x" * n)
    dispatch_all(store)
    result = store.pull("orders", 0, 3, 32)
    assert (result.status, result.count, len(result.views)) == (PullStatus.FOUND, 32, 1)
    assert result.next_offset == 35
    store.close()


def test_tags_select_messages_and_filters_look_inside(tmp_path: Path) -> None:
    store = open_store(StoreConfig(root=tmp_path))
    for n in range(30):
        append(store, tag="abc"[n % 3], body=b"%d" % n)
    dispatch_all(store)
    by_tag = store.pull("orders", 0, 0, 32, frozenset([tag_hash("b")]))
    assert by_tag.count == 10
    nothing = store.pull("orders", 0, 0, 32, frozenset([tag_hash("z")]))
    assert (nothing.status, nothing.next_offset) == (PullStatus.NO_MATCHED_MESSAGE, 30)
    odd = store.pull(
        "orders", 0, 0, 5, None, lambda view: int(bytes(decode_record(view).body)) % 2 == 1
    )
    assert [int(bytes(decode_record(view).body)) for view in odd.views] == [1, 3, 5, 7, 9]
    store.close()


@pytest.mark.parametrize("field", [0, 6, 7, 8, 11])
@pytest.mark.parametrize("large", [False, True])
def test_a_damaged_queue_entry_is_passed_over_and_never_served(
    tmp_path: Path, field: int, large: bool
) -> None:
    config = small_config(tmp_path, file_bytes=1 << 20)
    store = open_store(config)
    kept = [append(store, body=b"%d" % n * (5000 if large else 1)) for n in range(15)]
    dispatch_all(store)
    store.close()
    queue = tmp_path / "consumequeue" / "orders" / "0" / ("0" * 20)
    raw = bytearray(queue.read_bytes())
    raw[20 * 7 + field] ^= 0x11
    queue.write_bytes(raw)
    again = open_store(config)
    found = list(read_queue(again))
    assert set(found) <= set(kept)
    assert found[:7] == kept[:7]
    again.close()


def test_offsets_outside_the_queue_are_answered_as_rocketmq_does(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    assert store.pull("orders", 0, 0, 1).status is PullStatus.NO_MATCHED_LOGIC_QUEUE
    append(store)
    assert store.pull("orders", 0, 0, 1).status is PullStatus.NO_MESSAGE_IN_QUEUE
    dispatch_all(store)
    one = store.pull("orders", 0, 1, 1)
    assert (one.status, one.next_offset) == (PullStatus.OFFSET_OVERFLOW_ONE, 1)
    far = store.pull("orders", 0, 9, 1)
    assert (far.status, far.next_offset) == (PullStatus.OFFSET_OVERFLOW_BADLY, 1)
    assert store.pull("orders", 5, 0, 1).status is PullStatus.NO_MATCHED_LOGIC_QUEUE
    store.close()


def test_what_cannot_be_stored_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path, message_bytes_max=1000))
    with pytest.raises(RecordTooLarge):
        append(store, body=bytes(1001))
    with pytest.raises(PropertiesTooLarge):
        append(store, big="x" * 40_000)
    with pytest.raises(TopicTooLong):
        append(store, topic="ü" * 100)
    for name in ("", "..", "a/b", "a\\b", "a\0b"):
        with pytest.raises(BadTopicName):
            append(store, topic=name)
    with pytest.raises(QueueIdOutOfRange):
        append(store, queue_id=-1)
    with pytest.raises(QueueIdOutOfRange):
        append(store, queue_id=1 << 20)
    assert store.log_end == 0
    assert append(store).queue_offset == 0
    store.close()


def test_a_batch_lies_in_one_file_with_consecutive_offsets(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    append(store, body=bytes(15_000))
    items = [(n, b"item %d" % n, b"TAGS\x01t\x02") for n in range(20)]
    log_offset, sizes, first = store.append_batch(
        "orders", 0, 0, 0, 5, BORN_HOST_V6, 0, encode_batch(items)
    )
    assert first == 1
    assert log_offset // 16_384 == (log_offset + sum(sizes) - 1) // 16_384
    dispatch_all(store)
    found = list(read_queue(store))[1:]
    assert [x.queue_offset for x in found] == list(range(1, 21))
    assert [x.body for x in found] == [item[1] for item in items]
    record = store.decoded_record_at(LogOffset(log_offset + sum(sizes[:3])))
    assert record is not None and (record.flag, record.sys_flag) == (3, 0x10)
    store.close()


def test_half_messages_are_in_no_queue_and_use_no_offset(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    store.append("orders", 0, 0, 0x4, 1, BORN_HOST, 0, 0, b"half", b"")
    store.append("orders", 0, 0, 0xC, 1, BORN_HOST, 0, 0, b"back", b"")
    store.append("orders", 0, 0, 0x8, 1, BORN_HOST, 0, 7, b"done", b"")
    assert dispatch_all(store) == 1
    assert [x.body for x in read_queue(store)] == [b"done"]
    store.close()


def test_delayed_messages_carry_their_due_time_instead_of_a_tag(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    store = open_store(small_config(tmp_path), clock)
    append(store, topic="SCHEDULE_TOPIC_XXXX", queue_id=2, tag="a", DELAY="3")
    dispatch_all(store)
    entry = store.entry_of("SCHEDULE_TOPIC_XXXX", 2, 0)
    assert entry is not None and entry[2] == 1_010_000
    store.close()


def test_keys_find_messages_within_a_time(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    store = open_store(small_config(tmp_path), clock)
    kept = []
    for n in range(250):
        kept.append(append(store, keys=f"k{n} all", UNIQ_KEY=f"u{n}"))
        clock.advance(seconds=1)
    dispatch_all(store)
    for n in (0, 99, 249):
        for key in (f"k{n}", f"u{n}"):
            found = store.query_by_key("orders", key, 32, 0, 10**15).log_offsets
            assert kept[n].log_offset in found
    recent = store.query_by_key("orders", "all", 5, 0, 10**15)
    assert recent.log_offsets == [x.log_offset for x in kept[-5:]]
    early = store.query_by_key("orders", "all", 64, 1_000_000, 1_009_000).log_offsets
    assert early == [x.log_offset for x in kept[:10]]
    assert store.query_by_key("orders", "none", 5, 0, 10**15).log_offsets == []
    store.close()


def test_searching_by_time_finds_both_sides_of_a_moment(tmp_path: Path) -> None:
    clock = ManualClock(1000)
    store = open_store(small_config(tmp_path), clock)
    for _ in range(10):
        append(store)
        append(store)
        clock.advance(ms=10)
    dispatch_all(store)
    assert store.offset_by_time("orders", 0, 1030, "LOWER") == 6
    assert store.offset_by_time("orders", 0, 1030, "UPPER") == 7
    assert store.offset_by_time("orders", 0, 1031, "LOWER") == 8
    assert store.offset_by_time("orders", 0, 5000, "LOWER") == 20
    assert store.offset_by_time("orders", 0, 5000, "UPPER") == 19
    assert store.offset_by_time("orders", 0, 1, "UPPER") == 0
    assert store.store_time_of("orders", 0, 6) == 1030
    assert store.store_time_of("orders", 0, 20) == -1
    store.close()


def test_store_times_never_run_backwards_when_the_clock_is_corrected(tmp_path: Path) -> None:
    class Wobbling(ManualClock):
        step = 0

        def now_ms(self) -> int:
            self.step += 1
            return 100_000 - self.step

    store = open_store(small_config(tmp_path), Wobbling())
    times = [store.append("orders", 0, 0, 0, 1, BORN_HOST, 0, 0, b"", b"")[3] for _ in range(5)]
    assert times == sorted(times)
    store.close()


def test_with_sync_flush_nothing_is_seen_before_it_is_on_the_disk(tmp_path: Path) -> None:
    store = open_store(sync_config(tmp_path))
    kept = append(store)
    assert store.dispatch(10) == []
    assert store.record_at(kept.log_offset) is None
    assert store.flush_log() == store.log_end == store.confirm_offset
    assert len(store.dispatch(10)) == 1
    assert store.record_at(kept.log_offset) is not None
    store.close()


def test_a_failed_flush_refuses_writes_for_good_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(monkeypatch)
    store = open_store(sync_config(tmp_path))
    append(store)
    store.flush_log()
    append(store)
    disk.broken = True
    with pytest.raises(FlushFailed, match="Input/output error"):
        store.flush_log()
    disk.broken = False
    with pytest.raises(FlushFailed, match="restart"):
        append(store)
    with pytest.raises(FlushFailed):
        store.flush_log()
    assert len(store.dispatch(10)) == 1
    assert "Input/output error" in store.stats().not_writable
    store.close()
    assert (tmp_path / "abort").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits open files as POSIX does")
def test_a_log_that_cannot_be_opened_for_want_of_descriptors_is_flushed_later(
    tmp_path: Path,
) -> None:
    store = open_store(sync_config(tmp_path))
    append(store)
    with descriptors_left(0), pytest.raises(StoreNotWritable, match="raise the limit of open"):
        store.flush_log()
    append(store)
    store.flush_log()
    assert len(store.dispatch(10)) == 2
    store.close()
    assert not (tmp_path / "abort").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits open files as POSIX does")
def test_fewer_files_are_mapped_while_descriptors_are_short(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    for queue_id in range(40):
        append(store, queue_id=queue_id)
    with descriptors_left(30):
        dispatch_all(store)
        assert store.stats().mapped_files < 30
    assert len(read_all(store)) == 40
    store.close()


def test_a_full_disk_is_an_error_and_writes_go_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(monkeypatch)
    store = open_store(small_config(tmp_path))
    kept = [append(store, body=bytes(3000))]
    disk.full = True
    with pytest.raises(StoreFull):
        for _ in range(10):
            kept.append(append(store, body=bytes(3000)))
    assert len(kept) >= 4
    with pytest.raises(StoreFull):
        append(store, body=bytes(3000))
    with pytest.raises(StoreFull):
        dispatch_all(store)
    disk.full = False
    kept.append(append(store, body=bytes(3000)))
    assert kept[-1].queue_offset == len(kept) - 1
    dispatch_all(store)
    assert list(read_queue(store)) == kept
    store.close()
    again = open_store(small_config(tmp_path))
    assert read_all(again) == set(kept)
    again.close()


def test_the_last_free_space_is_used_in_small_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FailingDisk(monkeypatch)
    store = open_store(small_config(tmp_path, file_bytes=1 << 20))
    append(store)
    disk.room_bytes = 8192
    for _ in range(30):
        append(store, body=bytes(4000))
    dispatch_all(store)
    assert store.queue_offsets("orders", 0) == (0, 31)
    store.close()


def test_a_second_store_on_the_directory_is_refused(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    with pytest.raises(DirectoryInUse, match="in use"):
        open_store(small_config(tmp_path))
    store.close()
    open_store(small_config(tmp_path)).close()


def test_an_idle_store_takes_little_disk_space(tmp_path: Path) -> None:
    store = open_store(StoreConfig(root=tmp_path))
    append(store, keys="k")
    dispatch_all(store)
    store.prepare()
    used = sum(x.stat().st_blocks * 512 for x in tmp_path.rglob("*") if x.is_file())
    assert used < 64 * 1024 * 1024
    store.close()


def test_the_next_file_is_made_before_it_is_needed(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    append(store, body=bytes(14_000))
    while store.prepare():
        pass
    assert len(list((tmp_path / "commitlog").iterdir())) == 2
    kept = append(store, body=bytes(3000))
    assert kept.log_offset == 16_384
    store.close()
    assert len(list((tmp_path / "commitlog").iterdir())) == 2


def test_a_message_larger_than_the_write_buffer_was_set_is_taken_all_the_same(
    tmp_path: Path,
) -> None:
    config = small_config(tmp_path, write_buffer=True, file_bytes=1 << 20)
    assert config.log.write_buffer_bytes == 65_536
    store = open_store(config)
    kept = [append(store, body=bytes(size)) for size in (10, 70_000, 900_000, 20, 400_000)]
    store.flush_log()
    dispatch_all(store)
    assert list(read_queue(store)) == kept
    store.close()


@pytest.mark.parametrize("size", [100, 5000])
def test_the_write_buffer_shows_messages_once_they_are_in_the_file(
    tmp_path: Path, size: int
) -> None:
    config = small_config(tmp_path, write_buffer=True, message_bytes_max=6000)
    store = open_store(config)
    kept = [append(store, body=b"a" * size)]
    assert store.dispatch(10) == []
    store.commit_log_buffer()
    assert len(store.dispatch(10)) == 1
    for n in range(100):
        kept.append(append(store, body=b"%d" % n * (size // 3)))
        if n % 7 == 0:
            store.commit_log_buffer()
    store.flush_log()
    dispatch_all(store)
    assert list(read_queue(store)) == kept
    store.close()
    again = open_store(config)
    assert read_all(again) == set(kept)
    again.close()


def test_the_whole_record_checksum_is_written_and_demanded(tmp_path: Path) -> None:
    config = small_config(tmp_path, append_properties_crc=True, verify_properties_crc=True)
    store = open_store(config)
    kept = [append(store, body=b"%d" % n, tag="t") for n in range(50)]
    dispatch_all(store)
    store.close()
    (tmp_path / "abort").touch()
    again = open_store(config)
    assert read_all(again) == set(kept)
    again.close()


def test_a_deleted_topic_starts_again_at_zero_even_after_a_crash(tmp_path: Path) -> None:
    store = open_store(small_config(tmp_path))
    for n in range(50):
        append(store, body=b"old %d" % n)
    dispatch_all(store)
    assert store.delete_topic("orders")
    assert not store.delete_topic("orders")
    kept = [append(store, body=b"new %d" % n) for n in range(5)]
    dispatch_all(store)
    assert list(read_queue(store)) == kept
    store.close()
    (tmp_path / "abort").touch()
    again = open_store(small_config(tmp_path))
    assert list(read_queue(again)) == kept
    again.close()


def test_mappings_stay_bounded_with_many_queues(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    config = dataclasses.replace(
        config, queues=dataclasses.replace(config.queues, mapped_files_max=20, file_bytes=6000)
    )
    store = open_store(config)
    for turn in range(3):
        for queue_id in range(100):
            append(store, topic=f"t{queue_id % 10}", queue_id=queue_id // 10, body=b"%d" % turn)
        dispatch_all(store)
        assert store.stats().mapped_files <= 20
    held = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert held < 100
    assert len(read_all(store)) == 300
    store.close()


@pytest.mark.parametrize("files", [1, 3])
def test_opening_with_other_file_sizes_names_the_setting(tmp_path: Path, files: int) -> None:
    store = open_store(small_config(tmp_path))
    for _ in range(files):
        append(store, body=bytes(10_000))
    store.close()
    with pytest.raises(CorruptStore, match="mappedFileSizeCommitLog=16384"):
        MessageStore(StoreConfig(root=tmp_path), ManualClock()).open()
    assert (tmp_path / "commitlog" / ("0" * 20)).stat().st_size == 16_384
