"""Flushing queues in steps, and what the checkpoint may vouch for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.failing_disk import FailingDisk
from tests.support.store_builder import append, dispatch_all, open_store, read_all, small_config

from pocketmq.clock import ManualClock
from pocketmq.errors import StoreNotWritable
from pocketmq.store import MessageStore
from pocketmq.store.checkpoint import read_checkpoint

QUEUES = 50
START_MS = 1_600_000_000_000


def filled(root: Path, clock: ManualClock) -> MessageStore:
    """A store with a message in each of many queues, none of them flushed."""
    store = open_store(small_config(root), clock)
    for queue_id in range(QUEUES):
        append(store, queue_id=queue_id)
    dispatch_all(store)
    return store


def test_a_step_flushes_no_more_queues_than_it_may_and_the_last_one_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path, ManualClock(START_MS))
    synced: list[int] = []
    call = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    monkeypatch.setattr(os, call, lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    done: list[bool] = []
    while not done or not done[-1]:
        before = len(synced)
        done.append(store.flush_queues(8))
        assert len(synced) - before <= 8
    assert done == [False] * (QUEUES // 8) + [True]
    assert len(set(synced)) == QUEUES, "no key was put, so there is no index file to flush"
    store.close()


def test_the_checkpoint_moves_when_a_round_ends_and_not_beyond_its_beginning(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START_MS)
    store = filled(tmp_path, clock)
    assert not store.flush_queues(8)
    clock.advance(seconds=60)
    append(store, topic="later")
    dispatch_all(store)
    assert store.checkpoint.queue_timestamp_ms == 0
    while not store.flush_queues(8):
        assert store.checkpoint.queue_timestamp_ms == 0
    assert store.checkpoint.queue_timestamp_ms == START_MS
    while not store.flush_queues(8):
        pass
    assert store.checkpoint.queue_timestamp_ms == START_MS + 60_000
    store.close()


def test_a_round_that_fills_its_last_step_is_over(tmp_path: Path) -> None:
    store = filled(tmp_path, ManualClock(START_MS))
    assert [store.flush_queues(25) for _ in range(2)] == [False, True]
    store.close()


def test_queues_that_could_not_be_flushed_are_built_again_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(START_MS)
    store = filled(tmp_path, clock)
    store.flush_log()
    disk = FailingDisk(monkeypatch)
    disk.broken = True
    with pytest.raises(StoreNotWritable, match="consumequeue"):
        store.flush_queues()
    disk.broken = False
    append(store, body=b"writes go on")
    dispatch_all(store)
    while not store.flush_queues(8):
        pass
    assert store.checkpoint.queue_timestamp_ms == 0
    kept = read_all(store)
    store.close()
    assert (tmp_path / "abort").exists()
    assert read_checkpoint(tmp_path / "checkpoint").queue_timestamp_ms == 0
    again = MessageStore(small_config(tmp_path), clock)
    report = again.open()
    assert (report.clean, report.refiled_records) == (False, QUEUES + 1)
    assert read_all(again) == kept
    again.close()
