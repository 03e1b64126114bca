"""Name servers in the test's own process, on free ports, and what to ask them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.support.raw_peer import RawPeer
from tests.support.registrations import register_command

from pocketmq.clock import Clock
from pocketmq.nameserver.app import NameServerApp
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.protocol.bodies.fastjson import loads
from pocketmq.protocol.command import Command


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


async def ask(peer: RawPeer, code: int, body: bytes = b"", /, **fields: str) -> Command:
    """The answer to a request."""
    return await peer.ask(Command.request(code, fields, body))


async def told(peer: RawPeer, code: int, body: bytes = b"", /, **fields: str) -> Any:
    """The document in the answer to a request, which must be a success."""
    answer = await ask(peer, code, body, **fields)
    assert answer.code == 0, answer.remark
    return loads(bytes(answer.body))


async def register(peer: RawPeer, command: Command | None = None) -> Command:
    """The answer to a registration, which must be a success."""
    answer = await peer.ask(command or register_command())
    assert answer.code == 0, answer.remark
    return answer
