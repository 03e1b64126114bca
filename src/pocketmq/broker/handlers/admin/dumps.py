"""Whole tables for replicas: GET_ALL_CONSUMER_OFFSET (43) and GET_ALL_DELAY_OFFSET (45)."""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.broker.state.delay import DelayTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command


class DumpsHandler:
    """Hands out tables as they are saved."""

    def __init__(self, offsets: OffsetTable, delays: DelayTable) -> None:
        self._offsets = offsets
        self._delays = delays

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_ALL_CONSUMER_OFFSET: self.consumer_offsets,
            RequestCode.GET_ALL_DELAY_OFFSET: self.delay_offsets,
        }

    def consumer_offsets(self, connection: Connection, command: Command) -> Command:
        """Every group's offsets: the file's content has the form of the answer."""
        return command.reply(body=self._offsets.encode())

    def delay_offsets(self, connection: Connection, command: Command) -> Command:
        """How far each delay level is delivered."""
        return command.reply(body=self._delays.encode())
