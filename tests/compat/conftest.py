"""Fixtures of the interop suite: a server per module, and drivers that live as long as it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.compat.table import ROOT, Results
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.driver import Driver
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster, PocketCluster

_topics = itertools.count(1)
_results = pytest.StashKey[Results]()

Drivers = Callable[[Peer, int], Driver]
NewTopic = Callable[[str], str]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything here belongs to `make interop` and waits for real clients."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.interop)
    narrowed = config.option.keyword or config.option.collectonly
    whole = [Path(ROOT, argument) for argument in config.args] == [here] and not narrowed
    config.stash[_results] = Results(is_whole=whole)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what became of a test for the table of clients and models."""
    report = yield
    item.config.stash[_results].take(item, report)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the results; those against Apache say nothing about PocketMQ."""
    if _results in session.config.stash and not apache.wanted():
        results = session.config.stash[_results]
        results.is_whole &= exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        results.save()


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
        yield from apache_cluster(home)
        return
    pocket = PocketCluster(home)
    try:
        pocket.start()
        yield pocket
    finally:
        pocket.process.stop()


def apache_cluster(home: Path, **settings: object) -> Iterator[Cluster]:
    """An Apache name server and broker, for as long as a fixture lasts."""
    try:
        cluster = apache.ApacheCluster(home, **settings)
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
    with driver_pool(cluster, tmp_path_factory) as pool:
        yield pool


@contextmanager
def driver_pool(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drivers]:
    """The driver processes that work on one cluster; all end with the block."""
    running: dict[tuple[str, int], Driver] = {}

    def driver(peer: Peer, number: int = 0) -> Driver:
        key = (peer.name, number)
        if key not in running or running[key].has_ended:
            try:
                command = peer.command(cluster.name_server)
            except PeerUnavailable as error:
                unavailable(error)
            name = f"{peer.name}-{number}"
            running[key] = Driver(name, command, tmp_path_factory.mktemp(name))
        return running[key]

    try:
        yield driver
    finally:
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
