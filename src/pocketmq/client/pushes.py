"""What brokers ask of a client, by request code. Anything else is answered "not supported".

39   how did this transaction end?          40   the members of your group have changed
220  an operator has moved your positions   221  where are you?
307  what are you doing?                    309  handle this very message
326  here is the reply to your request

Bodies that only consumers send are imported where they are used: a producer should start quickly.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pocketmq.client.received import from_record, from_reply
from pocketmq.errors import Refused
from pocketmq.message import properties as names
from pocketmq.message.record import decode_record
from pocketmq.net.caller import CallerConnection
from pocketmq.net.connection import Connection
from pocketmq.net.dispatch import Handler
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.clients import (
    ConsumeDirectlyRequest,
    ConsumerGroupRequest,
    ConsumerRunningRequest,
)
from pocketmq.protocol.requests.offsets import ConsumerStatusRequest, ResetOffsetRequest
from pocketmq.protocol.requests.send import PushReplyRequest
from pocketmq.protocol.requests.transactions import CheckTransactionRequest

if TYPE_CHECKING:
    from pocketmq.client.instance import ConsumerMember, Instance

_log = logging.getLogger(__name__)

CORRELATION_ID = "CORRELATION_ID"


def push_routes(instance: Instance) -> Mapping[int, Handler]:
    """Request code -> handler, for one instance."""
    pushes = Pushes(instance)
    return {
        RequestCode.CHECK_TRANSACTION_STATE: pushes.check_transaction,
        RequestCode.NOTIFY_CONSUMER_IDS_CHANGED: pushes.consumer_ids_changed,
        RequestCode.RESET_CONSUMER_CLIENT_OFFSET: pushes.reset_offsets,
        RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT: pushes.consumer_status,
        RequestCode.GET_CONSUMER_RUNNING_INFO: pushes.consumer_running,
        RequestCode.CONSUME_MESSAGE_DIRECTLY: pushes.consume_directly,
        RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT: pushes.reply,
    }


class Pushes:
    """Hands each request to the member it is meant for."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def _consumer(self, group: str) -> ConsumerMember:
        member = self._instance.consumers.get(group)
        if member is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"the client {self._instance.client_id} has no consumer of group {group}",
            )
        return member

    def check_transaction(self, connection: Connection, command: Command) -> None:
        """39: one-way; the answer is an END_TRANSACTION of our own."""
        assert isinstance(connection, CallerConnection)
        request = decode_fields(CheckTransactionRequest, command.fields)
        routes = self._instance.routes
        name = command.fields.get("bname") or routes.broker_name(connection.name)
        message = from_record(decode_record(bytes(command.body)), name)
        group = message.properties.get(names.PRODUCER_GROUP, "")
        members = self._instance.producers.get(group)
        if not members:
            _log.warning("transaction check for an unknown group group=%s", group)
            return
        members[0].check_transaction(connection.name, request, message)

    def consumer_ids_changed(self, connection: Connection, command: Command) -> None:
        """40: one-way."""
        group = decode_fields(ConsumerGroupRequest, command.fields).consumer_group
        member = self._instance.consumers.get(group)
        if member is not None:
            member.rebalance_soon()

    def reset_offsets(self, connection: Connection, command: Command) -> None:
        """220: one-way."""
        from pocketmq.protocol.bodies.offsets import QueueOffsets

        request = decode_fields(ResetOffsetRequest, command.fields)
        offsets = QueueOffsets.from_json(bytes(command.body)).offset_table
        self._consumer(request.group).reset_offsets(request.topic, offsets)

    def consumer_status(self, connection: Connection, command: Command) -> Command:
        """221: the positions in this client's queues."""
        from pocketmq.protocol.bodies.offsets import ConsumerStatus

        request = decode_fields(ConsumerStatusRequest, command.fields)
        offsets = self._consumer(request.group).offsets(request.topic)
        return command.reply(body=ConsumerStatus(message_queue_table=offsets).to_json())

    def consumer_running(self, connection: Connection, command: Command) -> Command:
        """307: what a consumer is doing."""
        request = decode_fields(ConsumerRunningRequest, command.fields)
        return command.reply(body=self._consumer(request.consumer_group).running().to_json())

    async def consume_directly(self, connection: Connection, command: Command) -> Command:
        """309: the handler's verdict on one message."""
        request = decode_fields(ConsumeDirectlyRequest, command.fields)
        member = self._consumer(request.consumer_group)
        broker_name = request.broker_name or ""
        message = from_record(decode_record(bytes(command.body)), broker_name)
        result = await member.consume_directly(message, broker_name)
        return command.reply(body=result.to_json())

    def reply(self, connection: Connection, command: Command) -> Command:
        """326: the reply to a request of ours."""
        request = decode_fields(PushReplyRequest, command.fields)
        message = from_reply(request, command.body)
        correlation_id = message.properties.get(CORRELATION_ID, "")
        waiter = self._instance.reply_waiters.pop(correlation_id, None)
        if waiter is None:
            _log.info("a reply came that nobody waits for correlation_id=%s", correlation_id)
        elif not waiter.done():
            waiter.set_result(message)
        return command.reply()
