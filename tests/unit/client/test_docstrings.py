"""Every example in a docstring of the SDK runs and gives what it says.

`address` in an example is a name server's, as "127.0.0.1:9876".
"""

from __future__ import annotations

import asyncio
import doctest
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import pocketmq
from pocketmq.blocking import close_all
from pocketmq.testing import broker

SOURCE = Path(pocketmq.__file__).parent
MODULES = [
    ".".join(("pocketmq", *path.relative_to(SOURCE).with_suffix("").parts))
    for folder in ("client", "security")
    for path in sorted((SOURCE / folder).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


PUBLIC = ("Producer", "Consumer", "PopConsumer", "PullConsumer", "LitePullConsumer")


@pytest.fixture
def address() -> Iterator[str]:
    with broker() as rocketmq:
        yield rocketmq.address


@pytest.mark.parametrize("name", PUBLIC)
def test_clients_show_how_they_are_used(name: str) -> None:
    assert ">>> " in getattr(pocketmq, name).__doc__


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, address: str) -> None:
    known = {"address": address, "asyncio": asyncio, "pocketmq": pocketmq}
    try:
        failed, tried = doctest.testmod(import_module(name), extraglobs=known)
    finally:
        close_all()
    assert tried > 0
    assert failed == 0
