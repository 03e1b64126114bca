"""From where on something is a finding, and how long a doctor may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """All of it; the defaults suit most clusters."""

    call_timeout_ms: int = 3000
    """How long one server may take for one answer."""
    timeouts_max: int = 3
    """A server that lets so many questions time out is not asked any more."""
    total_seconds: float = 60.0
    """How long everything may take; what is not done by then is said to be missing."""
    apart_seconds: float = 3.0
    """How far apart the two looks at positions are."""
    clock_ms: int = 5000
    """Clocks may differ by this."""
    slow_answer_ms: int = 1000
    lag_least: int = 100
    """A smaller lag is no lag."""
    stuck_ms: int = 5 * 60_000
    """A message that has waited this long while its queue stands still is stuck."""
    dead_letters_fresh_ms: int = 60 * 60_000
    """Dead letters that came within this time are news."""
    members_asked_max: int = 20
    """Of each group."""
    queues_asked_max: int = 200
    """How many queues that stand still are looked at closely."""
    dispatch_behind_bytes: int = 64 * 1024 * 1024
