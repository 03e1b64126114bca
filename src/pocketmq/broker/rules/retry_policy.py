"""How long a message waits before it is consumed again, when its group has a policy of its own.

    {"type": "EXPONENTIAL", "exponentialRetryPolicy": {"initial": ms, "max": ms, "multiplier": n}}
    {"type": "CUSTOMIZED",  "customizedRetryPolicy": {"next": [ms, ms, ...]}}

Without a policy the delay levels count. A customized list is read like theirs: the first retry
takes the third entry, and the last entry serves all further ones.
"""

from __future__ import annotations

from typing import Any, Final

_EXPONENT_MAX: Final = 32
_INITIAL_MS: Final = 5000
_MAX_MS: Final = 7_200_000
_MULTIPLIER: Final = 2
_SKIPPED: Final = 2


def own_delay_ms(policy: Any, reconsume_times: int) -> int | None:
    """The delay that a group's policy gives; None when it has none, or none that can be read."""
    if not isinstance(policy, dict):
        return None
    times = max(reconsume_times, 0)
    if policy.get("type") == "EXPONENTIAL":
        return _exponential(policy.get("exponentialRetryPolicy"), times)
    return _customized(policy.get("customizedRetryPolicy"), times)


def _exponential(policy: Any, times: int) -> int | None:
    if not isinstance(policy, dict):
        return None
    initial = _number(policy.get("initial"), _INITIAL_MS)
    longest = _number(policy.get("max"), _MAX_MS)
    multiplier = _number(policy.get("multiplier"), _MULTIPLIER)
    if initial is None or longest is None or multiplier is None:
        return None
    return int(min(longest, initial * multiplier ** min(times, _EXPONENT_MAX)))


def _customized(policy: Any, times: int) -> int | None:
    delays = policy.get("next") if isinstance(policy, dict) else None
    if not isinstance(delays, list) or not delays:
        return None
    return _number(delays[min(times + _SKIPPED, len(delays) - 1)], None)


def _number(value: Any, default: int | None) -> int | None:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
