"""How fast the SDK sends: `python -m bench.sdk`.

Starts a broker of ours in a process of its own and sends 1 KiB messages from this one: awaited with
many in flight, awaited one at a time, unawaited, and gathered into batches. Prints sends a second,
the client's CPU time a send, and how long `import pocketmq` takes; then what the official clients
send to the same broker from the same core, and Java from all. `--name-server` sends to a cluster
that is running already.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass

import pocketmq
from bench.official import CPP, beside, java_told, told

BODY = bytes(range(256)) * 4
TOPIC = "bench-sdk"
START_SECONDS = 20.0
CPP_SENDS = 3_000
IMPORTS = 5
IMPORTED = ("import pocketmq", "import asyncio", "import pocketmq; pocketmq.Producer")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    name: str
    sends_per_second: float
    cpu_us_per_send: float
    wall_us_per_send: float


async def awaited(producer: pocketmq.Producer, count: int, in_flight: int) -> None:
    """Send with a number of tasks, each awaiting one send after the other."""

    async def one_after_the_other(sends: int) -> None:
        for _ in range(sends):
            await producer.send(TOPIC, BODY, tag="bench")

    await asyncio.gather(*(one_after_the_other(count // in_flight) for _ in range(in_flight)))


async def unawaited(producer: pocketmq.Producer, count: int) -> None:
    """Send without waiting for answers, only for room."""
    for _ in range(count):
        await producer.send_soon(TOPIC, BODY, tag="bench")
    await producer.flush()


async def measure(name: str, count: int, work: Callable[[], Awaitable[None]]) -> Row:
    """Run once and look at the clocks."""
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Row(name, count / wall, cpu / count * 1e6, wall / count * 1e6)


async def run(name_server: str, count: int) -> list[Row]:
    """All rows."""
    rows = []
    options = pocketmq.ProducerOptions(in_flight_max=4096)
    async with started(name_server, options) as producer:
        await awaited(producer, count // 10, 64)
        for in_flight in (1, 16, 256):
            sends = count // 10 if in_flight == 1 else count - count % in_flight
            rows.append(
                await measure(
                    f"awaited, {in_flight} in flight",
                    sends,
                    lambda n=in_flight, s=sends: awaited(producer, s, n),  # type: ignore[misc]
                )
            )
        rows.append(await measure("unawaited", count, lambda: unawaited(producer, count)))
    options = pocketmq.ProducerOptions(in_flight_max=4096, batching=pocketmq.Batching(linger_ms=2))
    async with started(name_server, options) as producer:
        await awaited(producer, count // 10, 256)
        rows.append(await measure("gathered", count, lambda: unawaited(producer, count)))
    return rows


@contextlib.asynccontextmanager
async def started(
    name_server: str, options: pocketmq.ProducerOptions
) -> AsyncIterator[pocketmq.Producer]:
    """A producer that has a connection."""
    async with pocketmq.Producer(name_server, group="bench", options=options) as producer:
        await producer.send(TOPIC, BODY)
        yield producer


def import_ms(what: str) -> float:
    """The best of several imports in processes of their own, without the interpreter's start."""
    script = (
        f"import time; t = time.perf_counter(); {what}; print((time.perf_counter() - t) * 1000)"
    )
    return min(
        float(
            subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
        )
        for _ in range(IMPORTS)
    )


@contextlib.contextmanager
def local_broker(core: int | None) -> Iterator[str]:
    """A name server and broker in a process of their own; yields the name server's address."""
    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        name_port, broker_port = probe.getsockname()[1], other.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pocketmq", "up", "--no-console", "--data", directory]
        command += ["--nameserver-port", str(name_port), "--broker-port", str(broker_port)]
        command += ["--set", "fast_port_offset=0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            _wait_for(name_port)
            _wait_for(broker_port)
            yield f"127.0.0.1:{name_port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--name-server", default="", help="measure against a running cluster")
    parser.add_argument("--count", type=int, default=100_000, help="messages for each row")
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
    servers = (
        contextlib.nullcontext(chosen.name_server)
        if chosen.name_server
        else local_broker(cores[1] if pinned else None)
    )
    with servers as name_server:
        loop = factory()
        try:
            rows = loop.run_until_complete(run(name_server, chosen.count))
        finally:
            loop.close()
        clients = java_told(name_server, "async", TOPIC, chosen.count // 2, cores)
        clients[f"{CPP} one by one"] = told(CPP, name_server, "sync", TOPIC, CPP_SENDS)
    imports = {what: import_ms(what) for what in IMPORTED}
    if chosen.json:
        found = {"import_ms": imports, "rows": [asdict(row) for row in rows], "clients": clients}
        print(json.dumps(found))
        return
    for what, took_ms in imports.items():
        print(f"{what:42} {took_ms:8.1f} ms")
    for row in rows:
        print(
            f"{row.name:26} {row.sends_per_second:10,.0f} sends/s  "
            f"{row.cpu_us_per_send:6.1f} us CPU  {row.wall_us_per_send:7.1f} us wall"
        )
    print(f"256 in flight: {beside(clients)}")


if __name__ == "__main__":
    main()
