"""Every example in a docstring of the SDK runs and gives what it says."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import pocketmq

SOURCE = Path(pocketmq.__file__).parent
MODULES = [
    ".".join(("pocketmq", *path.relative_to(SOURCE).with_suffix("").parts))
    for folder in ("client", "security")
    for path in sorted((SOURCE / folder).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def test_there_are_examples() -> None:
    assert len(MODULES) > 8


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name))
    assert tried > 0
    assert failed == 0
