"""Official clients live through a restart of the broker, and nothing is lost or comes twice.

All clients go through one restart together: some of them sit out the 30 seconds of a pull whose
connection broke before they pull again, whatever the broker.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.compat.conftest import Drivers
from tests.compat.test_clients import bodies, numbered
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster

pytestmark = pytest.mark.timeout(600)

BEFORE = numbered("before", 20)
AFTER = numbered("after", 20)
SEND_TRIES = 30


@dataclass(slots=True)
class Journey:
    """One client on its way through the restart, and what ended it early if anything did."""

    peer: Peer
    topic: str
    driver: Driver | None = None
    broken_by: BaseException | None = None

    def go(self, step: str, drivers: Drivers, cluster: Cluster) -> None:
        """Take a step unless an earlier one failed; each client has its own test to fail in."""
        if self.broken_by is not None:
            return
        try:
            if self.driver is None:
                self.driver = drivers(self.peer, 0)
            getattr(self, step)(self.driver, cluster)
        except (AssertionError, OSError, pytest.fail.Exception, pytest.skip.Exception) as error:
            self.broken_by = error

    def depart(self, driver: Driver, cluster: Cluster) -> None:
        """One group reads all and stays; another reads all and leaves."""
        raw.create_topic(cluster.name_server, cluster.broker, self.topic)
        driver.send(self.topic, BEFORE)
        for name in ("stays", "leaves"):
            driver.start_consumer(name, f"{name}_{self.topic}", self.topic)
            driver.wait_for(name, len(BEFORE))
        if not self.peer.commits_at_shutdown:
            self._wait_committed(cluster)
        driver.stop_consumer("leaves")
        self._wait_committed(cluster)

    def send_again(self, driver: Driver, cluster: Cluster) -> None:
        """Send, again and again while the client still finds its connections broken."""
        for body in AFTER:
            for _ in range(SEND_TRIES):
                try:
                    driver.send(self.topic, [body])
                except DriverFailed as error:
                    failure = error
                else:
                    break
            else:
                raise failure

    def arrive(self, driver: Driver, cluster: Cluster) -> None:
        """The group that stayed goes on; the one that left comes back to where it was."""
        driver.wait_for("stays", len(BEFORE) + len(AFTER))
        driver.stop_consumer("stays")
        driver.start_consumer("returns", f"leaves_{self.topic}", self.topic)
        driver.wait_for("returns", len(AFTER))
        driver.stop_consumer("returns")

    def _wait_committed(self, cluster: Cluster) -> None:
        raw.wait_until(
            lambda: (
                raw.committed(cluster.broker, f"leaves_{self.topic}", self.topic) == len(BEFORE)
            ),
            30,
            "the offsets of the group that leaves",
        )


@pytest.fixture(scope="module")
def journeys(cluster: Cluster, drivers: Drivers) -> dict[str, Journey]:
    """Every client, taken through one restart."""
    found = [Journey(peer, f"restart_{peer.name}".replace(".", "_")) for peer in PEERS]
    for journey in found:
        journey.go("depart", drivers, cluster)
    cluster.stop()
    cluster.start()
    for step in ("send_again", "arrive"):
        for journey in found:
            journey.go(step, drivers, cluster)
    return {journey.peer.name: journey for journey in found}


@pytest.mark.model("restart")
def test_consumers_go_on_after_a_restart_of_the_broker(
    peer: Peer, journeys: dict[str, Journey]
) -> None:
    journey = journeys[peer.name]
    if journey.broken_by is not None:
        raise journey.broken_by
    assert journey.driver is not None

    assert bodies(journey.driver.received("stays")) == sorted(BEFORE + AFTER)
    assert bodies(journey.driver.received("returns")) == sorted(AFTER)
