"""How long one plain send takes: `python -m bench.sdk_blocking`.

Starts a broker of ours in a process of its own and sends 1 KiB messages one at a time from here:
by `pocketmq.blocking` and by the C++ client (the PyPI package `rocketmq` 0.4.4, in a process of its
own), in turns, several rounds each. Prints medians, and the ratio of the rounds' medians. Without
the C++ client, for which `make interop` builds a place, only ours is measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.peers import cpp_command

from bench.sdk import local_broker

TOPIC = "bench-blocking"
TEXT = "0123456789abcdef" * 64  # the C++ client takes text alone
BODY = TEXT.encode()
WARM_UP = 300


def measured(send: Callable[[], object], count: int) -> list[float]:
    """Microseconds of each of `count` sends."""
    found = []
    for _ in range(WARM_UP):
        send()
    for _ in range(count):
        began = time.perf_counter()
        send()
        found.append((time.perf_counter() - began) * 1e6)
    return found


def ours(name_server: str, count: int) -> list[float]:
    """Sends by the plain producer."""
    from pocketmq.blocking import Producer

    with Producer(name_server, group="bench") as producer:
        return measured(lambda: producer.send(TOPIC, BODY, tag="bench"), count)


def by_loop(name_server: str, count: int) -> list[float]:
    """Sends that the calling thread hands to the event loop: what the short way saves."""
    from pocketmq.blocking import Producer

    with Producer(name_server, group="bench") as producer:
        return measured(
            lambda: producer.send(TOPIC, BODY, tag="bench", properties={"a": "b"}), count
        )


def cpp(name_server: str, count: int) -> list[float]:
    """Sends by the C++ client; its package must be on the path."""
    client: Any = importlib.import_module("rocketmq.client")
    producer = client.Producer("bench-cpp")
    producer.set_namesrv_addr(name_server)
    producer.start()
    try:

        def send() -> None:
            message = client.Message(TOPIC)
            message.set_tags("bench")
            message.set_body(TEXT)
            producer.send_sync(message)

        return measured(send, count)
    finally:
        producer.shutdown()


WAYS = {"ours": ours, "by loop": by_loop, "C++": cpp}


def in_its_own_process(way: str, name_server: str, count: int) -> dict[str, float]:
    """One round of a way to send."""
    interpreter = [sys.executable]
    if way == "C++":
        interpreter = cpp_command()[:-1]  # with the package on its path
    command = [*interpreter, "-m", "bench.sdk_blocking", "--way", way]
    command += ["--name-server", name_server, "--count", str(count)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300)
    found: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return found


def compare(name_server: str, count: int, rounds: int, *, as_json: bool) -> None:
    """Measure all ways in turns and print what came out."""
    ways = list(WAYS)
    try:
        cpp_command()
    except PeerUnavailable as error:
        print(f"without the C++ client: {error}", file=sys.stderr)
        ways.remove("C++")
    seen: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            seen[way].append(in_its_own_process(way, name_server, count))
    if as_json:
        print(
            json.dumps({w: statistics.median(r["p50"] for r in rows) for w, rows in seen.items()})
        )
        return
    print(f"one send of {len(BODY)} bytes at a time, microseconds, {rounds} rounds of {count}")
    medians = {}
    for way, found in seen.items():
        medians[way] = statistics.median(row["p50"] for row in found)
        p99 = statistics.median(row["p99"] for row in found)
        print(f"  {way:8s} p50 {medians[way]:7.1f}   p99 {p99:7.1f}")
    if "C++" in medians:
        print(f"ours takes {medians['ours'] / medians['C++']:.2f} times as long as C++ (p50)")


def main() -> None:
    """Compare, or measure one way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=list(WAYS))
    parser.add_argument("--name-server", default="")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    options = parser.parse_args()
    if options.way:
        found = sorted(WAYS[options.way](options.name_server, options.count))
        p99 = found[int(len(found) * 0.99)]
        print(json.dumps({"p50": statistics.median(found), "p99": p99}))
        return
    running = nullcontext(options.name_server) if options.name_server else local_broker(None)
    with running as name_server:
        compare(name_server, options.count, options.rounds, as_json=options.json)


if __name__ == "__main__":
    main()
