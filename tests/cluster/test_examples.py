"""The programs of examples/python do what the tutorials say they do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pocketmq.testing import broker

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "python").glob("*.py"))
SETTINGS = {"enablePropertyFilter": True, "recallMessageEnable": True}
PRINTED = re.compile(
    r"examples/python/(?P<name>\w+\.py)\):\n\n```python\n.*?^```\n\n"
    r"It prints\n\n```text\n(?P<text>.*?)^```\n",
    re.DOTALL | re.MULTILINE,
)


def told() -> dict[str, str]:
    """What each example prints, by the tutorials."""
    found = {}
    for path in sorted((ROOT / "docs" / "tutorials").glob("*.md")):
        for match in PRINTED.finditer(path.read_text(encoding="utf-8")):
            found[match["name"]] = match["text"]
    return found


def test_every_example_is_in_a_tutorial() -> None:
    assert {path.name for path in EXAMPLES} == set(told())


ANOTHER_BUILD = bool(os.environ.get("POCKETMQ_PURE") or os.environ.get("PYTHONASYNCIODEBUG"))


@pytest.mark.skipif(ANOTHER_BUILD, reason="examples wait a lot, so they run with one build only")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_its_tutorial_says(path: Path, tmp_path: Path) -> None:
    with broker(SETTINGS) as rocketmq:
        finished = subprocess.run(
            [sys.executable, str(path), rocketmq.address],
            capture_output=True,
            text=True,
            timeout=50,
            env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == told()[path.name]


def readme_programs() -> list[str]:
    """The Python programs of the README that name a server."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for block in blocks if "127.0.0.1:9876" in block]


@pytest.mark.timeout(180)
def test_what_the_readme_sends_its_consumer_gets() -> None:
    sending, consuming = readme_programs()
    with broker() as rocketmq:
        sending, consuming = (
            program.replace("127.0.0.1:9876", rocketmq.address) for program in (sending, consuming)
        )
        sent = subprocess.run(
            [sys.executable, "-c", sending], capture_output=True, text=True, timeout=30, check=False
        )
        assert sent.stdout.startswith("stored as "), sent.stderr
        command = [sys.executable, "-u", "-c", consuming]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    # Handlers print on threads, so that words of two lines may change places.
    wanted = [
        " is it still warm? attempt 1\n",
        " paid attempt 1\n",
        "new two pizzas attempt 1\n",
    ]
    assert sorted("".join(lines)) == sorted("".join(wanted))
