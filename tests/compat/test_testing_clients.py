"""The broker of `pocketmq.testing` with the official clients: settling, journeys and faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.compat.conftest import unavailable
from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.driver import Driver, DriverFailed
from tests.support.clients.peers import Peer

from pocketmq.testing import LocalBroker

# These clients commit what they have consumed every five seconds, and some tell nothing before.
SETTLE_SECONDS = 90
# What this client calls a failed message comes again at once, without being sent back.
RETRIES_IN_THE_CLIENT = {"node"}


@pytest.fixture
def driver(peer: Peer, rocketmq: LocalBroker, tmp_path: Path) -> Iterator[Driver]:
    """A driver process of one client, working on the test's own broker."""
    try:
        command = peer.command(rocketmq.address)
    except PeerUnavailable as error:
        unavailable(error)
    started = Driver(peer.name, command, tmp_path)
    try:
        yield started
    finally:
        started.begin_close()
        started.close()


@pytest.mark.timeout(600)
def test_settling_and_moving_the_clock_work_with_every_client(
    driver: Driver, peer: Peer, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders")
    rocketmq.clock.freeze()  # settling may take longer than the first retry
    refuse = {} if peer.name in RETRIES_IN_THE_CLIENT else {"failing": 2}
    driver.start_consumer("till", "billing", "orders", refuse=refuse)
    rocketmq.settle(timeout=SETTLE_SECONDS)
    driver.send("orders", ["plain", "failing"])
    rocketmq.settle(timeout=SETTLE_SECONDS)
    rocketmq.assert_consumed("orders", "plain", by="billing", count=1)
    if refuse:
        with pytest.raises(AssertionError, match="failed once; its next try is due in"):
            rocketmq.assert_consumed("orders", "failing", by="billing")
    rocketmq.clock.advance(minutes=2, timeout=SETTLE_SECONDS)
    rocketmq.assert_consumed("orders", by="billing", count=2)
    assert driver.bodies("till").count("failing") == 1 + sum(refuse.values())
    # Some clients try again by themselves, others report the refusal.
    with rocketmq.faults.refuse("send", times=1) as refused, suppress(DriverFailed):
        driver.send("orders", ["refused"])
    assert refused.hits == 1
    driver.send("orders", ["taken"])
    rocketmq.assert_sent("orders", "taken", count=1)
