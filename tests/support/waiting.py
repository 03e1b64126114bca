"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], within_seconds: float = 60) -> None:
    """Return as soon as `condition()` is true; fail when that does not happen in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_seconds
    while not condition():
        assert loop.time() < deadline, f"not true within {within_seconds} s"
        await asyncio.sleep(0.005)
