"""The little server of these tests: request codes with telling behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pocketmq.errors import Refused
from pocketmq.net import Connection, Dispatch, ListenConfig, Server
from pocketmq.protocol.command import Command

ECHO = 1001
LATER = 1002
REFUSING = 1003
BREAKING = 1004
BREAKING_LATER = 1005
LARGE = 1006
WHO = 1007

LARGE_BYTES = 256 * 1024


class Behaviour:
    """Handlers, and what they saw."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.served = 0
        self.waiting = 0
        self.gone: list[Connection] = []
        self.seen: list[Connection] = []

    def dispatch(self) -> Dispatch:
        """The service made of these handlers."""
        return Dispatch(
            {
                ECHO: self.echo,
                LATER: self.later,
                REFUSING: self.refuse,
                BREAKING: self.break_down,
                BREAKING_LATER: self.break_down_later,
                LARGE: self.large,
                WHO: self.who,
            },
            on_disconnect=self.gone.append,
            role="test server",
        )

    def echo(self, connection: Connection, command: Command) -> Command:
        """Answer with the same fields and body."""
        self.served += 1
        self.seen.append(connection)
        return command.reply(fields=dict(command.fields), body=bytes(command.body))

    async def later(self, connection: Connection, command: Command) -> Command:
        """Answer when released."""
        self.waiting += 1
        try:
            await self.release.wait()
        finally:
            self.waiting -= 1
        return command.reply(body=b"late")

    def refuse(self, connection: Connection, command: Command) -> Command:
        """Refuse on purpose."""
        raise Refused(29, "that parameter is not valid")

    def break_down(self, connection: Connection, command: Command) -> Command:
        """Fail by accident."""
        raise KeyError("unexpected")

    async def break_down_later(self, connection: Connection, command: Command) -> Command:
        """Fail by accident while waiting."""
        raise KeyError("unexpected later")

    def large(self, connection: Connection, command: Command) -> Command:
        """Answer with much more than was asked."""
        self.served += 1
        return command.reply(body=bytes(LARGE_BYTES))

    def who(self, connection: Connection, command: Command) -> Command:
        """Tell the addresses of the connection."""
        return command.reply(fields={"peer": str(connection.peer), "local": str(connection.local)})


@asynccontextmanager
async def serving(
    config: ListenConfig | None = None,
) -> AsyncIterator[tuple[Server, Behaviour]]:
    """A started server of `Behaviour`, stopped at the end."""
    behaviour = Behaviour()
    server = Server(behaviour.dispatch(), config or ListenConfig())
    await server.start()
    try:
        yield server, behaviour
    finally:
        behaviour.release.set()
        await server.stop()
