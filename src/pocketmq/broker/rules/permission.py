"""Permission bits of brokers and topics."""

from __future__ import annotations

from typing import Final

INHERIT: Final = 1
"""Topics may be created after this one's example."""
WRITE: Final = 2
READ: Final = 4


def readable(permission: int) -> bool:
    """True when messages may be taken."""
    return bool(permission & READ)


def writable(permission: int) -> bool:
    """True when messages may be stored."""
    return bool(permission & WRITE)


def inheritable(permission: int) -> bool:
    """True when topics may be created after this one's example."""
    return bool(permission & INHERIT)
