"""Fixtures of the message models: one server for all of them, and drivers that live as long.

They have the names of the fixtures one folder up, so a test reads the same in both places.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.compat.conftest import Drivers, apache_cluster, driver_pool
from tests.compat.models.stage import SideBySide, is_slow
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the slow scenarios last."""
    here = Path(__file__).parent
    places = [place for place, item in enumerate(items) if here in item.path.parents]
    ordered = sorted((items[place] for place in places), key=is_slow)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, end_of_lane: ExitStack) -> Cluster:
    """A name server and a broker with every model switched on."""
    return end_of_lane.enter_context(_cluster(tmp_path_factory))


@pytest.fixture(scope="session")
def drivers(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, end_of_lane: ExitStack
) -> Drivers:
    """`drivers(peer, n)`: the n-th driver process of a client, started when first asked for."""
    return end_of_lane.enter_context(driver_pool(cluster, tmp_path_factory))


@pytest.fixture(scope="session")
def side_by_side(
    cluster: Cluster,
    drivers: Drivers,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> SideBySide:
    """Plays a scenario for all selected clients at once."""

    @contextmanager
    def another(**settings: str) -> Iterator[tuple[Cluster, Drivers]]:
        with (
            _cluster(tmp_path_factory, **settings) as own,
            driver_pool(own, tmp_path_factory) as pool,
        ):
            yield own, pool

    return SideBySide(cluster, drivers, another, request.session.items)


@contextmanager
def _cluster(tmp_path_factory: pytest.TempPathFactory, **settings: str) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("models")
    settings = {**SETTINGS, **settings}
    if apache.wanted():
        yield from apache_cluster(home, **settings, timerWheelEnable="true")
        return
    pocket = PocketCluster(home, *(f"{name}={value}" for name, value in settings.items()))
    try:
        pocket.start()
        yield pocket
    finally:
        pocket.process.stop()
