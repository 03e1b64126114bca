"""Interop tests that share servers are in one lane, those that share none in lanes of their own."""

from __future__ import annotations

import pytest
from tests.compat.lanes import lane_of

MODELS = "tests/compat/models/test_pop.py::test_members_share"


@pytest.mark.parametrize(
    ("test", "lane"),
    [
        (f"{MODELS}[java-5.3.3]", "models"),
        (f"{MODELS}[go]", "models"),
        ("tests/compat/test_clients.py::test_tags[java-4.9.8]", "clients-java-4.9.8"),
        ("tests/compat/test_clients.py::test_send[go-sync]", "clients-go"),
        ("tests/compat/test_clients.py::test_every_language", "clients"),
        ("tests/compat/test_sdk_groups.py::test_share[orderly-java-5.3.3]", "groups-java-5.3.3"),
        ("tests/compat/test_sdk_plain.py::test_plain_pops[5.3.3]", "sdk-5.3.3"),
        ("tests/compat/test_sdk_apache.py::test_promise[5.3.3-delays]", "sdk-5.3.3"),
        ("tests/compat/test_sdk_plain.py::test_plain_pops[pocketmq]", "sdk"),
        ("tests/compat/test_restart.py::test_restart[go]", "test_restart"),
    ],
)
def test_the_lane_of_a_test(test: str, lane: str) -> None:
    assert lane_of(test) == lane
