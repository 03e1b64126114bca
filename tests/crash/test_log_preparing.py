"""The worker that prepares the log and the appender, at the same files at the same time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from tests.support.store_builder import append, dispatch_all, read_all, small_config

from pocketmq.clock import SystemClock
from pocketmq.store import MessageStore

pytestmark = pytest.mark.crash

SECONDS = 3.0


@pytest.mark.parametrize("file_bytes", [1 << 20, (1 << 20) + 4096 - 8])
def test_preparing_never_touches_what_was_appended_and_comes_to_an_end(
    tmp_path: Path, file_bytes: int
) -> None:
    config = small_config(
        tmp_path, file_bytes=file_bytes, reserve_step_bytes=file_bytes, warm_up=True
    )
    store = MessageStore(config, SystemClock())
    store.open()
    stopping = threading.Event()

    def prepare() -> None:
        while not stopping.wait(0.0002):
            store.prepare()

    worker = threading.Thread(target=prepare)
    worker.start()
    kept = set()
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for number in range(250):
            kept.add(append(store, queue_id=number % 7, body=b"%08d" % number + bytes(3000)))
        dispatch_all(store)
    stopping.set()
    worker.join(5)
    assert not worker.is_alive()
    assert read_all(store) == kept
    store.close()


def test_the_appender_prepares_the_log_itself_where_the_worker_has_not(tmp_path: Path) -> None:
    config = small_config(tmp_path, file_bytes=1 << 21, reserve_step_bytes=1 << 21, warm_up=True)
    kept = set()
    for _ in range(3):
        store = MessageStore(config, SystemClock())
        store.open()
        for number in range(250):
            kept.add(append(store, queue_id=number % 7, body=b"%08d" % number + bytes(3000)))
        dispatch_all(store)
        assert read_all(store) == kept
        store.close()
