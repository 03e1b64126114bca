"""The tests in the tutorial and in the README work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pocketmq.testing import broker

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "testing.md"
INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
QUIET = ("-p", "no:cacheprovider", "-W", "error")

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.timeout(180)  # each is a run of pytest


@pytest.mark.parametrize("page", [TUTORIAL, ROOT / "README.md"], ids=["tutorial", "readme"])
def test_what_is_printed_works(page: Path, pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    tests = [block for block in blocks if "def test_" in block and "rocketmq" in block]
    assert tests, "no test is printed there any more"
    for number, block in enumerate(tests):
        (pytester.path / f"test_block_{number}.py").write_text(block)
    pytester.makeini(INI)
    with broker():
        result = pytester.runpytest_inprocess(*QUIET, "--strict-markers")
    result.assert_outcomes(passed="".join(tests).count("def test_"))
