"""The command line on Apache's cluster: the same checks as on ours."""

from __future__ import annotations

import pytest
from tests.compat.conftest import Apaches
from tests.support import apache
from tests.support.cli_suite import *  # noqa: F403 - the tests to run
from tests.support.cli_suite import Cli


@pytest.fixture(scope="module")
def name_server(apaches: Apaches) -> str:
    return apaches(apache.VERSION).name_server


@pytest.fixture
def call(
    name_server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    return Cli(name_server, capsys, monkeypatch)
