"""How handling a message ended: it is consumed, it comes again later, or it is given up.

A handler that returns has consumed the message; one that raises has not, and the message comes
again. To say more, raise or return one of

    RetryIn(seconds)     deliver it again after this time
    Reject()             never again: move it to the dead letters

Brokers delay by levels, so a retry waits for the next level that is at least as long.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pocketmq.client.messages import Delay

DELAY_LEVEL_SECONDS: Final = (
    1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200,
)  # fmt: skip

BY_BROKER: Final = 0
"""The delay level that leaves the choice to the broker: longer with each attempt."""
DEAD_LETTER: Final = -1
"""The delay level that moves a message to the dead letters."""


class RetryIn(Exception):
    """Raise or return it in a handler: the message comes again, after `delay` seconds.

    Without a delay the broker chooses: 10 s at first, then longer each time.

    >>> RetryIn(30)
    RetryIn(30)
    """

    def __init__(self, delay: Delay | None = None) -> None:
        super().__init__("" if delay is None else f"in {delay}")
        self.delay = delay

    @property
    def seconds(self) -> float | None:
        """The delay in seconds; None when it is left to the broker."""
        delay = self.delay
        return delay.total_seconds() if isinstance(delay, timedelta) else delay

    def __repr__(self) -> str:
        return f"RetryIn({'' if self.delay is None else self.delay!r})"


class Reject(Exception):
    """Raise or return it in a handler: the message goes to the group's dead letters at once."""


Verdict = RetryIn | Reject | None
"""None: consumed."""


def verdict_of(result: object) -> Verdict:
    """What a handler's result means. Anything but RetryIn and Reject means consumed."""
    return result if isinstance(result, (RetryIn, Reject)) else None


def verdict_of_error(error: BaseException, retry_in: Delay | None) -> RetryIn | Reject:
    """What a handler's exception means; `retry_in` is the consumer's own delay."""
    if isinstance(error, (RetryIn, Reject)):
        return error
    return RetryIn(retry_in)


def delay_level(seconds: float | None) -> int:
    """The level of a delay: the shortest that is not too short, or the longest there is.

    >>> delay_level(7), delay_level(None), delay_level(86400)
    (3, 0, 18)
    """
    if seconds is None:
        return BY_BROKER
    for level, length in enumerate(DELAY_LEVEL_SECONDS, start=1):
        if seconds <= length:
            return level
    return len(DELAY_LEVEL_SECONDS)


def send_back_level(verdict: RetryIn | Reject, attempt: int, attempts_max: int | None) -> int:
    """The delay level to return a message with; DEAD_LETTER when it has had its attempts."""
    if isinstance(verdict, Reject) or (attempts_max is not None and attempt >= attempts_max):
        return DEAD_LETTER
    return delay_level(verdict.seconds)
