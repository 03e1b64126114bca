"""What people type: moments, durations, pairs and queues."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from pocketmq.clock import SystemClock
from pocketmq.errors import ConfigError

FIRST = "first"
END = "end"
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_MQADMIN = re.compile(r"(\d{4}-\d\d-\d\d)#(\d\d:\d\d:\d\d):(\d{3})")


def moment_ms(text: str, flag: str) -> int:
    """The milliseconds since 1970 that a text means. Raise ConfigError.

    `30m` is that long ago; `2026-11-21T13:30:00` is local time unless it says otherwise; a number
    is milliseconds since 1970, as RocketMQ's tools have it.
    """
    ago = _DURATION.fullmatch(text)
    if ago is not None:
        return round(SystemClock.now_ms() - float(ago[1]) * _UNITS_MS[ago[2]])
    if text == "now":
        return SystemClock.now_ms()
    if text.isdigit() and len(text) >= 10:
        return int(text)
    iso = _MQADMIN.sub(r"\1T\2.\3", text)
    if iso.endswith(("Z", "z")):
        iso = iso[:-1] + "+00:00"
    try:
        return round(datetime.fromisoformat(iso).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"{flag} {text}: say a time such as 2026-11-21T13:30:00, or how long ago, such as 30m"
        ) from None


def seconds_of(text: str, flag: str) -> float:
    """The seconds in a duration such as 500ms, 10s, 5m, 2h or 1d; a bare number is seconds.

    Raise ConfigError.
    """
    found = _DURATION.fullmatch(text)
    if found is not None:
        return float(found[1]) * _UNITS_MS[found[2]] / 1000
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigError(f"{flag} {text}: say a duration such as 500ms, 10s, 5m, 2h or 1d")
    return seconds


def pairs(texts: Iterable[str], flag: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a map. Raise ConfigError."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{flag} {text}: write it as NAME=VALUE")
        found[name] = value
    return found


def queue_of(text: str, flag: str) -> tuple[str, int]:
    """`BROKER:QUEUE` as broker name and number. Raise ConfigError."""
    broker, colon, number = text.rpartition(":")
    if not colon or not broker or not number.isdigit():
        raise ConfigError(f"{flag} {text}: write it as BROKER:QUEUE, such as broker-a:0")
    return broker, int(number)


def ago(time_ms: int, now_ms: int | None = None) -> str:
    """How long ago a moment is, roughly; nothing for none."""
    if time_ms <= 0:
        return ""
    now = SystemClock.now_ms() if now_ms is None else now_ms
    return duration(max(now - time_ms, 0))


def duration(span_ms: int) -> str:
    """A span of time, roughly: its largest unit, and the next one."""
    seconds = span_ms // 1000
    for unit, size, part, part_size in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60)):
        if seconds >= size:
            return _two(seconds // size, unit, seconds % size // part_size, part)
    if seconds >= 60:
        return _two(seconds // 60, "m", seconds % 60, "s")
    return f"{seconds}s" if seconds or not span_ms else f"{span_ms}ms"


def _two(count: int, unit: str, rest: int, part: str) -> str:
    return f"{count}{unit} {rest}{part}" if rest else f"{count}{unit}"
