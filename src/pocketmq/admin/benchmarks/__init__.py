"""Measures any RocketMQ with the SDK: how fast it takes and hands out messages, and how soon.

    result = await run_benchmark(Plan("send", seconds=5), ClientConfig.of("127.0.0.1:9876"))
    print(result.per_second, result.latency.quantile_ms(0.99))

A topic of its own is made for it, and deleted afterwards.
"""

from __future__ import annotations

from pocketmq.admin.benchmarks.histogram import Histogram
from pocketmq.admin.benchmarks.plan import LOADS, Load, Plan
from pocketmq.admin.benchmarks.results import Progress, Result
from pocketmq.admin.benchmarks.running import run_benchmark

__all__ = ["LOADS", "Histogram", "Load", "Plan", "Progress", "Result", "run_benchmark"]
