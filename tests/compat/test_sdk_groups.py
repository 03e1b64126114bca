"""Java consumers and ours in one group: they share queues, and take over from each other."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest
from tests.compat.conftest import Drivers
from tests.support.clients import raw
from tests.support.clients.driver import Driver
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster

import pocketmq
from pocketmq.protocol.bodies.running import ConsumerRunning
from pocketmq.protocol.codes import RequestCode

QUEUES = 8
SECONDS = 120.0
OPTIONS = pocketmq.ConsumerOptions(commit_interval_ms=200, rebalance_interval_ms=5000)
JAVA = [peer for peer in PEERS if peer.name.startswith("java-")]

_numbers = itertools.count(1)


class MixedGroup:
    """A topic, a group, and members of both kinds."""

    def __init__(self, cluster: Cluster, *, orderly: bool) -> None:
        self.cluster = cluster
        self.orderly = orderly
        number = next(_numbers)
        self.topic, self.group = f"mixed_{number}", f"mixed_group_{number}"
        self.ours: list[pocketmq.Consumer] = []
        self.java: dict[str, Driver] = {}
        self.seen: Counter[str] = Counter()
        self.sent: list[str] = []

    async def handle(self, message: pocketmq.ReceivedMessage) -> None:
        """What our members do with a message."""
        self.seen[message.text] += 1

    async def add_ours(self) -> None:
        """One member of ours more."""
        consumer = pocketmq.Consumer(
            self.cluster.name_server,
            group=self.group,
            topics=self.topic,
            handler=self.handle,
            orderly=self.orderly,
            start_from="first",
            options=OPTIONS,
        )
        await consumer.start()
        self.ours.append(consumer)

    async def add_java(self, name: str, driver: Driver) -> None:
        """One Java member more."""
        name = f"{self.group}_{name}"
        listener = "orderly" if self.orderly else "concurrent"
        await asyncio.to_thread(
            driver.start_consumer, name, self.group, self.topic, listener=listener
        )
        self.java[name] = driver

    async def shares(self) -> list[set[int]]:
        """The queues of each member that brokers know, as it says itself."""
        calls = self.ours[0].session.instance.calls
        found = []
        for client_id in await calls.consumer_ids(self.cluster.broker, self.group):
            fields = {"consumerGroup": self.group, "clientId": client_id, "jstackEnable": "false"}
            answer = await calls.ask(
                self.cluster.broker, RequestCode.GET_CONSUMER_RUNNING_INFO, fields, timeout_ms=15000
            )
            table = ConsumerRunning.from_json(bytes(answer.body)).mq_table
            queues = {q.queue_id: state for q, state in table.items() if q.topic == self.topic}
            found.append({number for number, state in queues.items() if not state.dropped})
        return found

    async def until_shared(self, members: int) -> None:
        """Wait until so many members have all queues, each queue once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SECONDS
        found: list[set[int]] = []
        while True:
            try:
                found = await self.shares()
            except pocketmq.PocketMQError as error:
                # A member that has just died is still listed.
                assert loop.time() < deadline, error
            together = sorted(number for share in found for number in share)
            if together == list(range(QUEUES)) and len(found) == members and all(found):
                return
            assert loop.time() < deadline, f"{self.group}: {found}"
            await asyncio.sleep(0.2)

    def all_seen(self) -> Counter[str]:
        """How often each message was delivered to anyone."""
        total = Counter(self.seen)
        for name, driver in self.java.items():
            total.update(driver.bodies(name))
        return total

    async def send_and_see(self, producer: pocketmq.Producer) -> None:
        """Send to all queues and wait until everything was delivered."""
        bodies = [f"{self.topic}-{len(self.sent) + number}" for number in range(80)]
        await asyncio.gather(*(producer.send(self.topic, body) for body in bodies))
        self.sent += bodies
        deadline = asyncio.get_running_loop().time() + SECONDS
        while missing := set(self.sent) - self.all_seen().keys():
            assert asyncio.get_running_loop().time() < deadline, f"missing {sorted(missing)[:9]}"
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Stop our members; the drivers are stopped by their fixture."""
        for consumer in self.ours:
            await consumer.stop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("peer", JAVA, ids=lambda peer: peer.name)
@pytest.mark.parametrize("orderly", [False, True], ids=["concurrent", "orderly"])
def test_java_and_ours_share_a_group_through_joins_leaves_and_kills(
    cluster: Cluster, drivers: Drivers, peer: Peer, orderly: bool
) -> None:
    mixed = MixedGroup(cluster, orderly=orderly)
    asyncio.run(_share(mixed, drivers, peer))
    # Whoever takes a queue over begins at what was committed last, so a few come twice.
    repeated = [body for body, count in mixed.all_seen().items() if count > 1]
    assert len(repeated) <= len(mixed.sent) // 2
    assert mixed.all_seen().keys() >= set(mixed.sent), "nothing is missing"


async def _share(mixed: MixedGroup, drivers: Drivers, peer: Peer) -> None:
    cluster = mixed.cluster
    raw.create_topic(cluster.name_server, cluster.broker, mixed.topic, QUEUES)
    steady, doomed = drivers(peer, 0), drivers(peer, 1)
    try:
        async with pocketmq.Producer(cluster.name_server, group="mixed_senders") as producer:
            await mixed.add_ours()
            await mixed.add_java("first", steady)
            await mixed.until_shared(2)
            await mixed.send_and_see(producer)
            ours, javas = sum(mixed.seen.values()), len(steady.bodies(next(iter(mixed.java))))
            assert ours and javas, "both took part"
            assert set(mixed.all_seen().values()) == {1}, "no queue was in two hands"
            await mixed.add_ours()
            await mixed.add_java("second", doomed)
            await mixed.until_shared(4)
            await mixed.send_and_see(producer)
            await mixed.ours.pop().stop()
            await mixed.until_shared(3)
            await mixed.send_and_see(producer)
            await asyncio.to_thread(doomed.kill)
            if not mixed.orderly:  # the locks of the dead last for a minute
                await mixed.until_shared(2)
                await mixed.send_and_see(producer)
            await asyncio.to_thread(steady.stop_consumer, next(iter(mixed.java)))
            if not mixed.orderly:
                await mixed.until_shared(1)
                await mixed.send_and_see(producer)
    finally:
        await mixed.stop()
