"""Running the store's retention."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.waiting import until
from tests.unit.broker.builders import topic_table

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.retention import RetentionService
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.store import MessageStore, StoreConfig
from pocketmq.store.config import IndexConfig, LogConfig, RetentionConfig

HOUR_MS = 3_600_000
HOST = b"\x7f\x00\x00\x01\x00\x00\x30\x39"


class Kept:
    """A store with small files, a table of topics and the service under test."""

    def __init__(self, root: Path) -> None:
        self.clock = ManualClock()
        retention = RetentionConfig(
            delete_when="",
            disk_used_percent_max=95,
            disk_clean_percent=95,
            disk_full_percent=100,
            clean_unexpired=False,
            interval_ms=HOUR_MS,
        )
        self.config = StoreConfig(
            root=root,
            log=LogConfig(file_bytes=8192, reserve_step_bytes=65_536, warm_up=False),
            index=IndexConfig(enabled=False),
            retention=retention,
        )
        self.store = MessageStore(self.config, self.clock)
        self.store.open()
        self.topics: TopicTable = topic_table()
        self.cold_reads = ColdReadService()
        self.service = RetentionService(
            self.store, self.topics, self.clock, self.cold_reads, retention
        )

    def fill(self, topic: str, count: int) -> None:
        for _ in range(count):
            now_ms = self.clock.now_ms()
            self.store.append(topic, 0, 0, 0, now_ms, HOST, 0, 0, b"x" * 900, b"")
        self.store.flush_log()
        self.store.dispatch(1000)

    @property
    def log_files(self) -> list[Path]:
        return sorted((self.config.root / "commitlog").iterdir())

    def age_all_files(self) -> None:
        past = (self.clock.now_ms() - 73 * HOUR_MS) / 1000
        for path in self.log_files:
            os.utime(path, (past, past))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    yield made
    await made.service.stop()
    made.cold_reads.stop()
    made.store.close()


async def test_expired_files_go_when_an_operator_asks(kept: Kept) -> None:
    kept.fill("T", 40)
    kept.age_all_files()
    before = kept.log_files
    assert await kept.service.step() == 0
    kept.service.start()
    kept.service.clean_now()
    await until(lambda: len(kept.log_files) < len(before))
    await kept.service.stop()
    smallest, end = kept.store.queue_offsets("T", 0)
    assert 0 < smallest < end == 40


async def test_a_topic_may_have_a_lifetime_of_its_own(kept: Kept) -> None:
    kept.topics.put(TopicConfig("short", attributes={"reserve.time": "60000"}))
    kept.topics.put(TopicConfig("long", attributes={"reserve.time": "-1"}))
    for topic in ("short", "long"):
        kept.fill(topic, 3)
    kept.clock.advance(seconds=61)
    kept.fill("short", 2)
    await kept.service.step()
    assert kept.store.queue_offsets("short", 0) == (3, 5)
    assert kept.store.queue_offsets("long", 0) == (0, 3)


async def test_limits_count_from_the_start_on(kept: Kept) -> None:
    kept.topics.put(TopicConfig("short", attributes={"reserve.time": "60000"}))
    kept.fill("short", 3)
    kept.clock.advance(seconds=61)
    kept.fill("long", 1)
    kept.service.start()
    await until(lambda: kept.store.queue_offsets("short", 0)[0] > 0)
    assert kept.store.queue_offsets("short", 0) == (3, 3)
    assert kept.store.queue_offsets("long", 0) == (0, 1), "which has no limit"


async def test_many_queues_are_looked_at_in_turns(kept: Kept) -> None:
    kept.topics.put(TopicConfig("T", attributes={"reserve.time": "60000"}))
    for queue_id in range(500):
        kept.store.append("T", queue_id, 0, 0, 0, HOST, 0, 0, b"x" * 900, b"")
    kept.store.flush_log()
    while kept.store.dispatch(1000):
        pass
    kept.age_all_files()
    kept.clock.advance(seconds=61)
    kept.service.clean_now()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    await kept.service.step()
    counting.cancel()
    assert turns >= 4
    assert all(kept.store.queue_offsets("T", queue_id) == (1, 1) for queue_id in range(500))
