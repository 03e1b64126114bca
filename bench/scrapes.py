"""What a scrape of metrics costs those who send: `python -m bench.scrapes`.

A broker with 1,000 topics of 8 queues and 500 groups that are behind in four topics each is sent to
at a steady rate, by turns alone and while its metrics are scraped every second. Latency counts from
when a message was due, so that a stall shows in all it delays. Broker, generator and scraper are
processes of their own; a machine with less than two idle cores measures itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pocketmq.admin import Admin
from pocketmq.admin.benchmarks import Histogram, Plan, run_benchmark
from pocketmq.client.config import ClientConfig
from pocketmq.errors import PocketMQError
from pocketmq.metrics import Collector
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.codes import RequestCode

TOPICS, QUEUES = 1000, 8
GROUPS, TOPICS_PER_GROUP = 500, 4
RATE = 2000.0
SECONDS = 10.0
ROUNDS = 3
AT_A_TIME = 32
START_SECONDS = 60.0


@dataclass(slots=True)
class Measured:
    """One kind of rounds."""

    latency: Histogram = field(default_factory=Histogram)
    scrapes_ms: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        """What was measured, in a line."""
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        found = [f"{label} {self.latency.quantile_ms(q):8.2f} ms" for label, q in shares.items()]
        line = f"{name:<10} {'  '.join(found)}"
        if self.scrapes_ms:
            middle, most = statistics.median(self.scrapes_ms), max(self.scrapes_ms)
            line += f"   scrape median {middle:.0f} ms, longest {most:.0f} ms"
        return line


async def fill(address: str) -> None:
    """Make topics, groups, messages and offsets."""
    room = asyncio.Semaphore(AT_A_TIME)
    async with Admin(address) as admin:
        (broker,) = await admin.clusters.masters()

        async def topic(number: int) -> None:
            async with room:
                await admin.topics.create(f"topic-{number}", queues=QUEUES)

        async def group(number: int) -> None:
            async with room:
                await admin.groups.create(f"group-{number}")
                for step in range(TOPICS_PER_GROUP):
                    name = f"topic-{(number * 2 + step) % TOPICS}"
                    for queue_id in range(QUEUES):
                        queue = MessageQueue(name, broker.name, queue_id)
                        await admin.calls.commit_offset(
                            broker.address, f"group-{number}", queue, number % 2, wait=True
                        )

        async def send(number: int, queue_id: int) -> None:
            fields = {
                "a": "fill", "b": f"topic-{number}", "c": "TBW102", "d": "8", "e": str(queue_id),
                "f": "0", "g": str(int(time.time() * 1000)), "h": "0", "i": "", "j": "0",
            }  # fmt: skip
            async with room:
                await admin.calls.ask(
                    broker.address, RequestCode.SEND_MESSAGE_V2, fields, b"x" * 200
                )

        await asyncio.gather(*map(topic, range(TOPICS)))
        await asyncio.gather(*(send(n, q) for n in range(TOPICS) for q in range(QUEUES)))
        await asyncio.gather(*map(group, range(GROUPS)))


async def scrape(address: str, measured: Measured) -> None:
    """Scrape each second until cancelled."""
    async with Collector(address) as collector:
        while True:
            began = time.perf_counter()
            (await collector.collect()).render(open_metrics=False)
            measured.scrapes_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(max(1 - (time.perf_counter() - began), 0))


def scraper(address: str) -> list[str]:
    """The command of a process that scrapes and prints how long each took."""
    return [sys.executable, "-m", "bench.scrapes", "--scrape", address]


async def round_of(address: str, measured: Measured, *, scraped: bool) -> None:
    """Send for a while; with scrapes from another process, as in life."""
    process = None
    if scraped:
        process = await asyncio.create_subprocess_exec(
            *scraper(address), stdout=asyncio.subprocess.PIPE
        )
    try:
        plan = Plan("send", seconds=SECONDS, per_second=RATE, in_flight=256, body_bytes=200)
        result = await run_benchmark(plan, ClientConfig.of(address))
        measured.latency.add(result.latency)
        if result.is_own_limit or result.failures:
            print(f"warning: generator {result.busy_share:.0%} busy, failures {result.failures}")
    finally:
        if process is not None:
            process.terminate()
            out, _ = await process.communicate()
            measured.scrapes_ms += [float(line) for line in out.decode().split()]


async def _until_ready(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with Admin(address) as admin:
        while time.monotonic() < deadline:
            with contextlib.suppress(PocketMQError):
                if await admin.clusters.masters():
                    return
            await asyncio.sleep(0.1)
    raise SystemExit("the broker does not start")


async def main() -> None:
    """Measure, and print two lines."""
    with tempfile.TemporaryDirectory() as directory:
        port = 29_876
        address = f"127.0.0.1:{port}"
        command = [
            sys.executable, "-m", "pocketmq", "up", "--data", str(Path(directory, "data")),
            "--nameserver-port", str(port), "--broker-port", str(port + 100),
            "--set", "console.enabled=false", "--log-level", "error",
        ]  # fmt: skip
        server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        try:
            await _until_ready(address)
            await fill(address)
            alone, scraped = Measured(), Measured()
            for _ in range(ROUNDS):
                await round_of(address, alone, scraped=False)
                await round_of(address, scraped, scraped=True)
            print(alone.line("alone"))
            print(scraped.line("scraped"))
        finally:
            server.terminate()
            await server.wait()


async def _print_scrapes(address: str) -> None:
    measured = Measured()
    task = asyncio.ensure_future(scrape(address, measured))
    told = 0
    while not task.done():
        await asyncio.sleep(0.2)
        for took in measured.scrapes_ms[told:]:
            print(f"{took:.2f}", flush=True)
        told = len(measured.scrapes_ms)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--scrape"]:
        asyncio.run(_print_scrapes(sys.argv[2]))
    elif sys.argv[1:2] == ["--fill"]:
        asyncio.run(fill(sys.argv[2]))
    else:
        asyncio.run(main())
