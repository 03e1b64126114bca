"""Which brokers to leave alone for a while, because they failed or were slow.

    answered after   50   100   550   1800  3000  5000  15000 ms or more
    left alone for   0    0     2     5     6     10    30 s

A broker that failed outright is left alone for ten seconds. This is advice: when every broker is to
be left alone, any is used. One that answers well is welcome again at once.
"""

from __future__ import annotations

from typing import Final

LATENCY_STEPS_MS: Final = (15_000, 5_000, 3_000, 1_800, 550)
PAUSE_STEPS_SECONDS: Final = (30.0, 10.0, 6.0, 5.0, 2.0)
FAILURE_PAUSE_SECONDS: Final = 10.0


def pause_seconds(latency_ms: float) -> float:
    """How long a broker that took so long is left alone."""
    for step, pause in zip(LATENCY_STEPS_MS, PAUSE_STEPS_SECONDS, strict=True):
        if latency_ms >= step:
            return pause
    return 0.0


class Faults:
    """The brokers of one producer that are left alone. Times are the loop's."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def failed(self, broker_name: str, now: float) -> None:
        """It did not do what it was asked."""
        self._until[broker_name] = now + FAILURE_PAUSE_SECONDS

    def answered(self, broker_name: str, latency_ms: float, now: float) -> None:
        """It answered; how fast decides."""
        pause = pause_seconds(latency_ms)
        if pause:
            self._until[broker_name] = now + pause
        else:
            self._until.pop(broker_name, None)

    def recovered(self, broker_name: str) -> None:
        """It works again."""
        self._until.pop(broker_name, None)

    def is_avoided(self, broker_name: str, now: float) -> bool:
        """True while it should be left alone."""
        until = self._until.get(broker_name)
        if until is None:
            return False
        if until <= now:
            del self._until[broker_name]
            return False
        return True

    def avoided(self, now: float) -> dict[str, float]:
        """Broker name -> seconds it is still left alone, for `explain`."""
        return {name: until - now for name, until in self._until.items() if until > now}
