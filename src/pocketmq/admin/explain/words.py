"""Times, sizes and counts as words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPANS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_SHOWN_MAX: Final = 5


def moment(time_ms: int) -> str:
    """A time as local time, to the second.

    >>> moment(0)[:3] in ("196", "197")
    True
    """
    return datetime.fromtimestamp(time_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def lasting(span_ms: int) -> str:
    """A stretch of time in its two largest units.

    >>> lasting(90_000), lasting(400), lasting(3_600_000)
    ('1 minute 30 seconds', '400 ms', '1 hour')
    """
    if span_ms < 1000:
        return f"{max(span_ms, 0)} ms"
    seconds = span_ms // 1000
    parts: list[str] = []
    for size, name in _SPANS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(counted(count, name) if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def relative(time_ms: int, now_ms: int) -> str:
    """`in 5 seconds`, `2 hours ago`, or `now`."""
    if abs(time_ms - now_ms) < 1000:
        return "now"
    if time_ms > now_ms:
        return f"in {lasting(time_ms - now_ms)}"
    return f"{lasting(now_ms - time_ms)} ago"


def when(time_ms: int, now_ms: int) -> str:
    """A time and how far away it is: `2026-11-21 15:30:12 (3 minutes ago)`."""
    return f"{moment(time_ms)} ({relative(time_ms, now_ms)})"


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "message"), counted(12_000, "message"), counted(2, "retry")
    ('1 message', '12,000 messages', '2 retries')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural}"


def times(count: int) -> str:
    """How often.

    >>> times(1), times(2), times(16)
    ('once', 'twice', '16 times')
    """
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def size(size_bytes: int) -> str:
    """A number of bytes.

    >>> size(1), size(197), size(1536)
    ('1 byte', '197 bytes', '1.5 KiB')
    """
    if size_bytes == 1:
        return "1 byte"
    amount, unit = float(size_bytes), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount /= 1024
        unit += 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def listed(names: Sequence[str], shown_max: int = _SHOWN_MAX) -> str:
    """Names with commas and an `and`; of many, the first few.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(list("abcdefgh"))
    ('a', 'a, b and c', 'a, b, c, d, e and 3 more')
    """
    if len(names) > shown_max:
        return ", ".join(names[:shown_max]) + f" and {len(names) - shown_max} more"
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + f" and {names[-1]}"
