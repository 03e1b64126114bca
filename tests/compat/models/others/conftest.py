"""One server for the models as the Go, Node and C++ clients have them.

These clients cannot choose the level at which a refused message comes back, and the Go client
leaves the locks of the queues it gives away to run out. So levels and locks are short here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.compat.conftest import Drivers, apache_cluster, driver_pool
from tests.compat.models.conftest import SETTINGS
from tests.support import apache
from tests.support.clients.servers import Cluster, PocketCluster

LEVELS = ["1s", "2s", *["1s"] * 16]
SHORT = {
    "messageDelayLevel": " ".join(LEVELS),
    "rocketmq.broker.rebalance.lockMaxLiveTime": "1000",
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A name server and a broker with every model switched on and short waits."""
    home = tmp_path_factory.mktemp("others")
    settings = SETTINGS | SHORT
    if apache.wanted():
        yield from apache_cluster(home, **settings, timerWheelEnable="true")
        return
    pocket = PocketCluster(home, *(f"{name}={value}" for name, value in settings.items()))
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
