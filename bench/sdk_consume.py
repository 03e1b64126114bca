"""How fast the SDK consumes: `python -m bench.sdk_consume`.

Starts a broker of ours in a process of its own, fills a topic with 1 KiB messages and consumes them
from this process: with an async handler, with a plain one on threads, in a loop, in batches and in
order. Prints messages a second and the client's CPU time a message. The official clients consume
the same topic from the same core, and Java from all; their time begins with the first message, ours
before the consumer starts. Last comes the time a test takes that sends and consumes 10,000
messages, broker, producer and consumer in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pocketmq
from bench.official import CPP, beside, java_told, told
from bench.sdk import local_broker

BODY = bytes(range(256)) * 4
TOPIC = "bench-sdk-consume"
IN_TEST = 10_000
WAYS = ("async handler", "plain handler", "loop", "async, batches", "async, ordered")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    name: str
    messages_per_second: float
    cpu_us_per_message: float


class Counter:
    """Counts messages and says when there are enough."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def one(self, message: pocketmq.ReceivedMessage) -> None:
        """An async handler."""
        self.left -= 1
        if not self.left:
            self.reached.set()

    def one_plainly(self, message: pocketmq.ReceivedMessage) -> None:
        """A plain handler. Threads take turns, so the count is only nearly right: at worst late."""
        self.left -= 1
        if self.left <= 0:
            self._loop.call_soon_threadsafe(self.reached.set)

    async def many(self, messages: list[pocketmq.ReceivedMessage]) -> None:
        """An async handler of batches."""
        self.left -= len(messages)
        if self.left <= 0:
            self.reached.set()


async def fill(name_server: str, count: int) -> None:
    """Put messages into the topic."""
    async with pocketmq.Producer(name_server, group="bench") as producer:
        for _ in range(count):
            await producer.send_soon(TOPIC, BODY, tag="bench")
        await producer.flush()


async def consume(name_server: str, group: str, count: int, how: str) -> Row:
    """Consume so many messages in one of the ways."""
    counter = Counter(count)
    handlers: dict[str, Callable[..., Any]] = {
        "async handler": counter.one,
        "plain handler": counter.one_plainly,
        "async, ordered": counter.one,
        "async, batches": counter.many,
    }
    consumer = pocketmq.Consumer(
        name_server,
        group=group,
        topics=TOPIC,
        start_from="first",
        handler=handlers.get(how),
        batch=32 if how == "async, batches" else 1,
        concurrency=4 if how == "plain handler" else 20,
        orderly=how == "async, ordered",
    )
    started, cpu = time.perf_counter(), time.process_time()
    async with consumer:
        if how == "loop":
            async for _ in consumer:
                counter.left -= 1
                if not counter.left:
                    break
        else:
            await counter.reached.wait()
        took, used = time.perf_counter() - started, time.process_time() - cpu
    return Row(how, count / took, used / count * 1e6)


async def in_a_test() -> float:
    """Seconds to send and consume 10,000 messages with everything in this process."""
    from tests.support.sdk_cluster import sdk_cluster

    with tempfile.TemporaryDirectory() as directory:
        async with sdk_cluster(Path(directory)) as cluster:
            cluster.create_topic(TOPIC)
            counter = Counter(IN_TEST)
            started = time.perf_counter()
            async with (
                pocketmq.Producer(cluster.address, group="bench") as producer,
                pocketmq.Consumer(
                    cluster.address,
                    group="test",
                    topics=TOPIC,
                    start_from="first",
                    handler=counter.one,
                ),
            ):
                for _ in range(IN_TEST):
                    await producer.send_soon(TOPIC, b"message")
                await producer.flush()
                await counter.reached.wait()
                return time.perf_counter() - started


async def run(name_server: str, count: int, turns: int) -> list[Row]:
    """The best of some turns for each way."""
    await fill(name_server, count)
    rows = []
    for how in WAYS:
        best: Row | None = None
        for turn in range(turns):
            row = await consume(name_server, f"bench-{WAYS.index(how)}-{turn}", count, how)
            if best is None or row.messages_per_second > best.messages_per_second:
                best = row
        assert best is not None
        rows.append(best)
    return rows


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=100_000, help="messages for each row")
    parser.add_argument("--turns", type=int, default=2, help="the best of so many is shown")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pinned = len(cores) > 1
    if pinned:
        os.sched_setaffinity(0, {cores[0]})
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if chosen.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    loop = factory()
    try:
        with local_broker(cores[1] if pinned else None) as name_server:
            rows = loop.run_until_complete(run(name_server, chosen.count, chosen.turns))
            clients = java_told(name_server, "consume", TOPIC, chosen.count, cores)
            clients[CPP] = told(CPP, name_server, "consume", TOPIC, chosen.count // 4)
        seconds = min(loop.run_until_complete(in_a_test()) for _ in range(chosen.turns))
    finally:
        loop.close()
    if chosen.json:
        found = {"in_a_test_s": seconds, "rows": [asdict(row) for row in rows], "clients": clients}
        print(json.dumps(found))
        return
    for row in rows:
        print(
            f"{row.name:16} {row.messages_per_second:10,.0f} messages/s  "
            f"{row.cpu_us_per_message:6.2f} us CPU each"
        )
    print(beside(clients))
    print(f"{IN_TEST:,} messages sent and consumed in one process: {seconds:.2f} s")


if __name__ == "__main__":
    main()
