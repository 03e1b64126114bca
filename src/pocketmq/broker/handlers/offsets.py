"""Positions in queues: what a group has committed (14, 15), and what a queue holds (29 to 32)."""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.offsets import QUEUE_ID_MAX, OffsetTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import Refused
from pocketmq.message.positions import QueueOffset
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import Served
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.offsets import (
    CommitOffsetRequest,
    EarliestStoreTimeReply,
    MaxOffsetRequest,
    OffsetReply,
    QueryOffsetRequest,
    QueueRequest,
    SearchOffsetRequest,
)
from pocketmq.store import MessageStore


class OffsetsHandler:
    """Answers where consumers are and where they may go."""

    def __init__(
        self,
        offsets: OffsetTable,
        topics: TopicTable,
        groups: GroupTable,
        store: MessageStore,
        cold_reads: ColdReadService,
    ) -> None:
        self._offsets = offsets
        self._topics = topics
        self._groups = groups
        self._store = store
        self._cold_reads = cold_reads

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.QUERY_CONSUMER_OFFSET: self.query,
            RequestCode.UPDATE_CONSUMER_OFFSET: self.commit,
            RequestCode.SEARCH_OFFSET_BY_TIMESTAMP: self.search,
            RequestCode.GET_MAX_OFFSET: self.largest,
            RequestCode.GET_MIN_OFFSET: self.smallest,
            RequestCode.GET_EARLIEST_MSG_STORETIME: self.earliest_time,
        }

    def query(self, connection: Connection, command: Command) -> Command:
        """Where a group goes on; a group that never committed may be told to begin at 0."""
        request = decode_fields(QueryOffsetRequest, command.fields)
        topic, queue_id = request.topic, request.queue_id
        offset = self._offsets.query(request.consumer_group, topic, queue_id)
        if offset is not None and offset >= 0:
            return _offset_reply(command, offset)
        # A new group begins at 0 only while the whole queue is recent; otherwise its own setting,
        # consume-from-where, decides, and the client asks for the offset it means.
        may_begin_at_zero = request.set_zero_if_not_found is not False
        if may_begin_at_zero and self._whole_queue_is_recent(topic, queue_id):
            return _offset_reply(command, 0)
        raise Refused(
            ResponseCode.QUERY_NOT_FOUND,
            f"group {request.consumer_group!r} has no offset in queue {queue_id} of {topic!r}",
        )

    def _whole_queue_is_recent(self, topic: str, queue_id: int) -> bool:
        smallest, _ = self._store.queue_offsets(topic, queue_id)
        if smallest > 0:
            return False
        first = self._store.entry_of(topic, queue_id, 0)
        return first is not None and self._store.is_recent(first[0])

    def commit(self, connection: Connection, command: Command) -> Command:
        """Remember how far a group is."""
        request = decode_fields(CommitOffsetRequest, command.fields)
        group, topic = request.consumer_group, request.topic
        if self._groups.find(group) is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"consumer group {group!r} does not exist; create it with updateSubGroup",
            )
        if self._topics.find(topic) is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {topic!r} does not exist")
        if request.queue_id is None or request.commit_offset is None:
            raise Refused(
                ResponseCode.INVALID_PARAMETER, "a commit needs a queueId and a commitOffset"
            )
        if not 0 <= request.queue_id <= QUEUE_ID_MAX:
            raise Refused(ResponseCode.INVALID_PARAMETER, f"queue {request.queue_id} cannot exist")
        self._offsets.commit(group, topic, request.queue_id, request.commit_offset)
        return command.reply()

    def search(self, connection: Connection, command: Command) -> Served:
        """The offset of a moment in a queue."""
        return self._cold_reads.when_in_memory(lambda: self._search(command))

    def _search(self, command: Command) -> Command:
        request = decode_fields(SearchOffsetRequest, command.fields)
        boundary = "UPPER" if request.is_upper else "LOWER"
        offset = self._store.in_memory.offset_by_time(
            request.topic, request.queue_id, request.timestamp, boundary
        )
        return _offset_reply(command, offset)

    def largest(self, connection: Connection, command: Command) -> Command:
        """The offset the queue's next message will have."""
        request = decode_fields(MaxOffsetRequest, command.fields)
        return _offset_reply(command, self._store.queue_offsets(request.topic, request.queue_id)[1])

    def smallest(self, connection: Connection, command: Command) -> Command:
        """The offset of the first message the queue still has."""
        request = decode_fields(QueueRequest, command.fields)
        return _offset_reply(command, self._store.queue_offsets(request.topic, request.queue_id)[0])

    def earliest_time(self, connection: Connection, command: Command) -> Served:
        """When the first message the queue still has was stored; -1 without one."""
        return self._cold_reads.when_in_memory(lambda: self._earliest_time(command))

    def _earliest_time(self, command: Command) -> Command:
        request = decode_fields(QueueRequest, command.fields)
        smallest, _ = self._store.queue_offsets(request.topic, request.queue_id)
        moment = self._store.in_memory.store_time_of(request.topic, request.queue_id, smallest)
        return command.reply(fields=encode_fields(EarliestStoreTimeReply(moment)))


def _offset_reply(command: Command, offset: int) -> Command:
    return command.reply(fields=encode_fields(OffsetReply(QueueOffset(offset))))
