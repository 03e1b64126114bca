"""RECALL_MESSAGE (370): take back a timed message before it is delivered.

An order to recall it enters the timer for the same moment. It is read before the messages of that
moment are delivered, and the one it names is left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.config import SendConfig, TimersConfig
from pocketmq.broker.rules import permission
from pocketmq.broker.rules.recall import RecallHandle, read_handle
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused, StoreError
from pocketmq.message.properties import (
    PRODUCER_GROUP,
    TAGS,
    TIMER_DEL_UNIQKEY,
    TIMER_DELIVER_MS,
    UNIQUE_KEY,
)
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.send import RecallRequest

_TAG: Final = "_RECALL_TAG_"


class RecallHandler:
    """Serves recalls."""

    def __init__(
        self,
        topics: TopicTable,
        intake: Intake,
        clock: Clock,
        send: SendConfig,
        timers: TimersConfig,
        broker_name: str,
        region: str,
    ) -> None:
        self._topics = topics
        self._intake = intake
        self._clock = clock
        self._send = send
        self._timers = timers
        self._broker_name = broker_name
        self._constant = {"MSG_REGION": region}

    def configure(self, timers: TimersConfig) -> None:
        """Allow recalls from now on, or no longer."""
        self._timers = timers

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {RequestCode.RECALL_MESSAGE: self.handle}

    def handle(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Take a message back. Raise ProtocolError; Refused when that is not possible."""
        return self._serve(connection, command, decode_fields(RecallRequest, command.fields))

    async def _serve(
        self, connection: Connection, command: Command, request: RecallRequest
    ) -> Command:
        try:
            handle = self._checked(request)
            await self._intake.put_placed_durably(self._order(connection, request, handle))
        except Refused as error:
            raise Refused(error.code, error.remark, self._constant) from None
        except StoreError as error:
            raise Refused(
                ResponseCode.SYSTEM_ERROR, f"recall failed, execute error: {error}", self._constant
            ) from None
        return command.reply(fields={"msgId": handle.unique_key} | self._constant)

    def _checked(self, request: RecallRequest) -> RecallHandle:
        if not self._timers.recall:
            raise Refused(
                ResponseCode.NO_PERMISSION,
                "recall failed, operation is forbidden; see recallMessageEnable",
            )
        now_ms = self._clock.now_ms()
        writable = permission.writable(self._topics.broker_permission)
        if now_ms < self._send.accept_from_ms or not (writable or self._timers.recall_read_only):
            raise Refused(
                ResponseCode.SERVICE_NOT_AVAILABLE, "recall failed, broker service not available"
            )
        if self._topics.find(request.topic) is None:
            raise Refused(
                ResponseCode.TOPIC_NOT_EXIST, f"recall failed, the topic[{request.topic}] not exist"
            )
        try:
            handle = read_handle(request.recall_handle)
        except ValueError as error:
            raise _illegal(str(error)) from None
        if handle.topic != request.topic:
            raise _illegal("recall failed, topic not match")
        if handle.broker_name != self._broker_name:
            raise _illegal("recall failed, broker service not available")
        left_ms = handle.moment_ms - now_ms
        if not 0 < left_ms < self._timers.delay_max_seconds * 1000:
            raise _illegal("recall failed, timestamp invalid")
        return handle

    def _order(
        self, connection: Connection, request: RecallRequest, handle: RecallHandle
    ) -> OwnMessage:
        properties = {
            TAGS: _TAG,
            TIMER_DEL_UNIQKEY: f"{handle.topic}+{handle.unique_key}",
            UNIQUE_KEY: handle.unique_key,
            TIMER_DELIVER_MS: str(handle.moment_ms),
        }
        if request.producer_group:
            properties[PRODUCER_GROUP] = request.producer_group
        return OwnMessage(handle.topic, 0, b"0", properties, born_host=connection.peer_packed)


def _illegal(remark: str) -> Refused:
    return Refused(ResponseCode.ILLEGAL_OPERATION, remark)
