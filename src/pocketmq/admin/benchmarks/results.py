"""What a measurement found, while it runs and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pocketmq.admin.benchmarks.histogram import Histogram
from pocketmq.admin.benchmarks.plan import Plan

BUSY_SHARE: Final = 0.85
"""Of a core: a generator that uses more can hardly do more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The last moment of a measurement that runs."""

    step: str
    seconds: float
    messages: int
    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Result:
    """All of it. Latency counts from a send to its answer, or to the handler of its message.

    `failures` are sends that failed, by reason. `out_of_order` counts messages of the load
    `ordered` that overtook one of their key. `busy_share` is how much of one core this process
    used, and `loop_late_ms` how late its event loop was at worst: one that is busy measures itself.
    """

    plan: Plan
    seconds: float = 0.0
    messages: int = 0
    latency: Histogram = field(default_factory=Histogram)
    failures: dict[str, int] = field(default_factory=dict)
    out_of_order: int = 0
    busy_share: float = 0.0
    loop_late_ms: float = 0.0

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes of bodies a second."""
        return self.per_second * self.plan.body_bytes

    @property
    def is_own_limit(self) -> bool:
        """Whether the generator, and not what it measures, set the figures."""
        return self.busy_share >= BUSY_SHARE
