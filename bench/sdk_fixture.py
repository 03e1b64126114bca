"""How long a test waits for its broker: `python -m bench.sdk_fixture`.

Opens what the pytest fixture `rocketmq` opens, again and again, after the first has paid for the
imports. Prints milliseconds until it is ready: the median, the best and the worst.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from pocketmq.testing import broker


def ready_ms() -> float:
    """Milliseconds until a broker of a test's own is ready."""
    began = time.perf_counter()
    with broker():
        return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=30, help="brokers to open")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args()
    cold = ready_ms()
    warm = [ready_ms() for _ in range(chosen.count)]
    found = {
        "cold_ms": cold,
        "median_ms": statistics.median(warm),
        "best_ms": min(warm),
        "worst_ms": max(warm),
    }
    if chosen.json:
        print(json.dumps(found))
        return
    for name, took_ms in found.items():
        print(f"{name:10} {took_ms:8.1f} ms")


if __name__ == "__main__":
    main()
