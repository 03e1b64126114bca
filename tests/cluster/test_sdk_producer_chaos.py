"""A producer behind a proxy that cuts, delays and corrupts, at random.

Whatever happens, a send that was acknowledged is stored, no send hangs, and nothing is left behind.
POCKETMQ_SEED repeats a run whose seed a failure has printed.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.support.cutting_proxy import CuttingProxy
from tests.support.sdk_cluster import SdkCluster, sdk_cluster

import pocketmq
from pocketmq import errors
from pocketmq.broker.config import RegistrationConfig

GROUPS = 10
RUNS = 20
AT_ONCE = 5
SENDERS = 4
HANGS_SECONDS = 14.0
SENDS = 8
SEED = os.environ.get("POCKETMQ_SEED", "")
FIRST_SEED = int(SEED) if SEED else random.SystemRandom().randrange(1_000_000)


@pytest.mark.parametrize("group", range(1 if SEED else GROUPS))
async def test_no_acknowledged_send_is_lost_whatever_happens_on_the_way(
    tmp_path: Path, group: int
) -> None:
    alone = RegistrationConfig()
    async with sdk_cluster(tmp_path, registration=alone) as cluster:
        seeds = [FIRST_SEED] if SEED else [FIRST_SEED + group * RUNS + n for n in range(RUNS)]
        lost: dict[int, list[bytes]] = {}
        for start in range(0, len(seeds), AT_ONCE):
            runs = [Run(cluster, seed) for seed in seeds[start:][:AT_ONCE]]
            found = await asyncio.gather(*(run.go() for run in runs))
            lost |= {run.seed: bodies for run, bodies in zip(runs, found, strict=True) if bodies}
    assert not lost, f"acknowledged and lost, by seed: {lost}"
    # What checks every test finds tasks, sockets and threads that a run leaves behind.


class Run:
    """One producer, its proxy, and what the seed does to them."""

    def __init__(self, cluster: SdkCluster, seed: int) -> None:
        self.cluster = cluster
        self.seed = seed
        self.random = random.Random(seed)
        self.topic = f"topic-{seed}"
        self.acknowledged: list[bytes] = []
        self.failed = 0

    async def go(self) -> list[bytes]:
        """Run; return what was acknowledged and lost. Fail with the seed when something hangs."""
        broker = self.cluster.brokers["broker-a"]
        name = f"broker-{self.seed}"
        batching = self.random.choice((None, pocketmq.Batching(linger_ms=1, messages_max=4)))
        options = pocketmq.ProducerOptions(
            send_timeout_ms=self.random.choice((200, 600)),
            in_flight_max=self.random.choice((2, 100)),
            batching=batching,
        )
        async with CuttingProxy(broker.port) as proxy:
            await self.cluster.register(name, proxy.address, self.topic)
            try:
                await asyncio.wait_for(self._send_through(proxy, options), HANGS_SECONDS)
            except (asyncio.TimeoutError, TimeoutError):
                pytest.fail(f"seed {self.seed}: a send hangs")
        stored = set(await self.cluster.bodies(self.topic))
        return [body for body in self.acknowledged if body not in stored]

    async def _send_through(self, proxy: CuttingProxy, options: pocketmq.ProducerOptions) -> None:
        config = pocketmq.ClientConfig.of(self.cluster.address)
        async with pocketmq.Producer(config, group=f"g{self.seed}", options=options) as producer:
            harming = asyncio.ensure_future(self._harm(proxy))
            try:
                await asyncio.gather(*(self._send(producer, number) for number in range(SENDERS)))
            finally:
                harming.cancel()
                await asyncio.wait([harming])
            # Once all is well again, sends go through again.
            proxy.delay_seconds, proxy.refusing = 0.0, False
            proxy.flow()
            for attempt in range(50):
                try:
                    await producer.send(self.topic, b"recovered")
                    break
                except errors.SendFailed:
                    assert attempt < 49, f"seed {self.seed}: it does not recover"
            self.acknowledged.append(b"recovered")
        assert producer.in_flight == 0, f"seed {self.seed}"

    async def _send(self, producer: pocketmq.Producer, number: int) -> None:
        for count in range(SENDS):
            body = b"%d-%d" % (number, count)
            body += bytes(self.random.randrange(200))
            kind = self.random.randrange(5)
            try:
                if kind == 0:
                    await producer.send_batch(self.topic, [body + b"a", body + b"b"])
                    self.acknowledged += [body + b"a", body + b"b"]
                elif kind == 1:
                    await producer.send(self.topic, body, order_by=str(number))
                    self.acknowledged.append(body)
                elif kind == 2:
                    self._send_soon(producer, body)
                else:
                    await producer.send(self.topic, body)
                    self.acknowledged.append(body)
            except errors.ClientError:
                self.failed += 1

    def _send_soon(self, producer: pocketmq.Producer, body: bytes) -> None:
        # What is not handed to the callback until the producer is closed counts as acknowledged.
        def failed(message: pocketmq.Message, error: BaseException) -> None:
            self.acknowledged.remove(body)
            self.failed += 1

        self.acknowledged.append(body)
        try:
            producer.send_soon(self.topic, body, on_error=failed)
        except errors.TooManyInFlight:
            self.acknowledged.remove(body)

    async def _harm(self, proxy: CuttingProxy) -> None:
        while True:
            await asyncio.sleep(self.random.random() * 0.02)
            kind = self.random.randrange(7)
            if kind <= 1:
                proxy.cut()
            elif kind == 2:
                proxy.delay_seconds = self.random.choice((0.0, 0.001, 0.01))
            elif kind == 3:
                proxy.corrupt_next_answer(self._damaged)
            elif kind == 4:
                proxy.stall()
                await asyncio.sleep(self.random.random() * 0.05)
                proxy.flow()
            elif kind == 5:
                proxy.refusing = not proxy.refusing

    def _damaged(self, data: bytes) -> bytes:
        """The same with a wrong byte in the lengths at its front, or something else entirely."""
        if self.random.random() < 0.3:
            return self.random.randbytes(len(data))
        place = self.random.randrange(min(8, len(data)))
        return data[:place] + bytes([self.random.randrange(256)]) + data[place + 1 :]
