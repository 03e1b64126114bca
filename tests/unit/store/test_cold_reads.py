"""Pages that are not in memory: noticed, brought in, then served."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.cold import evict
from tests.support.store_builder import append, dispatch_all, open_store, small_config

from pocketmq.errors import NotInMemory
from pocketmq.message.record import decode_record
from pocketmq.store import MessageStore, PullResult, PullStatus, StoreConfig, all_of
from pocketmq.store.config import QueueConfig, ReadConfig
from pocketmq.store.mapped_file import MappedFile
from pocketmq.store.residency import bring_in, is_resident

T = TypeVar("T")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="evicting pages is Linux's")


def pull_until_warm(store: MessageStore, result: PullResult) -> PullResult:
    for _ in range(20):
        store.bring_in(result)
        result = store.pull("orders", 0, 0, 4)
        if not result.cold:
            break
    return result


def test_evicted_pages_are_noticed_and_brought_in(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1 << 20))
    evict(path)
    file = MappedFile(str(path), 0, 1 << 20)
    file.map()
    assert file.view is not None
    if is_resident(file.address, file.size):
        pytest.skip("this file system keeps its pages in memory")
    bring_in(file.address + 5000, file.view[5000:90_000])
    assert is_resident(file.address + 5000, 85_000)
    assert not is_resident(file.address, file.size)
    file.release()


def test_a_pull_of_cold_messages_waits_for_the_disk_and_then_finds_them(tmp_path: Path) -> None:
    config = dataclasses.replace(small_config(tmp_path), reading=ReadConfig(hot_bytes=0))
    store = open_store(config)
    kept = [append(store, body=os.urandom(8000)) for _ in range(12)]
    dispatch_all(store)
    store.flush_log()
    store.close()
    for file in (tmp_path / "commitlog").iterdir():
        evict(file)
    again = open_store(config)
    result = again.pull("orders", 0, 0, 4)
    if not result.cold:
        pytest.skip("this file system keeps its pages in memory")
    assert (result.views, result.next_offset) == ([], 0)
    result = pull_until_warm(again, result)
    assert result.status is PullStatus.FOUND
    assert result.bytes == sum(x.size for x in kept[: result.count])
    del result
    again.close()


def test_look_ups_that_must_not_wait_name_what_is_cold_until_it_is_there(tmp_path: Path) -> None:
    config = StoreConfig(
        root=tmp_path, queues=QueueConfig(file_bytes=20_000), reading=ReadConfig(hot_bytes=0)
    )
    store = open_store(config)
    kept = [append(store, body=b"%d" % n, keys=f"k{n}") for n in range(9000)]
    dispatch_all(store)
    store.close()
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        evict(path)
    again = open_store(config)
    look = again.in_memory
    missing: list[NotInMemory] = []

    def warm(ask: Callable[[], T]) -> T:
        for _ in range(40):
            try:
                return ask()
            except NotInMemory as error:
                missing.append(error)
                for address, view in error.ranges:
                    bring_in(address, view)
        raise AssertionError("what was brought in is still missing")

    entry = warm(lambda: look.entry_of("orders", 0, 3100))
    if not missing:
        again.close()
        pytest.skip("this file system keeps its pages in memory")
    assert entry is not None and entry[0] == kept[3100].log_offset
    assert warm(lambda: look.offset_by_time("orders", 0, 0)) == 0
    record = warm(lambda: look.decoded_record_at(kept[4000].log_offset))
    assert record is not None and bytes(record.body) == b"4000"
    both = warm(lambda: all_of(partial(look.record_at, kept[n].log_offset) for n in (50, 8000)))
    assert [view is not None and decode_record(view).queue_offset for view in both] == [50, 8000]
    found = warm(lambda: look.query_by_key("orders", "k33", 5, 0, 2**62))
    assert found.log_offsets == [kept[33].log_offset]
    missing.clear()
    assert warm(lambda: look.entry_of("orders", 0, 3100)) == entry and not missing
    del both, record
    again.close()


def locked_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if "VmLck" in line)) * 1024


def test_only_the_file_being_written_is_locked_into_memory(tmp_path: Path) -> None:
    file_bytes = 1 << 16
    before = locked_bytes()
    store = open_store(small_config(tmp_path, lock_memory=True, file_bytes=file_bytes))
    append(store)
    store.prepare()
    append(store, body=bytes(file_bytes // 2))
    store.prepare()
    if locked_bytes() == before:
        store.close()
        pytest.skip("this user may not lock memory")
    for _ in range(30):
        append(store, body=bytes(file_bytes // 2))
        while store.prepare():
            pass
        assert before < locked_bytes() <= before + file_bytes
    store.close()
    assert locked_bytes() == before
