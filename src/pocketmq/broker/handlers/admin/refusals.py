"""Requests that make no sense in this broker: refused, with the reason and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol import refusals
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import Command


class RefusalsHandler:
    """Says no, and why. It has all codes that nobody else in the broker has."""

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return dict.fromkeys(refusals.BY_BROKER, self.refuse)

    def refuse(self, connection: Connection, command: Command) -> Command:
        """Refuse with the reason that belongs to the code."""
        reason = refusals.BY_BROKER[command.code]
        raise Refused(
            ResponseCode.REQUEST_CODE_NOT_SUPPORTED, refusals.remark(command.code, reason)
        )
