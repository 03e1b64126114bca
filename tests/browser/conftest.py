"""A browser, a console and a cluster for the tests that use the console as a person would.

They need Debian's Chromium (`apt install chromium`) and playwright from PyPI, and skip with that
reason where either is missing; with CI=true that is an error. Pictures of every page are kept in
`build/pictures/`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser.chromium import Missing, Visitor, axe_source, chromium
from tests.browser.stage import Stage, stage, traffic

PICTURES = Path(__file__).parent.parent.parent / "build" / "pictures"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here are browser tests and have five minutes, a safety net only."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300, func_only=True))


@pytest.fixture(autouse=True)
def _no_leaked_resources() -> None:
    """Stand in for the check of single tests: this cluster outlives them, and the browser's
    connections to it end when the browser likes."""


@pytest.fixture(scope="session")
def shared_stage() -> Iterator[Stage]:
    """One cluster with traffic for all tests; each test has topics and groups of its own in it."""
    with stage() as built, traffic(built):
        yield built


@pytest.fixture(scope="session")
def visitor() -> Iterator[Visitor]:
    """One browser for all tests."""
    try:
        with chromium(PICTURES) as found:
            yield found
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, the checker of accessibility."""
    try:
        return axe_source()
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
