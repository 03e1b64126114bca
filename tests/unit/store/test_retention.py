"""What is deleted, when, and how much at a time."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.store_builder import append, dispatch_all, open_store, read_queue, small_config

from pocketmq.clock import ManualClock
from pocketmq.errors import StoreFull
from pocketmq.store import PullStatus
from pocketmq.store.config import RetentionConfig


def test_nothing_expires_before_its_time_and_hour(tmp_path: Path) -> None:
    clock = ManualClock()
    config = dataclasses.replace(
        small_config(tmp_path),
        retention=RetentionConfig(delete_when="", disk_used_percent_max=95, disk_full_percent=100),
    )
    store = open_store(config, clock)
    for _ in range(100):
        append(store, body=bytes(1000))
    dispatch_all(store)
    store.flush_log()
    now_ms = int(os.path.getmtime(tmp_path / "commitlog" / ("0" * 20)) * 1000)
    assert store.retain(now_ms + 80 * 3_600_000).log_files == 0
    assert store.retain(now_ms + 70 * 3_600_000, at_once=True).log_files == 0
    assert store.retain(now_ms + 80 * 3_600_000, at_once=True).log_files > 0
    store.close()


def test_a_topic_with_a_limit_of_its_own_hides_older_messages(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    store = open_store(small_config(tmp_path), clock)
    for _ in range(10):
        append(store)
        append(store, topic="kept")
        clock.advance(seconds=60)
    dispatch_all(store)
    limit = store.in_memory.offset_by_time("orders", 0, clock.now_ms() - 150_000)
    store.hide_before("orders", 0, limit)
    store.hide_before("never used", 3, limit)
    assert store.queue_offsets("orders", 0) == (8, 10)
    assert store.queue_offsets("kept", 0) == (0, 10)
    assert store.pull("orders", 0, 0, 1).status is PullStatus.OFFSET_TOO_SMALL
    store.close()


def test_a_fuller_disk_lets_older_files_go_sooner(tmp_path: Path) -> None:
    """By share of the disk: first the hour, then the age no longer matters."""
    hours_ms = 3_600_000

    def kept_after(age_hours: int, **settings: Any) -> int:
        retention = RetentionConfig(delete_when="", disk_full_percent=100, **settings)
        root = tmp_path / f"{age_hours} {settings}"
        store = open_store(dataclasses.replace(small_config(root), retention=retention))
        for _ in range(60):
            append(store, body=bytes(1000))
        dispatch_all(store)
        store.flush_log()
        before = len(os.listdir(root / "commitlog"))
        now_ms = int(os.path.getmtime(root / "commitlog" / ("0" * 20)) * 1000)
        store.retain(now_ms + age_hours * hours_ms)
        store.delete_retired(100)
        left = len(os.listdir(root / "commitlog"))
        store.close()
        return 100 * left // before

    roomy = {"disk_used_percent_max": 100, "disk_clean_percent": 100}
    assert kept_after(80, **roomy) == 100, "expired, but it is not the hour"
    assert kept_after(80, **roomy | {"disk_used_percent_max": 0}) < 100
    assert kept_after(70, **roomy | {"disk_used_percent_max": 0}) == 100, "not expired"
    assert kept_after(0, **roomy | {"disk_clean_percent": 0}) < 100
    forbidden = {**roomy, "disk_clean_percent": 0, "clean_unexpired": False}
    assert kept_after(0, **forbidden) == 100


def test_queues_are_trimmed_a_few_at_a_time(tmp_path: Path) -> None:
    clock = ManualClock()
    retention = RetentionConfig(disk_full_percent=100)
    store = open_store(dataclasses.replace(small_config(tmp_path), retention=retention), clock)
    for _ in range(60):
        for queue_id in range(10):
            append(store, queue_id=queue_id, body=bytes(200))
    dispatch_all(store)
    store.flush_log()
    files = len(list((tmp_path / "consumequeue").rglob("0*")))
    clock.advance(hours=10_000_000)
    store.retain(clock.now_ms(), at_once=True)
    assert [store.trim_queues(4) for _ in range(3)] == [False, False, True]
    assert store.trim_queues(4), "nothing is left to do"
    store.delete_retired(1000)
    assert len(list((tmp_path / "consumequeue").rglob("0*"))) <= files - 10
    store.close()


def test_a_disk_fuller_than_allowed_refuses_writes_until_there_is_room(tmp_path: Path) -> None:
    strict = RetentionConfig(disk_full_percent=0, clean_unexpired=False)
    store = open_store(dataclasses.replace(small_config(tmp_path), retention=strict))
    append(store)
    store.retain(0)
    with pytest.raises(StoreFull, match="0 % allowed"):
        append(store)
    store.close()


def test_views_stay_readable_after_their_file_is_gone(tmp_path: Path) -> None:
    clock = ManualClock()
    config = dataclasses.replace(
        small_config(tmp_path), retention=RetentionConfig(disk_full_percent=100)
    )
    store = open_store(config, clock)
    for n in range(200):
        append(store, body=b"%04d" % n * 100)
    dispatch_all(store)
    store.flush_log()
    view = store.pull("orders", 0, 0, 1).views[0]
    before = bytes(view)
    clock.advance(hours=10_000_000)
    report = store.retain(clock.now_ms(), at_once=True)
    assert report.log_files > 0
    assert store.trim_queues(1)
    assert store.delete_retired(1000) >= report.log_files
    assert bytes(view) == before
    del view
    first, end = store.queue_offsets("orders", 0)
    assert first > 0 and end == 200
    assert store.pull("orders", 0, 0, 1).status is PullStatus.OFFSET_TOO_SMALL
    assert [x.queue_offset for x in read_queue(store)] == list(range(first, 200))
    store.close()
    again = open_store(config)
    assert again.queue_offsets("orders", 0) == (first, 200)
    again.close()
