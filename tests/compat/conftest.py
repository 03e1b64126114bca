"""Fixtures of the interop suite: a server per module, and drivers that live as long as it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.driver import Driver
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster, PocketCluster

_topics = itertools.count(1)

Drivers = Callable[[Peer, int], Driver]
NewTopic = Callable[[str], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here belongs to `make interop` and waits for real clients."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.interop)


def unavailable(error: PeerUnavailable) -> None:
    """Skip on a user's machine; fail in CI, which installs every peer."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have every peer: {error}", pytrace=False)
    pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _no_leaked_resources() -> None:
    """Drivers and servers outlive a test here, so what a single test leaves open says nothing."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running name server and broker: PocketMQ, or Apache when POCKETMQ_INTEROP_TARGET=apache."""
    home = tmp_path_factory.mktemp("cluster")
    if apache.wanted():
        yield from _apache(home)
        return
    pocket = PocketCluster(home)
    try:
        pocket.start()
        yield pocket
    finally:
        pocket.process.stop()


def _apache(home: Path) -> Iterator[Cluster]:
    try:
        cluster = apache.ApacheCluster(home)
    except PeerUnavailable as error:
        unavailable(error)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def drivers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drivers]:
    """`drivers(peer, n)`: the n-th driver process of a client, started when first asked for."""
    running: dict[tuple[str, int], Driver] = {}

    def driver(peer: Peer, number: int = 0) -> Driver:
        key = (peer.name, number)
        if key not in running:
            try:
                command = peer.command(cluster.name_server)
            except PeerUnavailable as error:
                unavailable(error)
            name = f"{peer.name}-{number}"
            running[key] = Driver(name, command, tmp_path_factory.mktemp(name))
        return running[key]

    yield driver
    for started in running.values():
        started.begin_close()
    for started in running.values():
        started.close()


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Peer:
    """Each official client in turn."""
    chosen: Peer = request.param
    return chosen


@pytest.fixture
def new_topic(cluster: Cluster) -> NewTopic:
    """`new_topic(stem)`: create a topic of four queues and return its name."""

    def create(stem: str) -> str:
        topic = f"{stem}_{next(_topics)}"
        raw.create_topic(cluster.name_server, cluster.broker, topic)
        return topic

    return create
