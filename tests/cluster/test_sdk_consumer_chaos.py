"""Members of a group behind proxies that cut, refuse and stall, at random.

Deliveries may repeat, but nothing acknowledged is missed, no member dies, and nothing is left
behind. POCKETMQ_SEED repeats a run whose seed a failure has printed; POCKETMQ_RANDOM_RUNS says how
many there are.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from tests.support.cutting_proxy import CuttingProxy
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq.broker.config import RegistrationConfig
from pocketmq.message.topics import retry_topic

RUNS = int(os.environ.get("POCKETMQ_RANDOM_RUNS", "24"))
AT_ONCE = 12
PARTS = 4
SENDS = 8
HANGS_SECONDS = 60.0
SEED = os.environ.get("POCKETMQ_SEED", "")
FIRST_SEED = int(SEED) if SEED else random.SystemRandom().randrange(1_000_000)
OPTIONS = pocketmq.ConsumerOptions(
    rebalance_interval_ms=500,
    commit_interval_ms=50,
    lock_interval_ms=200,
    lock_lease_ms=1000,
    poll_timeout_ms=2000,
    stop_timeout_ms=2000,
    local_retry_ms=100,
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("first", [0] if SEED else range(0, RUNS, AT_ONCE))
async def test_nothing_is_missed_whatever_happens_on_the_way(
    tmp_path: Path, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETMQ_OFFSETS", str(tmp_path / "offsets"))
    count = 1 if SEED else min(AT_ONCE, RUNS - first)
    async with sdk_cluster(tmp_path, registration=RegistrationConfig()) as cluster:
        seeds = range(FIRST_SEED + first, FIRST_SEED + first + count)
        runs = [Run(cluster, seed) for seed in seeds]
        await asyncio.gather(*(run.go() for run in runs))
    missed = {run.seed: run.acknowledged - run.seen.keys() for run in runs}
    assert not any(missed.values()), missed
    # What checks every test finds tasks, sockets and threads that a run leaves behind.


class Run:
    """One topic, a producer, two members of a group, and what the seed does to them."""

    def __init__(self, cluster: SdkCluster, seed: int) -> None:
        self.cluster = cluster
        self.seed = seed
        self.random = random.Random(seed)
        self.topic, self.group = f"topic-{seed}", f"g{seed}"
        self.orderly = bool(seed % 2)
        self.acknowledged: set[str] = set()
        self.seen: Counter[str] = Counter()
        self._done = asyncio.Event()

    async def go(self) -> None:
        """Run; fail with the seed when something is missed or hangs."""
        broker = self.cluster.brokers["broker-a"]
        self.cluster.create_topic(self.topic)
        async with (
            CuttingProxy(broker.port) as proxy,
            CuttingProxy(self.cluster.names.port) as names,
        ):
            topics = (self.topic, retry_topic(self.group))
            await self.cluster.register(f"broker-{self.seed}", proxy.address, *topics)
            try:
                await asyncio.wait_for(self._play(proxy, names), HANGS_SECONDS)
            except (asyncio.TimeoutError, TimeoutError):
                missed = self.acknowledged - self.seen.keys()
                pytest.fail(f"seed {self.seed}: it hangs, or misses {sorted(missed)}")

    async def _play(self, proxy: CuttingProxy, names: CuttingProxy) -> None:
        async with (
            pocketmq.Producer(names.address, group=f"p{self.seed}") as producer,
            self._member(names, 1) as one,
            self._member(names, 2) as two,
        ):
            harming = asyncio.ensure_future(self._harm(proxy, names))
            for part in range(PARTS):
                texts = [f"{part}-{number}" for number in range(SENDS)]
                await asyncio.gather(*(self._send(producer, text) for text in texts))
                await asyncio.sleep(self.random.random() * 0.1)
            self._done.set()
            await harming
            await self._send_until_stored(producer, "recovered")
            await until(lambda: self.acknowledged <= self.seen.keys(), HANGS_SECONDS)
            assert one.is_running and two.is_running, f"seed {self.seed}: a member has died"

    def _member(self, names: CuttingProxy, number: int) -> pocketmq.Consumer:
        """One that shares its connections with nobody, as in a process of its own."""
        return pocketmq.Consumer(
            names.address,
            group=self.group,
            topics=self.topic,
            handler=self._handle,
            orderly=self.orderly,
            start_from="first",
            instance=f"member-{self.seed}-{number}",
            options=OPTIONS,
        )

    async def _handle(self, message: pocketmq.ReceivedMessage) -> None:
        if self.random.random() < 0.05:
            raise pocketmq.RetryIn(0.05 if self.orderly else 1)
        if self.random.random() < 0.2:
            await asyncio.sleep(self.random.random() * 0.01)
        self.seen[message.text] += 1

    async def _send(self, producer: pocketmq.Producer, text: str) -> None:
        try:
            await producer.send(self.topic, text)
        except pocketmq.PocketMQError:
            return  # refused or unknown: no promise was made
        self.acknowledged.add(text)

    async def _send_until_stored(self, producer: pocketmq.Producer, text: str) -> None:
        while text not in self.acknowledged:
            await self._send(producer, text)

    async def _harm(self, proxy: CuttingProxy, names: CuttingProxy) -> None:
        while not self._done.is_set():
            await asyncio.sleep(self.random.random() * 0.1)
            kind = self.random.randrange(7)
            if kind < 3:
                proxy.cut()
            elif kind == 3:
                names.cut()
            elif kind == 4:
                proxy.refusing = True
                await asyncio.sleep(0.05)
                proxy.refusing = False
            elif kind == 5:
                proxy.corrupt_next_answer(self._damaged)
            else:
                proxy.stall()
                await asyncio.sleep(0.05)
                proxy.flow()

    def _damaged(self, data: bytes) -> bytes:
        """The same with a wrong byte in the lengths at its front."""
        place = self.random.randrange(min(8, len(data)))
        return data[:place] + bytes([self.random.randrange(256)]) + data[place + 1 :]
