"""From request code to handler, and from exception to answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pocketmq.errors import ProtocolError, Refused, StoreFull, StoreNotWritable
from pocketmq.net.connection import Connection, FrameHandler, Reply, Served
from pocketmq.net.rounds import Take
from pocketmq.net.turns import TakeTurn
from pocketmq.protocol.command import Command

_log = logging.getLogger(__name__)

Handler = Callable[[Connection, Command], Served]

SYSTEM_ERROR: Final = 1
REQUEST_CODE_NOT_SUPPORTED: Final = 3


class Dispatch:
    """A `Service` made of a table: request code -> handler.

    A handler refuses by raising `Refused`. What breaks the protocol is answered with SYSTEM_ERROR
    and the reason, as Apache does; what the disk does not allow likewise, and is logged; an
    unexpected exception likewise, and is logged with its trace.
    """

    def __init__(
        self,
        routes: Mapping[int, Handler],
        *,
        frame_handlers: Mapping[int, FrameHandler] | None = None,
        take: Take | None = None,
        take_turn: TakeTurn | None = None,
        on_disconnect: Callable[[Connection], None] | None = None,
        role: str = "server",
    ) -> None:
        self._routes = routes
        self.frame_handlers: Mapping[int, FrameHandler] = frame_handlers or {}
        self.take = take
        self.take_turn = take_turn
        self._on_disconnect = on_disconnect
        self._role = role

    def serve(self, connection: Connection, command: Command) -> Served:
        """Answer one request."""
        handler = self._routes.get(command.code)
        if handler is None:
            return unsupported(command, self._role)
        try:
            served = handler(connection, command)
        except Exception as error:  # noqa: BLE001 - the edge of every handler
            return error_reply(command, error, connection)
        if served is None or isinstance(served, Command):
            return served
        return guarded(connection, command, served)

    def connected(self, connection: Connection) -> None:
        """Nothing to prepare for a new connection."""

    def disconnected(self, connection: Connection) -> None:
        """Tell whoever keeps session data."""
        if self._on_disconnect is not None:
            self._on_disconnect(connection)


async def guarded(connection: Connection, command: Command, served: Awaitable[Reply]) -> Reply:
    """What a handler answers later, or the answer to what it raises."""
    try:
        return await served
    except Exception as error:  # noqa: BLE001 - the edge of every handler
        return error_reply(command, error, connection)


def unsupported(command: Command, role: str) -> Command:
    """The answer to a request code that nobody handles."""
    return command.reply(
        REQUEST_CODE_NOT_SUPPORTED,
        f"request code {command.code} is not supported by this {role}",
    )


def error_reply(command: Command, error: Exception, connection: Connection) -> Command:
    """The answer to a request whose handler raised `error`."""
    if isinstance(error, Refused):
        return command.reply(error.code, error.remark, error.fields)
    if isinstance(error, ProtocolError):
        return command.reply(SYSTEM_ERROR, str(error))
    if isinstance(error, (StoreFull, StoreNotWritable)):
        _log.error("request failed code=%d peer=%s reason=%s", command.code, connection.peer, error)
        return command.reply(SYSTEM_ERROR, str(error))
    _log.error("request failed code=%d peer=%s", command.code, connection.peer, exc_info=error)
    return command.reply(SYSTEM_ERROR, f"{type(error).__name__}: {error}")
