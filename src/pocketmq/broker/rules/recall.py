"""Recall handles: what a producer keeps to take back a timed message.

    base64url("v1" " " topic " " broker name " " moment in ms " " unique key)

The moment is TIMER_OUT_MS + 1, which rounds to the same slot of the timer.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

_VERSION: Final = "v1"
_HANDLE_CHARACTERS_MAX: Final = 8192


class RecallHandle(NamedTuple):
    """What a handle says."""

    topic: str
    broker_name: str
    moment_ms: int
    unique_key: str


def make_handle(topic: str, broker_name: str, due_ms: int, unique_key: str) -> str:
    """The handle of a message whose TIMER_OUT_MS is `due_ms`."""
    text = f"{_VERSION} {topic} {broker_name} {due_ms + 1} {unique_key}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_handle(handle: str) -> RecallHandle:
    """What a handle says. Raise ValueError when it is none."""
    if not handle:
        raise ValueError("recall handle is invalid")
    if len(handle) > _HANDLE_CHARACTERS_MAX:
        raise ValueError("recall handle is invalid: it is too long")
    try:
        padded = handle + "=" * (-len(handle) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise ValueError("parse recall handle failed: it is not base64") from None
    parts = text.split(" ")
    if parts[0] != _VERSION or len(parts) != 5:
        raise ValueError("recall handle is invalid: it is not of version v1")
    _, topic, broker_name, moment, unique_key = parts
    moment_ms = int(moment) if moment.isascii() and moment.isdigit() and len(moment) < 19 else -1
    return RecallHandle(topic, broker_name, moment_ms, unique_key)
