"""Fixtures of the message models: one server for all of them, and drivers that live as long.

They have the names of the fixtures one folder up, so a test reads the same in both places.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.compat.conftest import Drivers, apache_cluster, driver_pool
from tests.support import apache
from tests.support.clients.servers import Cluster, PocketCluster

# What is off by default, and a transaction that is asked about after a second, not thirty.
SETTINGS = {
    "enablePropertyFilter": "true",
    "recallMessageEnable": "true",
    "traceTopicEnable": "true",
    "transactionTimeOut": "1000",
    "transactionCheckInterval": "1000",
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A name server and a broker with every model switched on."""
    home = tmp_path_factory.mktemp("models")
    if apache.wanted():
        yield from apache_cluster(home, **SETTINGS, timerWheelEnable="true")
        return
    pocket = PocketCluster(home, *(f"{name}={value}" for name, value in SETTINGS.items()))
    try:
        pocket.start()
        yield pocket
    finally:
        pocket.process.stop()


@pytest.fixture(scope="session")
def drivers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drivers]:
    """`drivers(peer, n)`: the n-th driver process of a client, started when first asked for."""
    with driver_pool(cluster, tmp_path_factory) as pool:
        yield pool
