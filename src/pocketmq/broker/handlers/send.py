"""SEND_MESSAGE (10), SEND_MESSAGE_V2 (310) and SEND_BATCH_MESSAGE (320): keep messages.

Nearly every send is plain: a known topic, an existing queue, properties to be stored as they came.
`handle_frame` serves those straight from the typed frame. Whatever is not plain goes through
`SendGate`, which decides in Apache's order where the message goes or why it is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pocketmq.broker.handlers.send_gate import Route, SendGate
from pocketmq.broker.handlers.send_half import HalfWriter
from pocketmq.broker.handlers.send_headers import read_send_fields
from pocketmq.broker.rules import send_refusals
from pocketmq.broker.rules.placement import Kind
from pocketmq.broker.rules.recall import make_handle
from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.transactions import TransactionTable
from pocketmq.errors import MalformedBody, StoreError
from pocketmq.message.flags import INNER_BATCH, NEEDS_UNWRAP
from pocketmq.message.ids import new_unique_key, offset_message_id, offset_message_ids
from pocketmq.message.properties import UNIQUE_KEY, decode_properties, encode_properties
from pocketmq.message.send_properties import (
    NO_WAIT,
    REWRITE,
    SPECIAL,
    UNTERMINATED,
)
from pocketmq.message.topics import HALF_TOPIC
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import EncodedReply, FrameHandler
from pocketmq.net.dispatch import error_reply
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import FLAG_ONEWAY, FLAG_RESPONSE, Command
from pocketmq.protocol.framing import Frame, SendFields, encode_frame
from pocketmq.protocol.replies import SendReplies, send_reply_fields
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

_UNUSUAL: Final = REWRITE | SPECIAL | UNTERMINATED
_BATCH_FLAGS: Final = NEEDS_UNWRAP | INNER_BATCH
_PLAIN_BODY_BYTES_MAX: Final = 64 * 1024
_REMOVED: Final = ("POP_CK", "__CRC32#")


class SendHandler:
    """Serves sends."""

    def __init__(
        self,
        gate: SendGate,
        store: MessageStore,
        dispatch: DispatchService,
        flush: FlushService,
        statistics: Statistics,
        replies: SendReplies,
        cluster: str,
        broker_name: str,
        transactions: TransactionTable,
        announce: Callable[[], Awaitable[None]],
    ) -> None:
        self._announce = announce
        self._transactions = transactions
        self._broker_name = broker_name
        self._gate = gate
        self._open_topics = gate.open_topics
        self._append = store.append
        self._append_batch = store.append_batch
        self._append_inner_batch = store.append_inner_batch
        self._store_host = replies.store_host
        self._dispatch = dispatch
        self._flush = flush
        self._is_sync = flush.is_sync
        self._statistics = statistics
        self._replies = replies
        self._encode = replies.encode
        self._own = {**replies.constant_fields, "CLUSTER": cluster}
        self._suffix = encode_properties(self._own).encode()
        self._halves = HalfWriter(
            store, transactions, statistics.topic_counter(HALF_TOPIC), self._suffix
        )

    @property
    def own_properties(self) -> dict[str, str]:
        """What this broker adds to the properties of each message."""
        return dict(self._own)

    def frame_handlers(self) -> Mapping[int, FrameHandler]:
        """The codes served from typed frames."""
        return {
            RequestCode.SEND_MESSAGE_V2: self.handle_frame,
            RequestCode.SEND_BATCH_MESSAGE: self.handle_unusual_frame,
        }

    def routes(self) -> Mapping[int, Handler]:
        """All codes, for frames that are odd in some way."""
        return {
            RequestCode.SEND_MESSAGE: self.handle,
            RequestCode.SEND_MESSAGE_V2: self.handle,
            RequestCode.SEND_BATCH_MESSAGE: self.handle,
        }

    def handle_frame(self, connection: Connection, data: bytes, frame: Frame) -> EncodedReply:
        """Store the message of a typed frame and answer."""
        _, opaque, flag, serialization, _, _, _, typed, start, end = frame
        fields: SendFields = typed  # type: ignore[assignment]
        (
            _, topic, _, _, queue_id, sys_flag, born_ms, app_flag, properties, times, _, _, batch,
            unique_key, marks,
        ) = fields  # fmt: skip
        open_topic = self._open_topics.get(topic)
        if (
            open_topic is None
            or marks & _UNUSUAL
            or sys_flag & _BATCH_FLAGS
            or not unique_key
            or batch
            or not 0 <= queue_id < open_topic.queue_count
            or not 0 < end - start <= _PLAIN_BODY_BYTES_MAX
        ):
            return self.handle_unusual_frame(connection, data, frame)
        if self._is_sync and self._flush.is_full:
            busy = send_refusals.too_many_waiting(self._flush.waiting)
            return self._refusal(connection, _request(frame), busy)
        try:
            log_offset, size, queue_offset, _ = self._append(
                topic,
                queue_id,
                app_flag,
                sys_flag,
                born_ms,
                connection.peer_packed,
                times,
                0,
                data[start:end],
                properties + self._suffix,
            )
        except StoreError as error:
            return self._refusal(connection, _request(frame), send_refusals.from_store(error))
        if not self._dispatch.is_scheduled:
            self._dispatch.wake()
        counter = open_topic.counter
        counter.messages += 1
        counter.bytes += size
        if flag & FLAG_ONEWAY:
            return None
        if self._is_sync and not marks & NO_WAIT:
            self._flush.hold(
                connection,
                self._replies.encode_any,
                serialization,
                opaque,
                log_offset,
                queue_id,
                queue_offset,
                unique_key,
            )
            return None
        return self._encode(
            serialization, opaque, log_offset, queue_id, queue_offset, unique_key, 0
        ) or self._replies.encode_any(
            serialization, opaque, log_offset, queue_id, queue_offset, unique_key, 0
        )

    def handle_unusual_frame(
        self, connection: Connection, data: bytes, frame: Frame
    ) -> EncodedReply:
        """Store the message or batch of a typed frame that needs a closer look."""
        fields = SendFields._make(frame[7])
        if fields.marks & _UNUSUAL == SPECIAL and frame[0] == RequestCode.SEND_MESSAGE_V2:
            is_half, reply = self._half_frame(connection, data, frame, fields)
            if is_half:
                return reply
        return self._serve(
            connection, _request(frame), fields, memoryview(data)[frame[8] : frame[9]]
        )

    def _half_frame(
        self, connection: Connection, data: bytes, frame: Frame, fields: SendFields
    ) -> tuple[bool, EncodedReply]:
        """Store an ordinary half message; (False, None): it is none."""
        open_topic = self._open_topics.get(fields.topic)
        if open_topic is None or not self._gate.takes_transactions:
            return False, None
        body = data[frame[8] : frame[9]]
        try:
            stored = self._halves.store(
                fields, open_topic.queue_count, connection.peer_packed, body
            )
        except StoreError as error:
            request = _request(frame)
            return True, self._refusal(connection, request, send_refusals.from_store(error))
        if stored is None:
            return False, None
        if not self._dispatch.is_scheduled:
            self._dispatch.wake()
        if frame[2] & FLAG_ONEWAY:
            return True, None
        answer = (frame[3], frame[1], stored[0], fields.queue_id, stored[1], fields.unique_key)
        if self._is_sync and not fields.marks & NO_WAIT:
            self._flush.hold(connection, self._replies.encode_any, *answer)
            return True, None
        return True, self._replies.encode_any(*answer, 0)

    def handle(self, connection: Connection, command: Command) -> None:
        """Store the message of a request with unusual fields. Raise ProtocolError."""
        fields = read_send_fields(command)
        reply = self._serve(connection, command, fields, memoryview(command.body))
        if reply is not None:
            connection.write([reply] if isinstance(reply, bytes) else reply)

    def _serve(
        self, connection: Connection, request: Command, fields: SendFields, body: bytes | memoryview
    ) -> EncodedReply:
        try:
            return self._store(connection, request, fields, body)
        except (StoreError, MalformedBody) as error:
            return self._refusal(connection, request, send_refusals.from_store(error))
        except Exception as error:  # noqa: BLE001 - the edge of this handler
            return self._refusal(connection, request, error)

    def _refusal(self, connection: Connection, request: Command, error: Exception) -> EncodedReply:
        self._statistics.put_failed()
        if request.flag & FLAG_ONEWAY:
            return None
        reply = error_reply(request, error, connection)
        reply.fields = reply.fields | self._replies.constant_fields
        return encode_frame(reply)

    def _store(
        self, connection: Connection, request: Command, fields: SendFields, body: bytes | memoryview
    ) -> EncodedReply:
        batch = fields.batch or request.code == RequestCode.SEND_BATCH_MESSAGE
        properties = decode_properties(fields.properties.decode())
        for name in _REMOVED:
            properties.pop(name, None)
        if not batch and not properties.get(UNIQUE_KEY):
            properties[UNIQUE_KEY] = new_unique_key(self._gate.now_ms())
        is_new = not self._gate.knows(fields.topic)
        route = self._gate.route(fields, properties, request.version, batch, len(body))
        if self._is_sync and self._flush.is_full:
            raise send_refusals.too_many_waiting(self._flush.waiting)
        unique_key = properties.get(UNIQUE_KEY, "")
        whole = batch and bool(route.sys_flag & INNER_BATCH)
        ids, queue_offset = self._put(connection.peer_packed, fields, route, body, batch)
        self._dispatch.wake()
        if request.flag & FLAG_ONEWAY:
            return None
        answer = self._answer(request, fields.topic, route, ids, queue_offset, unique_key)
        if whole:
            answer.fields["batchUniqId"] = unique_key
        waits = self._is_sync and properties.get("WAIT") != "false"
        if is_new:
            connection.answer_later(request, self._when_announced(connection, answer, waits))
            return None
        if waits:
            self._flush.hold(connection, _encode_answer, answer)
            return None
        return encode_frame(answer)

    def _put(
        self,
        peer: bytes,
        fields: SendFields,
        route: Route,
        body: bytes | memoryview,
        batch: bool,
    ) -> tuple[str, int]:
        """Append what was sent; return its ids and its queue offset. Raise StoreError."""
        if batch and route.sys_flag & INNER_BATCH:
            log_offset, size, queue_offset, count = self._append_inner_batch(
                route.topic,
                route.queue_id,
                fields.flag,
                route.sys_flag,
                fields.born_timestamp_ms,
                peer,
                fields.reconsume_times,
                body,
                encode_properties({**route.properties, **self._own}).encode(),
            )
            ids = offset_message_id(self._store_host, log_offset)
            self._statistics.put(route.topic, count, size)
        elif batch:
            log_offset, sizes, queue_offset = self._append_batch(
                route.topic,
                route.queue_id,
                fields.flag,
                fields.sys_flag,
                fields.born_timestamp_ms,
                peer,
                fields.reconsume_times,
                body,
            )
            ids = offset_message_ids(self._store_host, log_offset, sizes)
            self._statistics.put(route.topic, len(sizes), sum(sizes))
        else:
            log_offset, size, queue_offset, _ = self._append(
                route.topic,
                route.queue_id,
                fields.flag,
                route.sys_flag,
                fields.born_timestamp_ms,
                peer,
                fields.reconsume_times,
                0,
                body,
                encode_properties({**route.properties, **self._own}).encode(),
            )
            ids = offset_message_id(self._store_host, log_offset)
            self._statistics.put(route.topic, 1, size)
            if route.kind is Kind.HALF:
                self._transactions.add(fields.topic, 1)
        return ids, queue_offset

    def _answer(
        self,
        request: Command,
        topic: str,
        route: Route,
        ids: str,
        queue_offset: int,
        unique_key: str,
    ) -> Command:
        answer = Command(
            0, opaque=request.opaque, flag=FLAG_RESPONSE, serialization=request.serialization
        )
        answer.fields = send_reply_fields(
            ids, route.answered_queue_id, queue_offset, unique_key.encode()
        )
        answer.fields |= self._replies.constant_fields
        if route.due_ms:
            answer.fields["recallHandle"] = make_handle(
                topic, self._broker_name, route.due_ms, unique_key
            )
        return answer

    async def _when_announced(
        self, connection: Connection, answer: Command, waits: bool
    ) -> Command | None:
        """Answer once the name servers know the new topic: a consumer may ask them at once."""
        try:
            await self._announce()
        except StoreError as error:
            # The message is stored all the same; the table of topics is saved again later.
            _log.error("a new topic could not be saved reason=%s", error)
        if waits:
            self._flush.hold(connection, _encode_answer, answer)
            return None
        return answer


def _request(frame: Frame) -> Command:
    """What the general path needs to know of a frame to answer it."""
    code, opaque, flag, serialization, _, version = frame[:6]
    return Command(code, opaque=opaque, flag=flag, version=version, serialization=serialization)


def _encode_answer(answer: Command, code: int) -> bytes:
    answer.code = code
    return encode_frame(answer)
