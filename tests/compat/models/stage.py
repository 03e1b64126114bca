"""Scenarios that every client plays, all clients at the same time.

Most of what a model promises takes its time: a delay, a lease, a check-back. So a test here is a
scenario for one client, and the first client's test starts it for all that were selected, each on a
thread with drivers of its own; the tests of the others only look how theirs ended. A slow scenario
starts with the first of all, plays behind the others with more drivers, and is looked at last.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest
from tests.compat.table import peers_of
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.driver import Driver, Json
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster

Drivers = Callable[[Peer, int], Driver]
Clusters = Callable[..., AbstractContextManager[tuple[Cluster, Drivers]]]
Scenario = Callable[["Stage"], None]

SCENARIO_SECONDS_MAX = 400
SLOW_AT_ONCE = 5
DRIVERS_MAX = 10  # of one client in one scenario

_topics = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Stage:
    """What one client has for its scenario."""

    peer: Peer
    cluster: Cluster
    _drivers: Drivers
    _clusters: Clusters
    _first_driver: int = 0

    def driver(self, number: int = 0) -> Driver:
        """The client's driver process of this number."""
        return self._drivers(self.peer, self._first_driver + number)

    @contextmanager
    def alone(self, **settings: str) -> Iterator[Stage]:
        """A stage with a cluster of its own, which may be killed and has settings of its own."""
        with self._clusters(**settings) as (cluster, drivers):
            yield Stage(self.peer, cluster, drivers, self._clusters)

    def topic(self, stem: str, queues: int = 4) -> str:
        """Create a topic and return its name, which fits a group too."""
        name = f"{stem}_{self.peer.name.replace('.', '_')}_{next(_topics)}"
        raw.create_topic(self.cluster.name_server, self.cluster.broker, name, queues)
        return name

    def retry_topic(self, group: str) -> None:
        """Create a group's retry topic before its first consumer does.

        A consumer that starts with its group may find the retry topic's queue only when it looks
        again for queues, 20 seconds later.
        """
        raw.create_topic(self.cluster.name_server, self.cluster.broker, f"%RETRY%{group}", 1)

    def wait_until_joined(self, group: str, members: int) -> None:
        """Wait until the broker counts so many members to a group."""
        raw.wait_until(
            lambda: len(raw.consumers_of(self.cluster.broker, group)) == members,
            30,
            f"{members} members of {group}",
        )


@dataclass(slots=True)
class SideBySide:
    """Plays scenarios for all selected clients at once, and keeps how each ended."""

    cluster: Cluster
    drivers: Drivers
    clusters: Clusters
    items: Iterable[pytest.Item]
    _ended: dict[tuple[str, str], Future[None]] = field(default_factory=dict)

    def play(self, name: str, scenario: Scenario, peer: Peer) -> None:
        """Play a scenario, if it was not yet, and raise what went wrong for one client."""
        if not self._ended:
            self._start_slow_ones()
        if (name, peer.name) not in self._ended:
            self._start(name, scenario, [peer, *self._others(name, peer)])
        self._ended[name, peer.name].result(SCENARIO_SECONDS_MAX)

    def _start_slow_ones(self) -> None:
        """Queue all slow scenarios; few play at once, each with drivers nobody else has."""
        slow: dict[str, Scenario] = {}
        for item in self.items:
            if is_slow(item):
                slow[name_of(item)] = item.function.scenario  # type: ignore[attr-defined]
        first_drivers: SimpleQueue[int] = SimpleQueue()
        for number in range(SLOW_AT_ONCE):
            first_drivers.put(DRIVERS_MAX * (number + 1))

        def play(scenario: Scenario, peer: Peer) -> None:
            first_driver = first_drivers.get()
            try:
                scenario(self._stage(peer, first_driver))
            finally:
                first_drivers.put(first_driver)

        pool = ThreadPoolExecutor(SLOW_AT_ONCE, thread_name_prefix="slow-scenario")
        for name, scenario in slow.items():
            for peer in self._others(name):
                self._ended[name, peer.name] = pool.submit(play, scenario, peer)
        pool.shutdown(wait=False)

    def _start(self, name: str, scenario: Scenario, peers: list[Peer]) -> None:
        pool = ThreadPoolExecutor(len(peers), thread_name_prefix="scenario")
        for peer in peers:
            self._ended[name, peer.name] = pool.submit(scenario, self._stage(peer))
        pool.shutdown(wait=False)

    def _stage(self, peer: Peer, first_driver: int = 0) -> Stage:
        return Stage(peer, self.cluster, self.drivers, self.clusters, first_driver)

    def _others(self, name: str, peer: Peer | None = None) -> list[Peer]:
        """The other clients that were selected for a scenario."""
        found = {}
        for item in self.items:
            callspec = getattr(item, "callspec", None)
            if callspec is not None and name_of(item) == name:
                found[callspec.params["peer"].name] = callspec.params["peer"]
        if peer is not None:
            found.pop(peer.name, None)
        return list(found.values())


def name_of(item: pytest.Item) -> str:
    """A test's name without its parameters, with the file it is in."""
    return item.nodeid.partition("[")[0]


def is_slow(item: pytest.Item) -> bool:
    """Whether a test's scenario plays in the background."""
    return getattr(getattr(item, "function", None), "is_slow", False)


def tried_with(
    *models: str,
    peers: Iterable[Peer] | None = None,
    slow: bool = False,
    not_apache: str | None = None,
) -> Callable[[Scenario], Any]:
    """Make a scenario a test, with each client that can try all these models.

    `not_apache` says why it would fail in front of an Apache broker, where we mean to be better.
    """
    able = [peer for peer in PEERS if all(peer in peers_of(model) for model in models)]
    chosen = able if peers is None else list(peers)

    def decorate(scenario: Scenario) -> Any:
        @pytest.mark.model(*models)
        @pytest.mark.timeout(SCENARIO_SECONDS_MAX + 30)
        @pytest.mark.parametrize("peer", chosen, ids=lambda peer: peer.name)
        def test(peer: Peer, side_by_side: SideBySide, request: pytest.FixtureRequest) -> None:
            if not_apache and apache.wanted():
                pytest.skip(not_apache)
            side_by_side.play(name_of(request.node), scenario, peer)

        test.__name__ = scenario.__name__
        test.__doc__ = scenario.__doc__
        test.scenario, test.is_slow = scenario, slow  # type: ignore[attr-defined]
        return test

    return decorate


def numbered(stem: str, count: int, first: int = 0) -> list[str]:
    """Bodies that can be told apart."""
    return [f"{stem}-{n}" for n in range(first, first + count)]


def bodies(messages: Iterable[Json]) -> list[str]:
    """The bodies of messages, sorted: which, not in what order."""
    return sorted(message["body"] for message in messages)
