"""The event loops that tests of sockets run on: the standard one, and uvloop where it is there.

A directory opts in with a conftest.py that imports `pytest_asyncio_loop_factories` from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

try:
    import uvloop
except ImportError:  # Windows, and installations without the server extra
    uvloop = None

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """Each asynchronous test runs once on every loop."""
    factories: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if uvloop is not None:
        factories["uvloop"] = uvloop.new_event_loop
    return factories
