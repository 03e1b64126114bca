"""Tables over a temporary directory, for tests."""

from __future__ import annotations

from pathlib import Path

from pocketmq.broker.config import IdentityConfig, TopicsConfig
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.saved import SavedTable
from pocketmq.broker.state.table_file import TableFile
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock, ManualClock

IDENTITY = IdentityConfig(cluster="C", name="b")


def topic_table(
    directory: Path | None = None, config: TopicsConfig | None = None, clock: Clock | None = None
) -> TopicTable:
    file = None if directory is None else TableFile(directory / "topics.json")
    table = TopicTable(IDENTITY, config or TopicsConfig(), clock or ManualClock(), file=file)
    table.load()
    return table


def group_table(directory: Path | None = None, config: TopicsConfig | None = None) -> GroupTable:
    file = None if directory is None else TableFile(directory / "subscriptionGroup.json")
    table = GroupTable(config or TopicsConfig(), ManualClock(), file=file)
    table.load()
    return table


def offset_table(directory: Path | None = None) -> OffsetTable:
    file = None if directory is None else TableFile(directory / "consumerOffset.json")
    table = OffsetTable(ManualClock(), file=file)
    table.load()
    return table


def save(table: SavedTable) -> None:
    assert table.file is not None
    table.file.replace(table.encode())
