"""The command line on Apache's clusters of both generations: the same checks as on ours."""

from __future__ import annotations

import pytest
from tests.compat.conftest import Apaches
from tests.support import apache
from tests.support.cli_access_suite import *  # noqa: F403 - the tests to run
from tests.support.cli_suite import *  # noqa: F403 - the tests to run
from tests.support.cli_suite import Cli


@pytest.fixture(scope="module", params=[apache.VERSION, apache.OLD_VERSION])
def name_server(request: pytest.FixtureRequest, apaches: Apaches) -> str:
    return apaches(request.param).name_server


@pytest.fixture
def call(
    name_server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    return Cli(name_server, capsys, monkeypatch)
