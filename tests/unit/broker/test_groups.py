"""The table of consumer groups."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.golden_store import unpack
from tests.unit.broker.builders import group_table, save

from pocketmq.broker.config import TopicsConfig
from pocketmq.message.topics import BUILT_IN_GROUPS
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup


def test_a_new_broker_has_the_built_in_groups() -> None:
    assert sorted(group_table().configs) == sorted(BUILT_IN_GROUPS)


def test_a_group_comes_to_be_at_its_first_use() -> None:
    table = group_table()
    made = table.find_or_create("g")
    assert made == SubscriptionGroup("g")
    assert table.find("g") is made
    assert table.find_or_create("g") is made


@pytest.mark.parametrize("name", ["", "bad name", "a+b", "g" * 121])
def test_a_group_with_an_illegal_name_does_not(name: str) -> None:
    assert group_table().find_or_create(name) is None


def test_without_auto_creation_only_system_groups_come_to_be() -> None:
    table = group_table(config=TopicsConfig(auto_create_groups=False))
    assert table.find_or_create("g") is None
    assert table.find_or_create("CID_RMQ_SYS_X") is not None
    table.set_auto_create(True)
    assert table.find_or_create("g") is not None


def test_the_number_of_groups_is_bounded() -> None:
    table = group_table(config=TopicsConfig(groups_max=len(BUILT_IN_GROUPS) + 1))
    assert table.find_or_create("a") is not None
    assert table.find_or_create("b") is None


def test_forbidding_a_topic_concerns_that_topic_alone() -> None:
    table = group_table()
    assert table.may_read("g", "T")
    table.set_readable("g", "T", False)
    table.set_readable("g", "U", False)
    table.set_readable("g", "T", True)
    assert table.may_read("g", "T")
    assert not table.may_read("g", "U")
    assert table.forbidden == {"g": {"U": 4}}


def test_deleting_a_group_forgets_what_it_was_forbidden() -> None:
    table = group_table()
    table.find_or_create("g")
    table.set_readable("g", "T", False)
    assert table.delete("g")
    assert not table.delete("g")
    assert table.find("g") is None
    assert table.may_read("g", "T")


def test_a_saved_table_is_read_back(tmp_path: Path) -> None:
    table = group_table(tmp_path)
    policy = {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [1000]}}
    table.put(SubscriptionGroup("g", retry_max_times=3, group_retry_policy=policy))
    table.set_readable("g", "T", False)
    save(table)
    again = group_table(tmp_path)
    assert again.configs == table.configs
    assert again.forbidden == table.forbidden
    assert again.data_version == table.data_version


@pytest.mark.parametrize("capture", ["sync-clean", "batchcq-clean"])
def test_the_file_of_an_apache_broker_is_read(capture: str, tmp_path: Path) -> None:
    directory = unpack(capture, tmp_path) / "config"
    written = json.loads((directory / "subscriptionGroup.json").read_bytes())
    table = group_table(directory)
    for name, shape in written["subscriptionGroupTable"].items():
        group = table.find(name)
        assert group is not None
        assert group.to_tree() == shape
