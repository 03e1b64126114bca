"""Which tests stay together when several workers share them.

A lane is what one worker does from its first test to its last. Tests are in one lane because they
share servers and drivers that take long to start; tests that share none have lanes of their own.
The longest lanes, which are those of most tests, begin first.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import apache
from tests.support.clients.peers import PEERS

CLIENTS = tuple(peer.name for peer in PEERS)
SERVERS = (apache.VERSION, apache.OLD_VERSION)

BY_PARAMETER = {
    "test_cli_apache": ("sdk", SERVERS),
    "test_clients": ("clients", CLIENTS),
    "test_console_apache": ("sdk", SERVERS),
    "test_explain_apache": ("sdk", SERVERS),
    "test_metrics_apache": ("sdk", SERVERS),
    "test_sdk_apache": ("sdk", SERVERS),
    "test_sdk_groups": ("groups", CLIENTS),
    "test_sdk_plain": ("sdk", SERVERS),
    "test_sdk_producer": ("sdk", SERVERS),
    "test_testing_clients": ("testing", CLIENTS),
}
"""Files whose tests use other servers, or other drivers, for each value of a parameter."""


def lane_of(test: str) -> str:
    """The lane of a test, by the name that pytest has for it."""
    place, _, rest = test.partition("::")
    path = PurePosixPath(place)
    if path.parent.name != "compat":
        return path.parent.name
    lane, values = BY_PARAMETER.get(path.stem, (path.stem, ()))
    parameters = rest.partition("[")[2].rstrip("]")
    for value in values:
        if re.search(rf"(^|-){re.escape(value)}(-|$)", parameters):
            return f"{lane}-{value}"
    return lane


if TYPE_CHECKING:
    Scheduler = Any
else:
    try:
        from xdist.scheduler import LoadScopeScheduling as Scheduler
    except ImportError:
        Scheduler = object


class Lanes(Scheduler):  # type: ignore[misc]
    """Gives workers whole lanes."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


class LaneKeeper:
    """Asks for lanes where workers share the tests by scope."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Lanes | None:
        """The scheduler of a run with workers."""
        return Lanes(config, log) if config.getvalue("dist") == "loadscope" else None
