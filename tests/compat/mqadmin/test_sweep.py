"""Apache's mqadmin prints the same in front of us as in front of Apache, on the same messages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from scripts.admin_reference import LEFT_OUT
from tests.compat.mqadmin.clusters import Sweep
from tests.compat.mqadmin.commands import (
    CHANGING,
    EVENTS,
    LOOKING,
    REFUSED_HERE,
    SETTING_UP,
    Step,
)

pytestmark = pytest.mark.timeout(400)  # the first test waits for the sweep


@pytest.mark.parametrize("step", (*SETTING_UP, *LOOKING, *CHANGING), ids=lambda step: step.name)
def test_a_command_prints_what_it_prints_in_front_of_apache(step: Step, swept: Sweep) -> None:
    theirs, ours = swept.theirs[step], swept.ours[step]
    if step.view is None:
        assert ours == theirs
    else:
        assert step.view(ours, theirs) == step.view(theirs, ours), step.because


@pytest.mark.parametrize("step", REFUSED_HERE, ids=lambda step: step.name)
def test_a_command_that_makes_no_sense_here_is_refused(step: Step, swept: Sweep) -> None:
    code = 29 if step.line.startswith("updateBrokerConfig") else 3
    assert f"CODE: {code}\n" in f"{swept.ours[step]}\n"


@pytest.mark.parametrize(
    "file", ["metadata/metadata.json", "topics/topic.json", "groups/subscriptionGroup.json"]
)
def test_what_is_exported_is_the_same(file: str, swept: Sweep) -> None:
    def exported(side: str) -> Any:
        document: dict[str, Any] = json.loads(swept.exported(side, file))
        return {k: v for k, v in document.items() if k not in ("exportTime", "dataVersion")}

    assert exported("pocketmq") == exported("apache")


def test_the_calls_of_the_dashboard_and_the_exporter_return_the_same(swept: Sweep) -> None:
    ours = {name: comparable(name, said) for name, said in swept.our_calls.items()}
    theirs = {name: comparable(name, said) for name, said in swept.their_calls.items()}
    assert len(ours) > 35
    assert ours == theirs


def test_every_command_is_swept_or_left_out_with_a_reason(swept: Sweep) -> None:
    listed = {line.split()[0] for line in swept.commands.splitlines() if line.startswith("   ")}
    run = {step.line.split()[0] for step in (*SETTING_UP, *LOOKING, *CHANGING, *REFUSED_HERE)}
    assert len(listed) > 85
    assert sorted(listed - run - set(LEFT_OUT)) == []
    assert sorted(set(LEFT_OUT) & run) == []
    assert set(LEFT_OUT) <= listed


def test_a_cluster_that_keeps_no_users_says_what_to_set(swept: Sweep) -> None:
    assert "set authenticationMetadataProvider=org.apache." in swept.without_users["apache"]
    assert "set initAuthenticationUser" in swept.without_users["pocketmq"]


def comparable(name: str, said: str) -> object:
    """What is compared of a call's answer."""
    if name.startswith("stats"):
        return re.sub(r"\d+", "N", said)  # one counts at once, the other every ten seconds
    if name == "messageTrackDetail":
        tracks = re.findall(r'"consumerGroup":"(\w+)".*?"trackType":"(\w+)"', said, re.DOTALL)
        # Apache 5.3.3 names a topic itself among the groups that are subscribed to it.
        return [track for track in tracks if track[0] != EVENTS]
    return said
