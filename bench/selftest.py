"""Checks the load generator against the echo server with every kind of load."""

from __future__ import annotations

from pathlib import Path

from bench.generator import BUILD, LoadFailed, Window, fill_pull_topic, run_load
from bench.peers import EchoPeer
from bench.rows import ROWS

REQUESTS = 5_000
PULLED_MESSAGES = 32


def check_generator(directory: Path) -> int:
    """Run each kind of load once and return how many there were; raise LoadFailed if one is off."""
    echo = EchoPeer(BUILD, directory, None)
    works = list(dict.fromkeys(row.work for row in ROWS))
    try:
        fill_pull_topic(echo, REQUESTS)
        for work in works:
            report = run_load(echo, work, Window(0.0, 10.0, REQUESTS))
            expected = report["requests"] * (PULLED_MESSAGES if work.is_pull else 1)
            if report["requests"] < REQUESTS or report["messages"] != expected:
                raise LoadFailed(f"{work} answered {report}")
            latency = report["latency_us"]
            if not 0 < latency["p50"] <= latency["p99"] <= latency["p999"] <= latency["max"]:
                raise LoadFailed(f"{work} has impossible latencies {latency}")
            if not report["client_cpu_us"] > 0 or not report["server_cpu_us"] > 0:
                raise LoadFailed(f"{work} has no CPU figures: {report}")
    finally:
        echo.stop()
    return len(works)
