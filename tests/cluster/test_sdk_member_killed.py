"""A consumer's process is killed with kill -9: the other member takes over, nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq.clock import TravellingClock

pytestmark = pytest.mark.timeout(180)

QUEUES = 8
KEYS = 16
OPTIONS = pocketmq.ConsumerOptions(
    rebalance_interval_ms=500, commit_interval_ms=50, lock_interval_ms=200, lock_lease_ms=1000
)
DOOMED = """
import asyncio, sys
import pocketmq

async def handle(message):
    await asyncio.sleep(0.1)  # what is in hand at the kill is not handled
    print(message.order_by, message.text, flush=True)

async def main(address, orderly):
    options = pocketmq.ConsumerOptions(rebalance_interval_ms=500, commit_interval_ms=50)
    await pocketmq.Consumer(
        address, group="g", topics="orders", handler=handle, orderly=orderly == "orderly",
        start_from="first", options=options,
    ).run()

asyncio.run(main(*sys.argv[1:]))
"""


def members(cluster: SdkCluster) -> int:
    (app,) = cluster.brokers.values()
    group = app.running.tables.clients.consumer_group("g")
    return 0 if group is None else len(group.members)


async def send(producer: pocketmq.Producer, first: int) -> int:
    """Send some messages, those of one key one after the other; return the next number."""
    for number in range(first, first + 4 * KEYS):
        await producer.send("orders", str(number), order_by=f"k{number % KEYS}")
    return first + 4 * KEYS


def pairs(seen: dict[str, list[int]]) -> list[tuple[str, int]]:
    return [(key, number) for key, numbers in seen.items() for number in numbers]


@pytest.mark.parametrize("kind", ["concurrent", "orderly"])
async def test_the_other_member_takes_over_from_a_killed_process(tmp_path: Path, kind: str) -> None:
    clock = TravellingClock()
    theirs: list[tuple[str, int]] = []
    ours: dict[str, list[int]] = defaultdict(list)

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        ours[message.order_by].append(int(message.text))

    async with sdk_cluster(tmp_path, clock=clock) as cluster:
        cluster.create_topic("orders", QUEUES)
        doomed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DOOMED, cluster.address, kind, stdout=asyncio.subprocess.PIPE
        )
        output = doomed.stdout
        assert output is not None

        async def read() -> None:
            async for line in output:
                key, number = line.split()
                theirs.append((key.decode(), int(number)))

        reading = asyncio.ensure_future(read())
        survivor = pocketmq.Consumer(
            cluster.address,
            group="g",
            topics="orders",
            handler=handler,
            orderly=kind == "orderly",
            start_from="first",
            options=OPTIONS,
        )
        try:
            async with pocketmq.Producer(cluster.address, group="p") as producer, survivor:
                await until(lambda: members(cluster) == 2)
                await until(lambda: len(survivor.assigned()) == QUEUES // 2)
                sent = 0
                while len(theirs) < 40:  # until it is in the middle of its work
                    sent = await send(producer, sent)
                doomed.send_signal(signal.SIGKILL)
                assert await doomed.wait() == -signal.SIGKILL
                sent = await send(producer, sent)
                await until(lambda: members(cluster) == 1)
                clock.advance(seconds=61)  # brokers keep the locks of the dead for a minute
                await until(lambda: len(survivor.assigned()) == QUEUES)
                await reading
                everything = {(f"k{number % KEYS}", number) for number in range(sent)}
                await until(lambda: everything == {*theirs, *pairs(ours)})
        finally:
            if doomed.returncode is None:
                doomed.kill()
                await doomed.wait()
            await reading
    assert theirs
    if kind == "orderly":
        assert all(numbers == sorted(set(numbers)) for numbers in ours.values())
