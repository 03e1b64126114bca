"""Attributes of topics: which there are, what they may be, and how a request changes them.

    queue.type       SimpleCQ BatchCQ                              set once, at creation
    cleanup.policy   DELETE                                        set once, at creation
    message.type     NORMAL FIFO DELAY TRANSACTION UNSPECIFIED     may change
    reserve.time     milliseconds, -1 for no limit of its own      may change

A request names changes: `+name=value` sets and `-name` removes; at creation only `+` makes sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pocketmq.errors import Refused
from pocketmq.protocol.bodies.topic_config import apply_attribute_changes
from pocketmq.protocol.codes import ResponseCode

QUEUE_TYPE: Final = "queue.type"
CLEANUP_POLICY: Final = "cleanup.policy"
MESSAGE_TYPE: Final = "message.type"
RESERVE_TIME: Final = "reserve.time"
MIXED: Final = "MIXED"

_FIXED: Final = (QUEUE_TYPE, CLEANUP_POLICY)
_CHOICES: Final = {
    QUEUE_TYPE: ("SimpleCQ", "BatchCQ"),
    CLEANUP_POLICY: ("DELETE",),
    MESSAGE_TYPE: ("NORMAL", "FIFO", "DELAY", "TRANSACTION", "UNSPECIFIED"),
}


def changed_attributes(
    known: Mapping[str, str] | None, changes: Mapping[str, str]
) -> dict[str, str]:
    """The attributes after a request. `known` is None for a topic being created. Raise Refused."""
    for signed, value in changes.items():
        sign, name = signed[:1], signed[1:]
        if sign not in ("+", "-"):
            raise _wrong(f"write +{signed}=value to set it or -{signed} to remove it")
        if name not in _CHOICES and name != RESERVE_TIME:
            names = ", ".join((*_CHOICES, RESERVE_TIME))
            raise _wrong(f"{name!r} is no attribute of topics; there are {names}")
        if known is None and sign == "-":
            raise _wrong(f"{name!r} cannot be removed from a topic that is being created")
        if known is not None and name in _FIXED and known.get(name) != value:
            raise _wrong(f"{name!r} cannot be changed; create another topic")
        if sign == "+":
            _check_value(name, value)
    return apply_attribute_changes(dict(known or {}), dict(changes))


def _check_value(name: str, value: str) -> None:
    if name == RESERVE_TIME:
        if not (value.isascii() and value.removeprefix("-").isdigit() and int(value) >= -1):
            raise _wrong(f"{name} is {value[:40]!r}; give milliseconds, or -1 for no limit")
    elif value == MIXED and name == MESSAGE_TYPE:
        raise Refused(
            ResponseCode.INVALID_PARAMETER, "message.type=MIXED is not allowed by this broker"
        )
    elif value not in _CHOICES[name]:
        choices = ", ".join(_CHOICES[name])
        raise _wrong(f"{name} is {value[:40]!r}; this broker supports {choices}")


def _wrong(reason: str) -> Refused:
    return Refused(ResponseCode.SYSTEM_ERROR, f"an attribute is wrong: {reason}")
