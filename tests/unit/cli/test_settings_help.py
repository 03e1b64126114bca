"""Settings explained: by RocketMQ's name and ours, with what they are now."""

from __future__ import annotations

import pytest

from pocketmq.cli.group_changes import retry_policy
from pocketmq.cli.settings_help import explain, explained, matching
from pocketmq.errors import ConfigError


def test_every_setting_of_ours_is_explained() -> None:
    for program in ("broker", "nameserver"):
        for one in explained(program):
            assert one.what.endswith(".")
            assert one.takes
            assert one.is_called(one.key)
            assert one.is_called(one.path)


def test_a_setting_is_known_by_all_its_names() -> None:
    (flush,) = [one for one in explained("broker") if one.is_called("flushdisktype")]
    assert flush.path == "store.flush.mode"
    assert flush.is_called("flush.mode")
    assert (flush.default, flush.takes) == ("ASYNC_FLUSH", "ASYNC_FLUSH, SYNC_FLUSH")
    assert matching(flush, "*flush*")
    assert not matching(flush, "port")


def test_values_of_a_server_are_compared_with_defaults() -> None:
    values = {"flushDiskType": "SYNC_FLUSH", "autoCreateTopicEnable": "true", "rocksdb": "1"}
    told = {one.key: one for one in explain("broker", values)}
    assert told["flushDiskType"].is_changed
    assert not told["autoCreateTopicEnable"].is_changed
    assert not told["rocksdb"].is_changed
    assert told["rocksdb"].what == ""
    assert told["rocksdb"].value == "1"


def test_retry_policies_as_people_say_them() -> None:
    assert retry_policy("levels") == {"type": "CUSTOMIZED"}
    assert retry_policy("exponential:5s,2h,2") == {
        "type": "EXPONENTIAL",
        "exponentialRetryPolicy": {"initial": 5000, "max": 7_200_000, "multiplier": 2},
    }
    steps = retry_policy("steps:1s,1m")["customizedRetryPolicy"]["next"]
    assert steps == [1000, 1000, 1000, 60_000]
    for text in ("", "levels:1", "exponential:5s", "exponential:5s,2h,x", "steps:", "other:1s"):
        with pytest.raises(ConfigError, match="say levels, exponential:FIRST"):
            retry_policy(text)
