"""An operator moves groups: resets (222), asks where consumers are (223), compares (308) and copies
offsets (314).

By default a reset happens in the broker: the new offset is stored, and a mark beside it makes the
next pull of each queue answer "offset moved". The older way asks the connected consumers (220).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Final

from pocketmq.broker.handlers.admin.progress import Progress
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.clients import Client, ClientTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import MalformedBody, NetError, Refused
from pocketmq.message.topics import is_retry_topic
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import Served
from pocketmq.protocol.bodies.offsets import (
    ConsumerStatus,
    CorrectionOffsets,
    QueueOffsetItem,
    QueueOffsetList,
    QueueOffsets,
)
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.codes import (
    VERSION_PUSHES_OFFSET_RESET,
    LanguageCode,
    RequestCode,
    ResponseCode,
)
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.offsets import (
    CloneOffsetRequest,
    ConsumerStatusRequest,
    CorrectionOffsetRequest,
    ResetOffsetRequest,
)
from pocketmq.store import all_of

STATUS_TIMEOUT_MS: Final = 5000
OFFSET_MAX: Final = 2**63 - 1
_ALL_QUEUES: Final = -1
_NO_OFFSET: Final = -1


class ResetsHandler:
    """Resets, compares and copies offsets."""

    def __init__(
        self,
        progress: Progress,
        offsets: OffsetTable,
        topics: TopicTable,
        groups: GroupTable,
        clients: ClientTable,
        cold_reads: ColdReadService,
        *,
        in_broker: bool,
    ) -> None:
        self._progress = progress
        self._offsets = offsets
        self._topics = topics
        self._groups = groups
        self._clients = clients
        self._cold_reads = cold_reads
        self._in_broker = in_broker

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.INVOKE_BROKER_TO_RESET_OFFSET: self.reset,
            RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS: self.status,
            RequestCode.QUERY_CORRECTION_OFFSET: self.correction,
            RequestCode.CLONE_GROUP_OFFSET: self.clone,
        }

    # -- resetting --------------------------------------------------------------------------

    def reset(self, connection: Connection, command: Command) -> Served:
        """Move a group to an offset or a moment in one queue or all of a topic."""
        return self._cold_reads.when_in_memory(lambda: self._reset(command))

    def _reset(self, command: Command) -> Command:
        request = decode_fields(ResetOffsetRequest, command.fields)
        topic = self._topics.find(request.topic)
        if topic is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {request.topic!r} does not exist")
        queue_ids: list[int] = list(range(topic.write_queue_nums))
        if request.queue_id != _ALL_QUEUES:
            queue_ids = [request.queue_id]
        if not self._in_broker:
            return self._push(command, request, queue_ids)
        if self._groups.find(request.group) is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {request.group!r} does not exist; create it, or start a member",
            )
        targets = self._targets(request, queue_ids)
        for queue_id, offset in targets.items():
            self._offsets.reset(request.group, request.topic, queue_id, offset)
        return command.reply(body=QueueOffsets(self._keyed(request.topic, targets)).to_json())

    def _targets(self, request: ResetOffsetRequest, queue_ids: Iterable[int]) -> dict[int, int]:
        ids = list(queue_ids)
        offsets = all_of(partial(self._target, request, queue_id) for queue_id in ids)
        return dict(zip(ids, offsets, strict=True))

    def _target(self, request: ResetOffsetRequest, queue_id: int) -> int:
        topic = request.topic
        smallest, end = self._progress.store.queue_offsets(topic, queue_id)
        offset = request.offset
        if request.queue_id != _ALL_QUEUES and offset is not None and offset != _NO_OFFSET:
            if not smallest <= offset <= end + 1:
                raise Refused(
                    ResponseCode.SYSTEM_ERROR,
                    f"offset {offset} is outside queue {queue_id}, which holds {smallest} to {end}",
                )
            return offset
        if request.timestamp < 0:
            return end
        return self._progress.store.in_memory.offset_by_time(topic, queue_id, request.timestamp)

    def _push(self, command: Command, request: ResetOffsetRequest, queue_ids: list[int]) -> Command:
        """Ask the connected consumers to move."""
        group = self._clients.consumer_group(request.group)
        if group is None:
            raise Refused(
                ResponseCode.CONSUMER_NOT_ONLINE,
                f"no consumer of group {request.group!r} is connected; use the offline way",
            )
        for client in group.clients:
            _require_version(client, "offset resets")
        targets = self._targets(request, queue_ids)
        for queue_id, wanted in targets.items():
            known = self._offsets.query(request.group, request.topic, queue_id)
            if known is None:
                raise Refused(
                    ResponseCode.SYSTEM_ERROR,
                    f"group {request.group!r} has no offset in queue {queue_id} yet",
                )
            targets[queue_id] = wanted if request.is_force else min(wanted, known)
        offsets = QueueOffsets(self._keyed(request.topic, targets))
        body = offsets.to_json()
        if command.language == LanguageCode.CPP:
            items = [
                QueueOffsetItem(q.topic, q.broker_name, q.queue_id, o)
                for q, o in offsets.offset_table.items()
            ]
            body = QueueOffsetList(tuple(items)).to_json()
        fields = encode_fields(request)
        for connection in list(group.members):
            connection.notify(
                Command.request(
                    RequestCode.RESET_CONSUMER_CLIENT_OFFSET, dict(fields), body, oneway=True
                )
            )
        return command.reply(body=offsets.to_json())

    def _keyed(self, topic: str, offsets: Mapping[int, int]) -> dict[MessageQueue, int]:
        return {self._progress.queue(topic, number): offset for number, offset in offsets.items()}

    # -- asking consumers -------------------------------------------------------------------

    def status(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """What the connected consumers of a group say about their queues of a topic."""
        request = decode_fields(ConsumerStatusRequest, command.fields)
        group = self._clients.consumer_group(request.group)
        if group is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR, f"no consumer of group {request.group!r} is connected"
            )
        asked = [
            client
            for client in group.clients
            if not request.client_addr or client.client_id == request.client_addr
        ]
        for client in asked:
            _require_version(client, "status queries")
        return self._collect(command, request, asked)

    async def _collect(
        self, command: Command, request: ConsumerStatusRequest, clients: list[Client]
    ) -> Command:
        answers = await asyncio.gather(*[_ask(client, request) for client in clients])
        table = {
            client.client_id: answer
            for client, answer in zip(clients, answers, strict=True)
            if answer is not None
        }
        return command.reply(body=ConsumerStatus({}, table).to_json())

    # -- comparing and copying --------------------------------------------------------------

    def correction(self, connection: Connection, command: Command) -> Command:
        """The smallest offsets of the other groups of a topic, by queue.

        Where they are ahead of the compared group, the answer is the largest number there is.
        """
        request = decode_fields(CorrectionOffsetRequest, command.fields)
        without = {name.strip() for name in (request.filter_groups or "").split(",")}
        smallest: dict[int, int] = {}
        for group in self._offsets.groups_of(request.topic):
            if group in without:
                continue
            for queue_id, offset in self._offsets.of(group, request.topic).items():
                smallest[queue_id] = min(offset, smallest.get(queue_id, OFFSET_MAX))
        compared = self._offsets.of(request.compare_group, request.topic)
        for queue_id, offset in smallest.items():
            if queue_id in compared and offset > compared[queue_id]:
                smallest[queue_id] = OFFSET_MAX
        return command.reply(body=CorrectionOffsets(smallest).to_json())

    def clone(self, connection: Connection, command: Command) -> Command:
        """Let one group go on where another is, in one topic or in all of the other's."""
        request = decode_fields(CloneOffsetRequest, command.fields)
        source = self._clients.consumer_group(request.src_group)
        topics = [request.topic] if request.topic else self._offsets.topics_of(request.src_group)
        for topic in topics:
            if self._topics.find(topic) is None:
                continue
            wanted = source is None or topic in source.subscriptions
            if request.offline or wanted or is_retry_topic(topic):
                self._offsets.copy(request.src_group, request.dest_group, topic)
        return command.reply()


async def _ask(client: Client, request: ConsumerStatusRequest) -> dict[MessageQueue, int] | None:
    """One client's answer, or None when it gives none that can be used."""
    question = Command.request(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT, encode_fields(request))
    try:
        answer = await client.connection.call(question, STATUS_TIMEOUT_MS)
        if answer.code != ResponseCode.SUCCESS or not answer.body:
            return None
        return ConsumerStatus.from_json(answer.body).message_queue_table
    except (NetError, MalformedBody):
        return None


def _require_version(client: Client, feature: str) -> None:
    if client.version < VERSION_PUSHES_OFFSET_RESET:
        raise Refused(
            ResponseCode.SYSTEM_ERROR,
            f"client {client.client_id!r} is too old for {feature}; update its library",
        )
