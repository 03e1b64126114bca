"""What stands between connections and handlers when access control is on.

Handlers have short ways that serve a request from its frame, or many of one read at once, without
a `Command` (`frame_handlers`, `take`, `take_turn`). Here there are none: every frame becomes a
command, and every command is checked. When access control is off, this is not there at all.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from pocketmq.net import Connection, Service
from pocketmq.net.connection import FrameHandler, Reply, Served
from pocketmq.net.dispatch import error_reply, guarded
from pocketmq.net.rounds import Take
from pocketmq.net.turns import TakeTurn
from pocketmq.protocol.command import Command

_log = logging.getLogger(__name__)

Admit = Callable[[Connection, Command], "Awaitable[None] | None"]


class Checked:
    """A service behind a check, which raises for what may not pass, at once or when awaited."""

    def __init__(self, service: Service, admit: Admit) -> None:
        self._service = service
        self._admit = admit
        self.frame_handlers: Mapping[int, FrameHandler] = {}
        self.take: Take | None = None

    @property
    def take_turn(self) -> TakeTurn | None:
        """None: no read passes whole."""
        return None

    def serve(self, connection: Connection, command: Command) -> Served:
        """Answer one request, or say why not."""
        try:
            later = self._admit(connection, command)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it may not pass
            _log.debug("refused code=%d peer=%s reason=%s", command.code, connection.peer, error)
            return error_reply(command, error, connection)
        if later is None:
            return self._service.serve(connection, command)
        return guarded(connection, command, self._serve_after(later, connection, command))

    async def _serve_after(
        self, admitted: Awaitable[None], connection: Connection, command: Command
    ) -> Reply:
        await admitted
        served = self._service.serve(connection, command)
        return served if served is None or isinstance(served, Command) else await served

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        self._service.connected(connection)

    def disconnected(self, connection: Connection) -> None:
        """A connection is closed."""
        self._service.disconnected(connection)
