"""Request and reply through the broker: SEND_REPLY_MESSAGE (324) and its V2 (325).

A request is an ordinary message whose properties name the client that waits for the reply. The
reply comes back here and is handed to that client at once (326), on the connection it sends heart
beats on. It is stored too, unless storeReplyMessageEnable is off, but nobody consumes it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.handlers.send_gate import SendGate
from pocketmq.broker.handlers.send_headers import read_send_fields
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.state.clients import ClientTable
from pocketmq.errors import NetError, Refused, StoreError
from pocketmq.message.ids import offset_message_id, unpack_host
from pocketmq.message.properties import decode_properties, encode_properties
from pocketmq.net import Address, Connection, Handler
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.framing import SendFields
from pocketmq.protocol.replies import SendReplies, send_reply_fields
from pocketmq.protocol.requests.send import PushReplyRequest

_log = logging.getLogger(__name__)

REPLY_TO_CLIENT: Final = "REPLY_TO_CLIENT"
PUSH_REPLY_TIME: Final = "PUSH_REPLY_TIME"
PUSH_TIMEOUT_MS: Final = 10_000


class RepliesHandler:
    """Hands replies to those who wait for them."""

    def __init__(
        self,
        gate: SendGate,
        clients: ClientTable,
        intake: Intake,
        replies: SendReplies,
        *,
        stores: bool,
    ) -> None:
        self._gate = gate
        self._clients = clients
        self._intake = intake
        self._constant = replies.constant_fields
        self._store_host = replies.store_host
        self._stores = stores

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.SEND_REPLY_MESSAGE: self.handle,
            RequestCode.SEND_REPLY_MESSAGE_V2: self.handle,
        }

    def handle(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Hand over a reply and store it. Raise ProtocolError; Refused while it is awaited."""
        fields = read_send_fields(command)
        return self._serve(connection, command, fields)

    async def _serve(self, connection: Connection, command: Command, fields: SendFields) -> Command:
        try:
            _, queue_id = self._gate.admit(fields)
        except Refused as error:
            raise Refused(error.code, error.remark, self._constant) from None
        body = bytes(command.body)
        properties = decode_properties(fields.properties.decode())
        problem = await self._push(connection, fields, properties, body)
        stored = {"msgId": "0", "queueId": str(queue_id), "queueOffset": "0"}
        if self._stores:
            message = OwnMessage(
                fields.topic,
                queue_id,
                body,
                properties,
                fields.flag,
                fields.sys_flag,
                fields.born_timestamp_ms,
                connection.peer_packed,
                fields.reconsume_times,
            )
            stored = self._store(message) or stored
        answer = stored | self._constant
        if problem is not None:
            return command.reply(ResponseCode.SYSTEM_ERROR, problem, answer)
        return command.reply(fields=answer)

    async def _push(
        self, connection: Connection, fields: SendFields, properties: dict[str, str], body: bytes
    ) -> str | None:
        """Hand over a reply; return why that was not possible, or None."""
        client_id = properties.get(REPLY_TO_CLIENT)
        if not client_id:
            return f"reply message properties[{REPLY_TO_CLIENT}] is null: nobody to push it to"
        client = self._clients.producer(client_id)
        if client is None:
            return f"push reply message fail, channel of <{client_id}> not found."
        now_ms = self._gate.now_ms()
        pushed = {**properties, PUSH_REPLY_TIME: str(now_ms)}
        request = PushReplyRequest(
            fields.group,
            fields.topic,
            fields.default_topic,
            fields.default_queue_count,
            fields.queue_id,
            fields.sys_flag,
            fields.born_timestamp_ms,
            fields.flag,
            str(connection.peer),
            str(Address(*unpack_host(self._store_host))),
            now_ms,
            encode_properties(pushed),
            fields.reconsume_times,
            fields.unit_mode,
        )
        push = Command.request(
            RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT, encode_fields(request), body
        )
        try:
            answer = await client.connection.call(push, PUSH_TIMEOUT_MS)
        except NetError as error:
            return f"push reply message to {client_id} fail: {error}"
        if answer.code != ResponseCode.SUCCESS:
            return f"push reply message to {client_id} fail: {answer.remark}"
        return None

    def _store(self, message: OwnMessage) -> dict[str, str] | None:
        try:
            stored = self._intake.put_placed(message)
        except (StoreError, Refused) as error:
            _log.warning("reply is not stored topic=%s reason=%s", message.topic, error)
            return None
        ids = offset_message_id(self._store_host, stored.log_offset)
        return send_reply_fields(ids, message.queue_id, stored.queue_offset, b"")
