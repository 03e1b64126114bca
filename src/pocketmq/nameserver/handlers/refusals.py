"""Requests that are not for a name server: refused, with the reason and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol import refusals
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command


class RefusalHandler:
    """Says no, and why, to all codes that have no other handler."""

    def __init__(self, answered: Mapping[int, object]) -> None:
        self._reasons = refusals.by_name_server(answered)

    def routes(self) -> dict[int, Handler]:
        """Request code -> handler."""
        return dict.fromkeys(self._reasons, self.refuse)

    def refuse(self, connection: Connection, command: Command) -> Command:
        """Refuse with the reason that belongs to the code."""
        reason = self._reasons[command.code]
        raise Refused(
            ResponseCode.REQUEST_CODE_NOT_SUPPORTED, refusals.remark(command.code, reason)
        )
