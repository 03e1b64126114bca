"""Fixtures of the interop suite: a server per module, and drivers that live as long as it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.compat.lanes import LaneKeeper, lane_of
from tests.compat.machines import JAVA, Machines
from tests.compat.table import CELL, ROOT, Keeper, Results, cells
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.driver import Driver
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster, PocketCluster

from pocketmq.admin.access import APACHE_PROVIDERS

HERE = Path(__file__).parent
SECONDS_MAX = 600  # servers and clients may be fetched and built first

_topics = itertools.count(1)
_end_of_lane = pytest.StashKey[ExitStack]()

Drivers = Callable[[Peer, int], Driver]
NewTopic = Callable[[str], str]
Apaches = Callable[[str], apache.ApacheCluster]

# What Apache's brokers have switched off, transactions that are soon asked about, and users.
EVERYTHING = {
    "enablePropertyFilter": "true",
    "recallMessageEnable": "true",
    "timerWheelEnable": "true",
    "traceTopicEnable": "true",
    "transactionTimeOut": 2000,
    "transactionCheckInterval": 2000,
    **APACHE_PROVIDERS,
}


def pytest_configure(config: pytest.Config) -> None:
    """Keep the results, in one process; those against Apache say nothing about PocketMQ."""
    config.stash[_end_of_lane] = ExitStack()
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(LaneKeeper())
    if apache.wanted():
        return
    narrowed = config.option.keyword or config.option.collectonly or config.getoption("lf", False)
    whole = [Path(ROOT, argument) for argument in config.args] == [HERE] and not narrowed
    config.pluginmanager.register(Keeper(Results(is_whole=whole)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here belongs to `make interop` and waits for real clients."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SECONDS_MAX))
            item.user_properties += [(CELL, " ".join(cell)) for cell in cells(item)]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End what a lane has started when its last test is over: idle servers are not free."""
    if nextitem is None or lane_of(nextitem.nodeid) != lane_of(item.nodeid):
        item.config.stash[_end_of_lane].close()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what is left, if the tests were interrupted."""
    if _end_of_lane in config.stash:
        config.stash[_end_of_lane].close()


@pytest.fixture(scope="session")
def end_of_lane(request: pytest.FixtureRequest) -> ExitStack:
    """What is entered here ends with the lane."""
    stack: ExitStack = request.config.stash[_end_of_lane]
    return stack


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


@pytest.fixture(scope="session")
def apaches(tmp_path_factory: pytest.TempPathFactory, end_of_lane: ExitStack) -> Apaches:
    """`apaches(version)`: Apache's servers with everything on, one for all who want a version."""
    running: dict[str, apache.ApacheCluster] = {}

    def started(version: str) -> apache.ApacheCluster:
        if version not in running:
            home = tmp_path_factory.mktemp(f"apache-{version}")
            try:
                cluster = apache.ApacheCluster(home, version, **EVERYTHING)
            except PeerUnavailable as error:
                unavailable(error)
            end_of_lane.callback(running.pop, version)
            end_of_lane.callback(cluster.close)
            running[version] = cluster
            cluster.start()
        return running[version]

    return started


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """What tests start servers of both kinds with, to put them in place of each other."""
    try:
        apache.jars()
        JAVA.command("")
    except PeerUnavailable as error:
        unavailable(error)
    with ExitStack() as exits:
        yield Machines(tmp_path_factory.mktemp("machines"), exits)


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
