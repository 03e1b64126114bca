"""The command line on PocketMQ's own cluster; tests/compat runs the same on Apache's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.cli_suite import *  # noqa: F403 - the tests to run
from tests.support.cli_suite import Cli

from pocketmq.testing import broker


@pytest.fixture(autouse=True)
def _no_leaked_resources() -> None:
    """The broker outlives a test here, so what a single test leaves open says nothing."""


@pytest.fixture(scope="module")
def name_server() -> Iterator[str]:
    with broker({"enablePropertyFilter": True}) as running:
        yield running.address


@pytest.fixture
def call(
    name_server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    return Cli(name_server, capsys, monkeypatch)
