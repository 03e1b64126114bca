"""Name servers in the test's own process, on free ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from pocketmq.clock import Clock
from pocketmq.nameserver.app import NameServerApp
from pocketmq.nameserver.config import NameServerConfig


@asynccontextmanager
async def name_server(
    config: NameServerConfig | None = None, clock: Clock | None = None, *, port: int = 0
) -> AsyncIterator[NameServerApp]:
    """A started name server, stopped at the end."""
    config = config or NameServerConfig()
    app = NameServerApp(replace(config, listen=replace(config.listen, port=port)), clock)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()
