"""Finding what is stored: by key (12), by place in the log (33), by place in a queue (321).

What was stored long ago may have to be read from the disk first; nobody else waits for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from pocketmq.broker.handlers.described import subscription_document
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.message_life import MessageLife
from pocketmq.broker.state.clients import ClientTable
from pocketmq.errors import Refused
from pocketmq.message.positions import LogOffset
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import Served
from pocketmq.protocol.bodies.stats import ConsumeQueueEntry, ConsumeQueuePage
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.queries import (
    QueryMessageReply,
    QueryMessageRequest,
    QueryQueueRequest,
    ViewMessageRequest,
)
from pocketmq.store import MessageStore, all_of

UNIQUE_KEY_RESULTS: Final = 32
ENTRIES_MAX: Final = 4096


class QueriesHandler:
    """Looks up messages by key, by id and by place."""

    def __init__(
        self,
        store: MessageStore,
        clients: ClientTable,
        cold_reads: ColdReadService,
        life: MessageLife,
    ) -> None:
        self._store = store
        self._in_memory = store.in_memory
        self._cold_reads = cold_reads
        self._clients = clients
        self._life = life

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.QUERY_MESSAGE: self.by_key,
            RequestCode.VIEW_MESSAGE_BY_ID: self.by_log_offset,
            RequestCode.QUERY_CONSUME_QUEUE: self.queue_entries,
        }

    def by_key(self, connection: Connection, command: Command) -> Served:
        """Messages of a topic that have a key, or whose key has the same hash."""
        return self._cold_reads.when_in_memory(lambda: self._by_key(command))

    def _by_key(self, command: Command) -> Command:
        request = decode_fields(QueryMessageRequest, command.fields)
        count_max = UNIQUE_KEY_RESULTS if request.by_unique_key else max(request.max_num, 0)
        found = self._in_memory.query_by_key(
            request.topic,
            request.key,
            count_max,
            request.begin_timestamp,
            request.end_timestamp,
        )
        fields = encode_fields(
            QueryMessageReply(found.index_timestamp_ms, LogOffset(found.index_log_offset))
        )
        records = all_of(partial(self._in_memory.record_at, at) for at in found.log_offsets)
        body = b"".join([record for record in records if record is not None])
        if request.topic == self._life.topic and not request.by_unique_key:
            body += self._own_trace(request, body)
        if not body:
            remark = f"topic {request.topic!r} has no message with this key in this time"
            return command.reply(ResponseCode.QUERY_NOT_FOUND, remark, fields)
        return command.reply(fields=fields, body=body)

    def _own_trace(self, request: QueryMessageRequest, traced: bytes) -> bytes:
        """What this broker itself knows of the message whose trace is asked for."""
        begin_ms, end_ms = request.begin_timestamp, request.end_timestamp
        return self._life.tell(request.key, traced, begin_ms, end_ms)

    def by_log_offset(self, connection: Connection, command: Command) -> Served:
        """The one message at a place in the commit log."""
        return self._cold_reads.when_in_memory(lambda: self._by_log_offset(command))

    def _by_log_offset(self, command: Command) -> Command:
        request = decode_fields(ViewMessageRequest, command.fields)
        record = self._in_memory.record_at(request.offset)
        if record is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"no message begins at commit log offset {request.offset}; it may have expired",
            )
        return command.reply(body=bytes(record))

    def queue_entries(self, connection: Connection, command: Command) -> Served:
        """Entries of a consume queue, and whether a group's filter would let them pass."""
        return self._cold_reads.when_in_memory(lambda: self._queue_entries(command))

    def _queue_entries(self, command: Command) -> Command:
        request = decode_fields(QueryQueueRequest, command.fields)
        topic, queue_id = request.topic, request.queue_id
        if queue_id not in self._store.queue_ids(topic):
            raise Refused(
                ResponseCode.SYSTEM_ERROR, f"queue {queue_id} of topic {topic!r} has no messages"
            )
        smallest, end = self._store.queue_offsets(topic, queue_id)
        wanted = None
        if request.consumer_group:
            wanted = self._clients.subscription(request.consumer_group, topic)
        if not smallest <= request.first_index < end:
            remark = f"index {request.first_index} is outside the queue: {smallest} to {end}"
            return command.reply(remark=remark)
        last = min(end, request.first_index + min(max(request.entry_count, 0), ENTRIES_MAX))
        entries = []
        for queue_offset in range(request.first_index, last):
            entry = self._in_memory.entry_of(topic, queue_id, queue_offset)
            if entry is not None:
                log_offset, size, tag_hash = entry
                passes = wanted is not None and wanted.wants_hash(tag_hash)
                entries.append(ConsumeQueueEntry(log_offset, size, tag_hash, eval=passes))
        page = ConsumeQueuePage(
            tuple(entries),
            smallest,
            end,
            None if wanted is None else subscription_document(wanted),
            _filter_data(request, known=wanted is not None),
        )
        return command.reply(body=page.to_json())


def _filter_data(request: QueryQueueRequest, *, known: bool) -> str | None:
    """What Apache tells of a group's filter data, of which there is none beside our queues."""
    if not request.consumer_group:
        return None
    return "null" if known else f"{request.consumer_group}@{request.topic} is not online!"
