"""Official clients live through a restart of the broker, and nothing is lost or comes twice."""

from __future__ import annotations

import pytest
from tests.compat.conftest import Drivers, NewTopic
from tests.compat.test_clients import bodies, numbered
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed
from tests.support.clients.peers import Peer
from tests.support.clients.servers import Cluster

pytestmark = pytest.mark.timeout(180)


def test_consumers_go_on_after_a_restart_of_the_broker(
    peer: Peer, drivers: Drivers, new_topic: NewTopic, cluster: Cluster
) -> None:
    driver, topic = drivers(peer, 0), new_topic("restart")
    leaver = f"leaver_{topic}"
    before = numbered("before", 20)
    driver.send(topic, before)
    driver.start_consumer("stays", f"group_{topic}", topic)
    driver.wait_for("stays", len(before))
    # A second group reads all and leaves: how far it came must be remembered.
    driver.start_consumer("leaves", leaver, topic)
    driver.wait_for("leaves", len(before))
    if not peer.commits_at_shutdown:
        _wait_committed(cluster, leaver, topic, len(before))
    driver.stop_consumer("leaves")
    _wait_committed(cluster, leaver, topic, len(before))

    cluster.stop()
    cluster.start()
    after = numbered("after", 20)
    for body in after:
        _send_until_stored(driver, topic, body)
    raw.wait_until(lambda: set(after) <= set(driver.bodies("stays")), 60, "the later messages")
    driver.wait_for("stays", 0)
    driver.stop_consumer("stays")
    driver.start_consumer("returns", leaver, topic)
    returned = driver.wait_for("returns", len(after))
    driver.stop_consumer("returns")

    assert bodies(driver.received("stays")) == sorted(before + after)
    assert bodies(returned) == sorted(after)


def _wait_committed(cluster: Cluster, group: str, topic: str, count: int) -> None:
    raw.wait_until(
        lambda: raw.committed(cluster.broker, group, topic) == count, 30, f"{count} committed"
    )


def _send_until_stored(driver: Driver, topic: str, body: str) -> None:
    """Send again while the client still finds its connections broken."""
    for _ in range(30):
        try:
            driver.send(topic, [body])
        except DriverFailed as error:
            failure = error
        else:
            return
    raise failure
