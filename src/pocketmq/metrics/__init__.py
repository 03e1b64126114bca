"""Prometheus metrics of any RocketMQ cluster, with Apache's names, collected over the wire.

`Collector` makes pages of them; `http.metrics_routes` serves pages and health checks.
"""

from __future__ import annotations

from pocketmq.metrics.collector import Collector
from pocketmq.metrics.text import OPEN_METRICS_TYPE, TEXT_TYPE, Samples, wants_open_metrics

__all__ = ["OPEN_METRICS_TYPE", "TEXT_TYPE", "Collector", "Samples", "wants_open_metrics"]
