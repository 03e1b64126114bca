"""A broker that answers as a test says: for answers that a real one gives only on a bad day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from pocketmq.net import Connection, Dispatch, ListenConfig, Server
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

Script = Callable[[Command], "Command | None"]
STORED_BUT_NOT_SAFE = (10, 11, 12)
SENDS = (RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE)


def stored(command: Command) -> Command:
    """The answer of a broker that has stored a message."""
    fields = {
        "msgId": "7F00000100002A9F0000001122334455",
        "queueId": command.fields["e"],
        "queueOffset": "5",
        "MSG_REGION": "DefaultRegion",
        "TRACE_ON": "true",
    }
    return command.reply(fields=fields)


def _refuse(code: int, command: Command) -> Command:
    if code in STORED_BUT_NOT_SAFE:
        reply = stored(command)
        reply.code = code
        return reply
    return command.reply(code, "scripted")


@dataclass
class ScriptedBroker:
    """Its address, what it was sent, and what it will answer next."""

    server: Server
    sends: list[Command] = field(default_factory=list)
    others: list[Command] = field(default_factory=list)
    other_codes: dict[int, int] = field(default_factory=dict)
    """Request code -> answer code, for what is no send."""
    connections: list[Connection] = field(default_factory=list)
    answers: list[Script] = field(default_factory=list)
    """Taken from the front, one for each send; then sends are stored."""
    version: int = 479

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server.port}"

    def will_answer(self, *codes: int) -> None:
        """Answer the next sends with these codes."""
        for code in codes:
            self.answers.append(partial(_refuse, code))

    def send(self, connection: Connection, command: Command) -> Command | None:
        """A send has come."""
        self.sends.append(command)
        script = self.answers.pop(0) if self.answers else stored
        return self._stamped(script(command))

    def other(self, connection: Connection, command: Command) -> Command | None:
        """Anything else is fine."""
        self.others.append(command)
        if connection not in self.connections:
            self.connections.append(connection)
        return self._stamped(command.reply(self.other_codes.get(command.code, 0)))

    def _stamped(self, reply: Command | None) -> Command | None:
        if reply is not None:
            reply.version = self.version
        return reply


@asynccontextmanager
async def scripted_broker(config: ListenConfig | None = None) -> AsyncIterator[ScriptedBroker]:
    """A started one, stopped at the end."""
    routes: dict[int, Callable[[Connection, Command], Command | None]] = {}
    broker = ScriptedBroker(Server(Dispatch(routes), config or ListenConfig()))
    routes.update({int(code): broker.other for code in RequestCode})
    routes.update({int(code): broker.send for code in SENDS})
    await broker.server.start()
    try:
        yield broker
    finally:
        await broker.server.stop()
