"""How long one plain send takes: `python -m bench.sdk_blocking`.

Starts a broker of ours in a process of its own and sends 1 KiB messages one at a time from here:
by `pocketmq.blocking` and by the C++ client (the PyPI package `rocketmq` 0.4.4), each in a process
of its own, in turns, several rounds each, and once by the Java client. Prints medians, and the
ratio of the rounds' medians. A client that cannot be had is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

from bench.official import CPP, JAVA, Told, told
from bench.sdk import local_broker

TOPIC = "bench-blocking"
BODY = b"0123456789abcdef" * 64
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


WAYS = {"ours": ours, "by loop": by_loop}


def in_its_own_process(way: str, name_server: str, count: int) -> Told:
    """One round of a way to send."""
    if way not in WAYS:
        return told(way, name_server, "sync", TOPIC, count)
    command = [sys.executable, "-m", "bench.sdk_blocking", "--way", way]
    command += ["--name-server", name_server, "--count", str(count)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300)
    found: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return found


def compare(name_server: str, count: int, rounds: int) -> dict[str, Told]:
    """Measure all ways in turns; the medians of each, or why it was not measured."""
    seen: dict[str, list[dict[str, float]]] = {way: [] for way in (*WAYS, CPP)}
    found: dict[str, Told] = {}
    for _ in range(rounds):
        for way in [way for way in seen if way not in found]:
            figures = in_its_own_process(way, name_server, count)
            if isinstance(figures, str):
                found[way] = figures
            else:
                seen[way].append(figures)
    for way in [way for way in seen if way not in found]:
        found[way] = {
            name: statistics.median(row[name] for row in seen[way]) for name in ("p50_us", "p99_us")
        }
    found[JAVA] = in_its_own_process(JAVA, name_server, count)
    return found


def show(found: dict[str, Told]) -> None:
    """Print what came out."""
    for way, figures in found.items():
        if isinstance(figures, str):
            print(f"  {way:8s} not measured: {figures}")
        else:
            print(f"  {way:8s} p50 {figures['p50_us']:7.1f}   p99 {figures['p99_us']:7.1f}")
    mine, theirs = found["ours"], found[CPP]
    if not isinstance(mine, str) and not isinstance(theirs, str):
        print(f"ours takes {mine['p50_us'] / theirs['p50_us']:.2f} times as long as C++ (p50)")


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
        print(json.dumps({"p50_us": statistics.median(found), "p99_us": p99}))
        return
    running = nullcontext(options.name_server) if options.name_server else local_broker(None)
    with running as name_server:
        medians = compare(name_server, options.count, options.rounds)
    if options.json:
        print(json.dumps(medians))
        return
    print(
        f"one send of {len(BODY)} bytes at a time, µs, {options.rounds} rounds of {options.count}"
    )
    show(medians)


if __name__ == "__main__":
    main()
