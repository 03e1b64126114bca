"""What stands between connections and handlers when access control is on.

Handlers have short ways that serve a request from its frame, or many of one read at once, without
a `Command` (`frame_handlers`, `take`, `take_turn`). Here there are none: every frame becomes a
command, and every command is checked. When access control is off, this is not there at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pocketmq.net import Connection, Service
from pocketmq.net.connection import FrameHandler, Served, Take
from pocketmq.net.dispatch import error_reply
from pocketmq.net.turns import TakeTurn
from pocketmq.protocol.command import Command

Admit = Callable[[Connection, Command], None]


class Checked:
    """A service behind a check, which raises for what may not pass."""

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
            self._admit(connection, command)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it may not pass
            return error_reply(command, error, connection)
        return self._service.serve(connection, command)

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        self._service.connected(connection)

    def disconnected(self, connection: Connection) -> None:
        """A connection is closed."""
        self._service.disconnected(connection)
