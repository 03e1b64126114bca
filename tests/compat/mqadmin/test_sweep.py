"""Apache's mqadmin prints the same in front of us as in front of Apache, on the same messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.compat.mqadmin.clusters import Sweep
from tests.compat.mqadmin.commands import CHANGING, LOOKING, REFUSED_HERE, SETTING_UP, Step

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
