"""Ordered messages of the Go and the C++ client; the Node client knows no locks."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.compat.models.clients import CPP, GO
from tests.compat.models.stage import Stage, tried_with
from tests.compat.models.test_ordered import assert_in_order, heard_by_key, send_round
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed
from tests.support.clients.servers import Cluster, PocketCluster

SHARDS = ("a", "b", "c", "d")


@tried_with("ordered", peers=[GO, CPP])
def test_a_queue_waits_for_a_message_its_orderly_listener_refused(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("suspend")
    messages = [{"body": f"{shard}-{n}", "shard": shard} for n in range(6) for shard in SHARDS]
    driver.request("send", topic=topic, messages=messages)
    refuse = {"a-2": 2, "b-4": 1}
    driver.start_consumer(topic, topic, topic, listener="orderly", refuse=refuse, suspend_ms=200)
    received = driver.wait_for(topic, len(messages) + 3)
    driver.stop_consumer(topic)

    heard = [m["body"] for m in received]
    want = {shard: [f"{shard}-{n}" for n in range(6)] for shard in SHARDS}
    want["a"][2:3] = ["a-2"] * 3
    want["b"][4:5] = ["b-4"] * 2
    assert {s: [body for body in heard if body[0] == s] for s in SHARDS} == want


@pytest.mark.skipif(apache.wanted(), reason="sets how long a lock lasts, a system property there")
@tried_with("ordered", "restart", peers=[GO, CPP], slow=True)
def test_order_is_kept_while_members_come_and_go_and_the_broker_restarts(stage: Stage) -> None:
    with TemporaryDirectory(ignore_cleanup_errors=True) as home, ExitStack() as exits:
        # The Go client leaves the locks of queues that it gives away to run out.
        cluster = PocketCluster(Path(home), "rocketmq.broker.rebalance.lockMaxLiveTime=1000")
        exits.callback(cluster.process.kill)
        cluster.start()
        command = stage.peer.command(cluster.name_server)
        drivers = [
            Driver(f"{stage.peer.name}-ordered-{n}", command, Path(home) / f"driver-{n}")
            for n in range(3)
        ]
        for driver in drivers:
            exits.callback(driver.close)
        heard, sent = Members(cluster, drivers).go()
    assert heard, "keys were heard"
    for numbers in heard.values():
        assert_in_order(numbers, sent)


class Members:
    """Two members of a group and a producer, on their way through joins, leaves and a restart."""

    def __init__(self, cluster: Cluster, drivers: list[Driver]) -> None:
        self._cluster = cluster
        *self._members, self._producer = drivers
        self._sent = 0

    def go(self) -> tuple[dict[str, list[int]], int]:
        """Return what was heard by key, and how many rounds were sent. Fail when any is missing."""
        first, second = self._members
        raw.create_topic(self._cluster.name_server, self._cluster.broker, "ordered")
        self._send(3)
        self._join(first)
        self._all_heard()
        self._join(second)
        self._send_until_heard(second)
        first.stop_consumer("ordered")
        self._send(3)
        self._all_heard()
        self._join(first)
        self._send_until_heard(first)
        self._cluster.stop()
        self._cluster.start()
        self._send(3)
        self._all_heard()
        heard = heard_by_key(self._members, "ordered")
        for member in self._members:
            member.stop_consumer("ordered")
        return heard, self._sent

    def _join(self, member: Driver) -> None:
        member.start_consumer("ordered", "ordered", "ordered", listener="orderly")

    def _send(self, rounds: int) -> None:
        """Send rounds, each again and again while the client finds its connection broken."""
        for _ in range(rounds):
            for _ in range(30):
                try:
                    send_round(self._producer, "ordered", self._sent)
                except DriverFailed as error:
                    failure = error
                else:
                    break
            else:
                raise failure
            self._sent += 1

    def _send_until_heard(self, member: Driver) -> None:
        """Until this member has queues of its own."""
        before = len(member.received("ordered"))
        deadline = time.monotonic() + 60
        while len(member.received("ordered")) == before:
            assert time.monotonic() < deadline, f"{member.name} was never given a queue"
            self._send(1)
            member.wait_for("ordered", before + 1, seconds=0.5)
        self._all_heard()

    def _all_heard(self) -> None:
        """Until nothing that was sent is missing."""
        wanted = set(range(self._sent))
        raw.wait_until(
            lambda: all(
                set(numbers) == wanted
                for numbers in heard_by_key(self._members, "ordered").values()
            ),
            90,
            "the messages of all keys",
        )
