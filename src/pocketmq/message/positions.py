"""The three kinds of position, kept apart by the type checker because mixing them corrupts data."""

from __future__ import annotations

from typing import NewType

LogOffset = NewType("LogOffset", int)
"""A byte in the commit log."""

QueueOffset = NewType("QueueOffset", int)
"""The n-th message of a queue."""

FilePosition = NewType("FilePosition", int)
"""A byte in one file."""
