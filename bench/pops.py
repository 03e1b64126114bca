"""What popping and acknowledging costs: `python -m bench.pops`.

Some connections pop 32 messages at a time and acknowledge each by itself, all 32 acks in one write.
Messages are popped again and again, by one group after the other. They stay hidden for less time
than the warm-up takes, so that what is measured includes the check points and acks that come back
from the timer. The peers take turns; each is warmed before its window begins.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.generator import Window, build, run_load, run_pops
from bench.peers import QUEUES, ApachePeer, Peer, PocketMQPeer
from bench.remoting import Remote
from bench.rows import Work

TOPIC: Final = "bench_pop"
_FILL_SECONDS: Final = 60.0


def fill(peer: Peer, messages: int, body_bytes: int) -> None:
    """Send messages, many at a time, until so many are acknowledged."""
    with Remote(peer.port) as remote:
        remote.create_topic(TOPIC, QUEUES)
    work = Work("send", "json", 4, 64, ("--body-bytes", str(body_bytes)))
    stored = 0
    while stored < messages:
        window = Window(0, _FILL_SECONDS, messages - stored)
        accepted = run_load(peer, work, window, topic=TOPIC)["ok"]
        stored += accepted
        if stored < messages:
            time.sleep(0.1)  # a cold JVM asks for a moment's patience


def measure(peer: Peer, options: argparse.Namespace) -> dict[str, Any]:
    """What the generator found; the CPU figures are µs for each message. Raise LoadFailed."""
    fill(peer, options.messages, options.body_bytes)
    arguments = ["--topic", TOPIC, "--connections", str(options.connections)]
    arguments += ["--count", str(options.count)]
    arguments += ["--invisible-ms", str(options.invisible_seconds * 1000)]
    found = run_pops(peer, arguments, Window(options.warm_seconds, options.seconds))
    return {"messages_per_second": found["acknowledged"] / found["seconds"], **found}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--body-bytes", type=int, default=256)
    parser.add_argument("--count", type=int, default=32, help="messages a pop asks for")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--invisible-seconds", type=int, default=10)
    parser.add_argument("--warm-seconds", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--skip-apache", action="store_true")
    parser.add_argument("--work-dir", default=None)
    options = parser.parse_args()
    build()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        for name in ("pocketmq", "apache")[: 1 if options.skip_apache else 2]:
            where = Path(directory) / name
            peer = PocketMQPeer(where) if name == "pocketmq" else ApachePeer(where)
            try:
                peer.wait_for_first_send()
                found[name] = measure(peer, options)
            finally:
                peer.stop()
    if options.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(
            f"{name:9} {figures['messages_per_second']:10,.0f} messages/s popped and acknowledged  "
            f"{figures['server_cpu_us']:6.1f} µs CPU, generator {figures['client_cpu_us']:.1f} µs  "
            f"{figures['groups']} groups, {figures['empty']} empty pops"
        )
    if len(found) == 2:
        rates = {name: figures["messages_per_second"] for name, figures in found.items()}
        print(f"ratio     {rates['pocketmq'] / rates['apache']:10.2f}   bar: 3")


if __name__ == "__main__":
    main()
