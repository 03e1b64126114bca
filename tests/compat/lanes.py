"""Which tests stay together when several workers share them.

A lane is what one worker does from its first test to its last. Tests are in one lane because they
share servers and drivers that take long to start; tests that share none have lanes of their own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.clients.peers import Peer

HERE = Path(__file__).parent

BY_PARAMETER = {
    "test_clients": ("clients", "peer"),
    "test_explain_apache": ("sdk", "told"),
    "test_metrics_apache": ("sdk", "version"),
    "test_sdk_apache": ("sdk", "outcomes"),
    "test_sdk_groups": ("groups", "peer"),
    "test_sdk_plain": ("sdk", "server"),
    "test_sdk_producer": ("sdk", "server"),
    "test_testing_clients": ("testing", "peer"),
}
"""Files whose tests use other servers, or other drivers, for each value of a parameter."""


def lane_of(item: pytest.Item) -> str:
    """The lane of a test."""
    if item.path.parent != HERE:
        return item.path.relative_to(HERE).parts[0]
    lane, parameter = BY_PARAMETER.get(item.path.stem, (item.path.stem, ""))
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get(parameter) if callspec is not None else None
    if value is None:
        return lane
    return f"{lane}-{value.name if isinstance(value, Peer) else value}"
