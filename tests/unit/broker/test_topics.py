"""The table of topics."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.support.golden_store import unpack
from tests.unit.broker.builders import save, topic_table

from pocketmq.broker.config import TopicsConfig
from pocketmq.errors import CorruptStore
from pocketmq.protocol.bodies.topic_config import TopicConfig


def test_a_new_broker_has_its_own_topics() -> None:
    table = topic_table()
    shapes = {
        name: (config.read_queue_nums, config.write_queue_nums, config.perm)
        for name, config in table.configs.items()
    }
    assert shapes == {
        "TBW102": (8, 8, 7),
        "SELF_TEST_TOPIC": (1, 1, 6),
        "OFFSET_MOVED_EVENT": (1, 1, 6),
        "BenchmarkTest": (1024, 1024, 6),
        "C": (16, 16, 7),
        "b": (1, 1, 7),
        "SCHEDULE_TOPIC_XXXX": (18, 18, 6),
        "C_REPLY_TOPIC": (1, 1, 6),
        "rmq_sys_REVIVE_LOG_C": (8, 8, 6),
        "rmq_sys_SYNC_BROKER_MEMBER_b": (1, 1, 1),
        "RMQ_SYS_TRANS_HALF_TOPIC": (1, 1, 6),
        "RMQ_SYS_TRANS_OP_HALF_TOPIC": (1, 1, 6),
    }
    assert all(table.is_system(name) for name in shapes)


@pytest.mark.parametrize(("asked", "made"), [(4, 4), (8, 8), (100, 8), (0, 0), (-3, 0)])
def test_an_auto_created_topic_gets_no_more_queues_than_its_example(asked: int, made: int) -> None:
    topic = topic_table().create_for_send("T", "TBW102", asked, False)
    assert topic == TopicConfig("T", made, made, 6)


def test_a_topic_follows_any_example_that_may_be_inherited_from() -> None:
    table = topic_table()
    assert table.create_for_send("A", "C", 16, True) == TopicConfig(
        "A", 16, 16, 6, topic_sys_flag=1
    )
    assert table.create_for_send("B", "A", 4, False) is None
    assert table.create_for_send("B", "nowhere", 4, False) is None


def test_an_existing_topic_is_returned_as_it_is() -> None:
    table = topic_table()
    known = TopicConfig("T", 1, 1, 6)
    table.put(known)
    assert table.create_for_send("T", "TBW102", 4, False) is known


def test_without_auto_creation_there_is_no_example(tmp_path: Path) -> None:
    save(topic_table(tmp_path))
    table = topic_table(tmp_path, TopicsConfig(auto_create=False))
    assert table.find("TBW102") is not None
    assert table.create_for_send("T", "TBW102", 4, False) is None
    fresh = topic_table(config=TopicsConfig(auto_create=False))
    assert fresh.find("TBW102") is None


def test_switching_auto_creation_on_makes_the_example() -> None:
    table = topic_table(config=TopicsConfig(auto_create=False))
    table.set_auto_create(True)
    assert table.create_for_send("T", "TBW102", 4, False) is not None


def test_the_number_of_topics_is_bounded_for_sends_but_not_for_operators() -> None:
    table = topic_table(config=TopicsConfig(topics_max=13))
    assert table.create_for_send("last", "TBW102", 1, False) is not None
    assert table.create_for_send("more", "TBW102", 1, False) is None
    assert table.create_retry("g", 1) is None
    table.put(TopicConfig("more"))
    assert table.find("more") is not None


def test_each_change_is_a_version_and_is_told() -> None:
    table = topic_table()
    told: list[list[str]] = []

    def listen(names: Iterable[str]) -> None:
        told.append(list(names))

    table.on_change(listen)
    before = table.data_version
    table.put_all([TopicConfig("A"), TopicConfig("B")])
    table.put(TopicConfig("A"))
    assert table.delete("A")
    assert not table.delete("A")
    assert told == [["A", "B"], ["A"]]
    assert table.data_version.counter == before.counter + 2


def test_a_saved_table_is_read_back(tmp_path: Path) -> None:
    table = topic_table(tmp_path)
    table.put(TopicConfig("T", 3, 5, 4, "MULTI_TAG", 3, True, {"message.type": "FIFO"}))
    table.put(TopicConfig("gone"))
    save(table)
    table.delete("gone")
    save(table)
    again = topic_table(tmp_path)
    assert again.configs == table.configs
    assert again.data_version == table.data_version


def test_the_file_has_the_shape_of_apaches(tmp_path: Path) -> None:
    table = topic_table(tmp_path)
    table.put(TopicConfig("T", 4, 4))
    save(table)
    document = json.loads((tmp_path / "topics.json").read_bytes())
    assert set(document) == {"dataVersion", "topicConfigTable"}
    assert document["topicConfigTable"]["T"] == {
        "attributes": {},
        "order": False,
        "perm": 6,
        "readQueueNums": 4,
        "topicFilterType": "SINGLE_TAG",
        "topicName": "T",
        "topicSysFlag": 0,
        "writeQueueNums": 4,
    }


@pytest.mark.parametrize("capture", ["sync-clean", "batchcq-clean"])
def test_the_file_of_an_apache_broker_is_read(capture: str, tmp_path: Path) -> None:
    directory = unpack(capture, tmp_path) / "config"
    written = json.loads((directory / "topics.json").read_bytes())
    table = topic_table(directory)
    for name, shape in written["topicConfigTable"].items():
        topic = table.find(name)
        assert topic is not None
        assert topic.to_tree() == shape
    assert table.data_version.counter >= written["dataVersion"]["counter"]


def test_a_lost_file_is_replaced_by_its_copy(tmp_path: Path) -> None:
    table = topic_table(tmp_path)
    table.put(TopicConfig("T"))
    save(table)
    save(table)
    (tmp_path / "topics.json").write_bytes(b'{"topicConfigTable":{"T"')
    assert topic_table(tmp_path).find("T") is not None
    (tmp_path / "topics.json").unlink()
    assert topic_table(tmp_path).find("T") is not None


def test_two_damaged_files_stop_the_start(tmp_path: Path) -> None:
    for name in ("topics.json", "topics.json.bak"):
        (tmp_path / name).write_bytes(b"\x07no json")
    with pytest.raises(CorruptStore, match=r"topics\.json"):
        topic_table(tmp_path)


def test_topics_listed_as_ordered_are_so_from_then_on() -> None:
    table = topic_table()
    table.put(TopicConfig("old"))
    table.mark_ordered(("old", "new"))
    made = table.create_for_send("new", "TBW102", 4, False)
    assert made is not None
    assert made.order
    assert made is table.find("new")
    old = table.find("old")
    assert old is not None
    assert old.order
    other = table.create("other", 1)
    assert other is not None
    assert not other.order
