"""The native C++ client at work: `official_cpp.py <name server> <way> <topic> <count>`.

The way is `sync` (one send after the other) or `consume`. Runs in a process of its own with the
PyPI package `rocketmq` 0.4.4 on its path and prints what it did a second as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import threading
import time
from typing import Any

TEXT = "0123456789abcdef" * 64  # this client takes text alone
WARM_UP = 300
WAIT_SECONDS_MAX = 60

client: Any = importlib.import_module("rocketmq.client")


def send(name_server: str, topic: str, count: int) -> dict[str, float]:
    """Send one message after the other."""
    producer = client.Producer("bench-cpp")
    producer.set_namesrv_addr(name_server)
    producer.start()
    times = []
    for _ in range(WARM_UP + count):
        began = time.perf_counter()
        message = client.Message(topic)
        message.set_tags("bench")
        message.set_body(TEXT)
        producer.send_sync(message)
        times.append(time.perf_counter() - began)
    producer.shutdown()
    measured = sorted(times[WARM_UP:])
    return {
        "per_second": count / sum(measured),
        "p50_us": statistics.median(measured) * 1e6,
        "p99_us": measured[count * 99 // 100] * 1e6,
    }


def consume(name_server: str, topic: str, count: int) -> dict[str, float]:
    """Messages a second from the first to the last that a new group hears."""
    heard: list[float] = []
    enough = threading.Event()

    def received(_message: object) -> None:
        heard.append(time.perf_counter())
        if len(heard) == count:
            enough.set()

    consumer = client.PushConsumer("bench-cpp")
    consumer.set_namesrv_addr(name_server)
    consumer.subscribe(topic, received)
    consumer.start()
    if not enough.wait(WAIT_SECONDS_MAX):
        sys.exit(f"{len(heard)} of {count} messages heard in {WAIT_SECONDS_MAX} s")
    consumer.shutdown()
    return {"per_second": (count - 1) / (heard[count - 1] - heard[0])}


def main() -> None:
    """Do what the command line says."""
    name_server, way, topic, count = sys.argv[1:]
    work = {"sync": send, "consume": consume}[way]
    print(json.dumps(work(name_server, topic, int(count))), flush=True)
    # The library's threads may crash a process that ends in order.
    os._exit(0)


if __name__ == "__main__":
    main()
