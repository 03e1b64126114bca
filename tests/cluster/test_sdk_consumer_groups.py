"""Members of a group come, go and die; connections break: nothing is lost, order is kept."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq.clock import TravellingClock

OPTIONS = pocketmq.ConsumerOptions(
    rebalance_interval_ms=500,
    commit_interval_ms=50,
    lock_interval_ms=200,
    lock_lease_ms=1000,
    poll_timeout_ms=2000,
    stop_timeout_ms=2000,
    local_retry_ms=100,
)
_numbers = itertools.count(1)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path) as cluster:
        cluster.create_topic("orders", 8)
        yield cluster


def member(address: str, handler: object, **options: object) -> pocketmq.Consumer:
    """A consumer that shares its connections with nobody, as one in a process of its own."""
    settings: dict[str, object] = {
        "group": "g",
        "instance": f"member-{next(_numbers)}",
        "start_from": "first",
        "options": OPTIONS,
        **options,
    }
    make: Any = pocketmq.Consumer
    made: pocketmq.Consumer = make(address, topics="orders", handler=handler, **settings)
    return made


def die(consumer: pocketmq.Consumer) -> None:
    """End as a killed process does: every connection breaks, nothing is committed or said."""
    parts = consumer._running()
    parts.assigned.stop_pulling()
    # Whatever it is in the middle of, not one more connection comes to be.
    parts.instance.rpc._closed = True
    for connection in parts.instance.rpc.connections():
        connection.abort("the test kills this client")


async def test_members_that_join_and_leave_share_without_gap_or_overlap(
    cluster: SdkCluster,
) -> None:
    seen: Counter[str] = Counter()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.text] += 1

    sent = 0
    async with pocketmq.Producer(cluster.address, group="p") as producer:
        members: list[pocketmq.Consumer] = []
        for count in (1, 2, 3, 5, 3, 1):
            # Whoever takes a queue over begins at what was committed.
            await asyncio.gather(*(one.commit() for one in members))
            while len(members) < count:
                members.append(member(cluster.address, handler))
                await members[-1].start()
            while len(members) > count:
                await members.pop(0).stop()

            def is_shared(each: int = 8 // count) -> bool:
                parts = [one.assigned() for one in members]
                together = sorted(q.queue_id for part in parts for q in part)
                is_fair = all(each <= len(part) <= each + 1 for part in parts)
                return together == list(range(8)) and is_fair

            await until(is_shared)
            await asyncio.gather(*(producer.send("orders", str(sent + n)) for n in range(80)))
            sent += 80
            await until(lambda: len(seen) == sent)  # noqa: B023 - it is awaited within the turn
        for one in members:
            await one.stop()
    assert seen == {str(number): 1 for number in range(sent)}


async def test_what_a_dead_member_had_in_hand_is_handled_by_another(cluster: SdkCluster) -> None:
    seen: Counter[str] = Counter()
    stuck = asyncio.Event()

    async def never(message: pocketmq.ReceivedMessage) -> None:
        await stuck.wait()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.text] += 1

    async with pocketmq.Producer(cluster.address, group="p") as producer:
        await asyncio.gather(*(producer.send("orders", str(number)) for number in range(80)))
        doomed = member(cluster.address, never)
        await doomed.start()
        await until(lambda: doomed._running().workers.busy == 20)
        die(doomed)
        async with member(cluster.address, handler):
            await until(lambda: len(seen) == 80)
        stuck.set()
        await doomed.stop()
    assert set(seen) == {str(number) for number in range(80)}


async def test_locks_are_given_back_and_those_of_the_dead_are_taken_over(tmp_path: Path) -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    clock = TravellingClock()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.order_by].append(int(message.text))

    def count() -> int:
        return sum(map(len, seen.values()))

    async with sdk_cluster(tmp_path, clock=clock) as cluster:
        cluster.create_topic("orders", 8)
        async with pocketmq.Producer(cluster.address, group="p") as producer:

            async def send(numbers: range) -> None:
                for number in numbers:
                    await producer.send("orders", str(number), order_by=f"k{number % 2}")

            await send(range(20))
            async with member(cluster.address, handler, orderly=True):
                await until(lambda: count() == 20)
            await send(range(20, 40))
            doomed = member(cluster.address, handler, orderly=True)
            await doomed.start()
            # The first has unlocked its queues, so the second need not wait for the lease.
            await until(lambda: count() == 40)
            await until(lambda: doomed.lag() == 0)
            await doomed.commit()
            die(doomed)
            await send(range(40, 60))
            async with member(cluster.address, handler, orderly=True) as heir:
                await until(lambda: heir._running().rebalance.rounds > 0)
                assert (heir.assigned(), count()) == ([], 40)
                clock.advance(seconds=61)
                await until(lambda: count() == 60)
            await doomed.stop()
    assert seen == {"k0": list(range(0, 60, 2)), "k1": list(range(1, 60, 2))}


async def test_order_is_kept_while_members_come_and_go(cluster: SdkCluster) -> None:
    order: dict[str, list[int]] = defaultdict(list)
    busy: Counter[str] = Counter()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        key = message.order_by
        busy[key] += 1
        assert busy[key] == 1, "two members handle one key"
        await asyncio.sleep(0.002)
        busy[key] -= 1
        order[key].append(int(message.text))

    async with pocketmq.Producer(cluster.address, group="p") as producer:
        members = [member(cluster.address, handler, orderly=True)]
        await members[0].start()
        for number in range(240):
            await producer.send("orders", str(number), order_by=f"k{number % 10}")
            if number in (60, 120):
                members.append(member(cluster.address, handler, orderly=True))
                await members[-1].start()
            if number == 180:
                await members.pop(0).stop()
        await until(lambda: sum(map(len, order.values())) >= 240)
        for one in members:
            await one.stop()
    assert order == {f"k{key}": list(range(key, 240, 10)) for key in range(10)}
