"""Questions passed on to a connected consumer: GET_CONSUMER_RUNNING_INFO (307) and
CONSUME_MESSAGE_DIRECTLY (309). The client's answer goes back as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.clients import Client, ClientTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import NetError, Refused, RpcTimeout
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.net import Connection, Handler
from pocketmq.protocol.codes import VERSION_REPORTS_RUNNING_STATE, RequestCode, ResponseCode
from pocketmq.protocol.command import Body, Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.clients import ConsumeDirectlyRequest, ConsumerRunningRequest
from pocketmq.store import MessageStore

RELAY_TIMEOUT_MS: Final = 10_000


class RelaysHandler:
    """Asks consumers on behalf of operators."""

    def __init__(
        self,
        clients: ClientTable,
        topics: TopicTable,
        groups: GroupTable,
        store: MessageStore,
        broker_name: str,
        cold_reads: ColdReadService,
    ) -> None:
        self._clients = clients
        self._topics = topics
        self._groups = groups
        self._store = store
        self._broker_name = broker_name
        self._cold_reads = cold_reads

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_CONSUMER_RUNNING_INFO: self.running,
            RequestCode.CONSUME_MESSAGE_DIRECTLY: self.consume,
        }

    def running(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """What a consumer is doing."""
        request = decode_fields(ConsumerRunningRequest, command.fields)
        client = self._client(request.consumer_group, request.client_id)
        return _relay(command, client, dict(command.fields), b"")

    def consume(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Let a consumer consume one stored message now."""
        request = decode_fields(ConsumeDirectlyRequest, command.fields)
        client = self._client(request.consumer_group, request.client_id)
        try:
            place = decode_offset_message_id(request.msg_id or "")
        except ValueError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        return self._consume(command, request, client, place.log_offset)

    async def _consume(
        self, command: Command, request: ConsumeDirectlyRequest, client: Client, log_offset: int
    ) -> Command:
        look = self._store.in_memory
        view = await self._cold_reads.look_up(lambda: look.record_at(log_offset))
        record = self._store.decoded_record_at(log_offset)
        if record is None or view is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"no message begins at commit log offset {log_offset}; it may have expired",
            )
        fields = dict(command.fields)
        fields["brokerName"] = self._broker_name
        topic = self._topics.find(request.topic or record.topic)
        if topic is not None:
            fields["topicSysFlag"] = str(topic.topic_sys_flag)
        group = self._groups.find(request.consumer_group)
        if group is not None:
            fields["groupSysFlag"] = str(group.group_sys_flag)
        return await _relay(command, client, fields, bytes(view))

    def _client(self, group: str, client_id: str | None) -> Client:
        members = self._clients.consumer_group(group)
        client = None
        if members is not None:
            client = members.client(client_id) if client_id else members.clients[0]
        if client is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"consumer {client_id!r} of group {group!r} is not connected to this broker",
            )
        if client.version < VERSION_REPORTS_RUNNING_STATE:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"client {client.client_id!r} is too old to be asked; update its library",
            )
        return client


async def _relay(command: Command, client: Client, fields: dict[str, str], body: Body) -> Command:
    question = Command.request(command.code, fields, body)
    try:
        answer = await client.connection.call(question, RELAY_TIMEOUT_MS)
    except RpcTimeout as error:
        raise Refused(ResponseCode.CONSUME_MSG_TIMEOUT, str(error)) from None
    except NetError as error:
        raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
    return command.reply(answer.code, answer.remark, answer.fields, answer.body)
