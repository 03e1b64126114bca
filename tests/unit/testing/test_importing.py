"""What loading the plugin costs people who have it installed and do not use it."""

from __future__ import annotations

import subprocess
import sys

import pocketmq.testing

LOADED = """
import sys, pytest
before = set(sys.modules)
import pocketmq.testing.plugin
print(*sorted(name for name in set(sys.modules) - before))
"""


def test_loading_the_plugin_loads_nothing_else() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    light = ["pocketmq", "pocketmq.lazy", "pocketmq.testing", "pocketmq.testing.plugin"]
    assert ran.stdout.split() == light


def test_every_public_name_is_there() -> None:
    for name in pocketmq.testing.__all__:
        assert getattr(pocketmq.testing, name).__name__ == name
    assert "nothing" not in dir(pocketmq.testing)
