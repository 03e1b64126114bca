"""The table of offsets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.support.golden_store import unpack
from tests.unit.broker.builders import offset_table, save

from pocketmq.protocol.bodies.fastjson import loads


def test_a_group_is_where_it_last_committed_backwards_too() -> None:
    table = offset_table()
    assert table.query("g", "T", 0) is None
    table.commit("g", "T", 0, 10)
    table.commit("g", "T", 0, 4)
    assert table.query("g", "T", 0) == 4
    assert table.query("g", "T", 1) is None
    assert table.query("other", "T", 0) is None


@pytest.mark.parametrize("queue_id", [-1, 65_536])
def test_queues_that_cannot_exist_are_not_remembered(queue_id: int) -> None:
    table = offset_table()
    table.commit("g", "T", queue_id, 1)
    assert table.topics_of("g") == []


def test_a_pending_reset_wins_over_commits_until_it_is_taken() -> None:
    table = offset_table()
    table.commit("g", "T", 0, 10)
    table.reset("g", "T", 0, 3)
    table.commit("g", "T", 0, 11)
    assert table.query("g", "T", 0) == 3
    assert table.pending_reset("g", "T", 0) == 3
    assert table.take_reset("g", "T", 0) == 3
    assert table.take_reset("g", "T", 0) is None
    assert table.query("g", "T", 0) == 3
    table.commit("g", "T", 0, 4)
    assert table.query("g", "T", 0) == 4


def test_a_second_reset_replaces_the_first() -> None:
    table = offset_table()
    table.reset("g", "T", 0, 3)
    table.reset("g", "T", 0, 7)
    assert table.take_reset("g", "T", 0) == 7
    assert table.of("g", "T") == {0: 7}


def test_removing_a_topic_or_a_group_removes_all_its_offsets() -> None:
    table = offset_table()
    for group in ("g", "h"):
        for topic in ("T", "U"):
            table.commit(group, topic, 0, 5)
            table.note_pull(group, topic, 0, 6)
            table.reset(group, topic, 1, 1)
    table.remove_topic("T")
    assert (table.topics_of("g"), table.groups_of("T")) == (["U"], [])
    table.remove_group("h")
    assert table.groups_of("U") == ["g"]
    assert table.query("h", "U", 0) is None
    assert table.pulled("h", "U", 0) is None
    assert table.pending_reset("g", "T", 1) is None
    assert table.pulled("g", "U", 0) == 6


def test_copying_lets_one_group_go_on_where_another_is() -> None:
    table = offset_table()
    table.commit("g", "T", 0, 5)
    table.commit("g", "T", 3, 9)
    table.copy("g", "h", "T")
    assert table.of("h", "T") == {0: 5, 3: 9}


def test_five_hundred_commits_make_a_version() -> None:
    table = offset_table()
    before = table.data_version.counter
    for offset in range(1, 500):
        table.commit("g", "T", 0, offset)
    assert table.data_version.counter == before
    table.commit("g", "T", 0, 500)
    assert table.data_version.counter == before + 1


def test_only_what_changes_anything_makes_the_file_old() -> None:
    table = offset_table()
    table.commit("g", "T", 0, 5)
    table.changes.unsaved = False
    table.commit("g", "T", 0, 5)
    table.note_pull("g", "T", 0, 6)
    assert not table.changes.unsaved


def test_queue_numbers_are_written_as_apache_writes_them(tmp_path: Path) -> None:
    table = offset_table(tmp_path)
    table.commit("g", "T", 0, 38)
    table.commit("g", "T", 1, 39)
    table.commit("g@broadcast", "T", 0, 1)
    save(table)
    text = (tmp_path / "consumerOffset.json").read_text()
    assert '"T@g":{0:38,1:39}' in text
    again = offset_table(tmp_path)
    assert again.of("g", "T") == {0: 38, 1: 39}
    assert again.of("g@broadcast", "T") == {0: 1}


@pytest.mark.parametrize("capture", ["sync-clean", "batchcq-clean"])
def test_the_file_of_an_apache_broker_is_read(capture: str, tmp_path: Path) -> None:
    directory = unpack(capture, tmp_path) / "config"
    path = directory / "consumerOffset.json"
    written = loads(path.read_bytes())["offsetTable"]
    table = offset_table(directory)
    read = {name: dict(queues) for name, queues in table}
    assert read == {
        name: {int(queue): offset for queue, offset in queues.items()}
        for name, queues in written.items()
    }


_NAMES = some.sampled_from(["a", "b%R", "c-1"])
_COMMITS = some.lists(
    some.tuples(_NAMES, _NAMES, some.integers(0, 5), some.integers(-1, 2**63 - 1)), max_size=40
)


@given(_COMMITS)
def test_what_is_saved_is_what_is_read(commits: list[tuple[str, str, int, int]]) -> None:
    from pocketmq.protocol.bodies.offsets import ConsumerOffsets

    table = offset_table()
    for number, (group, topic, queue_id, offset) in enumerate(commits):
        table.commit(group, topic, queue_id, offset)
        if number % 7 == 0:
            table.encode()
    read = ConsumerOffsets.from_json(table.encode()).offset_table
    assert read == {name: dict(queues) for name, queues in table}
