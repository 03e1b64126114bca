"""Saving changed tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.waiting import until
from tests.unit.broker.builders import group_table, offset_table, topic_table

from pocketmq.broker.config import SavingConfig
from pocketmq.broker.services.saving import SavingService
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import StoreError
from pocketmq.protocol.bodies.topic_config import TopicConfig

HOUR_MS = 3_600_000


class Saved:
    """Three tables and the service that saves them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.topics: TopicTable = topic_table(directory)
        self.groups: GroupTable = group_table(directory)
        self.offsets: OffsetTable = offset_table(directory)
        self.service = SavingService(
            SavingConfig(offsets_interval_ms=HOUR_MS, others_interval_ms=HOUR_MS),
            prompt=(self.topics, self.groups),
            timed=(self.offsets,),
        )


@pytest.fixture
async def saved(tmp_path: Path) -> AsyncIterator[Saved]:
    made = Saved(tmp_path)
    yield made
    await made.service.stop()


async def test_only_what_changed_is_saved(saved: Saved) -> None:
    assert await saved.service.save_prompt() == 2
    assert await saved.service.save_prompt() == 0
    saved.topics.put(TopicConfig("T"))
    assert await saved.service.save_prompt() == 1
    assert await saved.service.save_timed() == 0
    saved.offsets.commit("g", "T", 0, 1)
    assert await saved.service.save_timed() == 1
    assert topic_table(saved.directory).find("T") is not None
    assert offset_table(saved.directory).query("g", "T", 0) == 1


async def test_a_prompt_table_is_saved_without_waiting_for_the_interval(saved: Saved) -> None:
    saved.service.start()
    await until(lambda: not saved.topics.changes.unsaved)
    saved.topics.put(TopicConfig("T"))
    await until(lambda: not saved.topics.changes.unsaved)
    assert saved.topics.find("T") is not None
    await until(lambda: topic_table(saved.directory).find("T") is not None)


async def test_stopping_saves_what_is_left(saved: Saved) -> None:
    saved.offsets.commit("g", "T", 0, 9)
    saved.topics.put(TopicConfig("T"))
    await saved.service.stop()
    assert offset_table(saved.directory).query("g", "T", 0) == 9
    assert topic_table(saved.directory).find("T") is not None


async def test_what_could_not_be_written_is_written_later(saved: Saved) -> None:
    saved.offsets.commit("g", "T", 0, 9)
    blocker = saved.directory / "consumerOffset.json.tmp"
    blocker.mkdir()
    with pytest.raises(StoreError):
        await saved.service.save_timed()
    assert saved.offsets.changes.unsaved
    blocker.rmdir()
    assert await saved.service.save_timed() == 1
    assert offset_table(saved.directory).query("g", "T", 0) == 9


async def test_a_table_in_memory_is_never_saved() -> None:
    table = topic_table()
    service = SavingService(SavingConfig(), prompt=(table,), timed=())
    assert await service.save_prompt() == 0
    await service.stop()
