"""Users and rules from the command line, in front of brokers of both kinds that ask who calls."""

from __future__ import annotations

import pytest
from tests.compat.access.guarded import KINDS, ROOT, Guarded
from tests.support.cli_access_suite import *  # noqa: F403 - the tests to run
from tests.support.cli_suite import Cli


@pytest.fixture(scope="module", params=KINDS)
def name_server(request: pytest.FixtureRequest, both: dict[str, Guarded]) -> str:
    return both[request.param].name_server


@pytest.fixture
def call(
    name_server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    monkeypatch.setenv("ROCKETMQ_ACCESS_KEY", ROOT.access_key)
    monkeypatch.setenv("ROCKETMQ_SECRET_KEY", ROOT.secret_key)
    return Cli(name_server, capsys, monkeypatch)
