"""ACK_MESSAGE (200051), BATCH_ACK_MESSAGE (200151) and CHANGE_MESSAGE_INVISIBLETIME (200053).

An ack is right even when its check point is long settled: the message then has come again already.
It is right, too, when it cannot be stored: then the message comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pocketmq.broker.config import PopConfig
from pocketmq.broker.handlers.pop_gate import PopGate, illegal, wrong
from pocketmq.broker.rules import pop as rules
from pocketmq.broker.rules.pop import Handle
from pocketmq.broker.rules.pop_records import CheckPoint, Key
from pocketmq.broker.services.ordered_pops import OrderedPops
from pocketmq.broker.services.pop_records import PopRecords
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused, StoreError
from pocketmq.message import topics as names
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import EncodedReply, FrameHandler
from pocketmq.net.dispatch import error_reply
from pocketmq.protocol.bodies.pop import AckItem, BatchAck
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import FLAG_ONEWAY, FLAG_RESPONSE, Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.framing import Frame, encode_frame, frame_to_command
from pocketmq.protocol.replies import encode_ok
from pocketmq.protocol.requests.pop import (
    AckRequest,
    ChangeInvisibleReply,
    ChangeInvisibleRequest,
)
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

_TARGETS_MAX: Final = 10_000

_Known = tuple[str, str, str, str]
"""Group, topic and queue id as a client names them, and its handle but for the last word, in which
alone the handles of one pop differ."""


@dataclass(slots=True)
class _Target:
    """What such acks are for: the check point, the queue's bounds and the acks of this turn."""

    key: Key
    revive_queue: int
    due_ms: int
    turn: int = -1
    first: int = 0
    end: int = 0
    acks: list[int] = field(default_factory=list)


class AcksHandler:
    """Serves those who have popped. Without a timer there are no `records`, and no pops."""

    def __init__(
        self,
        gate: PopGate,
        topics: TopicTable,
        store: MessageStore,
        records: PopRecords | None,
        ordered: OrderedPops,
        clock: Clock,
        config: PopConfig,
        broker: str,
        *,
        invisible_ms_max: int,
    ) -> None:
        self._gate = gate
        self._queue_offsets = store.queue_offsets
        self._records = records
        self._ordered = ordered
        self._clock = clock
        self._revive_queues = config.revive_queues
        self._broker = broker
        self._invisible_ms_max = invisible_ms_max
        self._known: dict[_Known, _Target] = {}
        topics.on_change(self._forget)

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.ACK_MESSAGE: self.acknowledge,
            RequestCode.BATCH_ACK_MESSAGE: self.acknowledge_many,
            RequestCode.CHANGE_MESSAGE_INVISIBLETIME: self.change_invisible,
        }

    def frame_handlers(self) -> Mapping[int, FrameHandler]:
        """Acks are many, and most are of a pop that others came from before."""
        return {RequestCode.ACK_MESSAGE: self.acknowledge_frame}

    def _forget(self, names: Iterable[str]) -> None:
        self._known.clear()

    def acknowledge_frame(self, connection: Connection, data: bytes, frame: Frame) -> EncodedReply:
        """The same as `acknowledge`, short of a `Command`."""
        flag, fields = frame[2], frame[7]
        if flag & FLAG_RESPONSE:
            return None
        if not self._acknowledge_again(fields):  # type: ignore[arg-type]
            command = frame_to_command(data, frame)
            try:
                reply = self.acknowledge(connection, command)
            except Exception as error:  # noqa: BLE001 - the edge of this handler
                reply = error_reply(command, error, connection)
            return None if flag & FLAG_ONEWAY else encode_frame(reply)
        return None if flag & FLAG_ONEWAY else encode_ok(frame[3], frame[1])

    def acknowledge(self, connection: Connection, command: Command) -> Command:
        """A message is done with. Raise Refused."""
        if not self._acknowledge_again(command.fields):
            self._acknowledge_first(command.fields)
        return command.reply()

    def _acknowledge_again(self, fields: Mapping[str, str]) -> bool:
        """An ack of a pop that others came from before; False: look closely."""
        text = fields.get("offset", "")
        known = (
            fields.get("consumerGroup", ""),
            fields.get("topic", ""),
            fields.get("queueId", ""),
            fields.get("extraInfo", "").rpartition(" ")[0],
        )
        target = self._known.get(known)
        if target is None or not text.isdigit() or not text.isascii() or len(text) > 18:
            return False
        if target.turn != self._writer().turn:
            self._open(target)
        offset = int(text)
        if not target.first <= offset <= target.end:
            return False
        target.acks.append(offset)
        return True

    def _open(self, target: _Target) -> None:
        """A target is acknowledged for the first time in this turn."""
        records, key = self._writer(), target.key
        target.first, target.end = self._queue_offsets(key[0], key[2])
        target.acks = records.acks_of(key, target.revive_queue, target.due_ms)
        target.turn = records.turn

    def _acknowledge_first(self, fields: Mapping[str, str]) -> None:
        group, topic, queue_id, info, offset = decode_fields(AckRequest, fields)
        self._gate.check_queue(topic, queue_id)
        first, end = self._queue_offsets(topic, queue_id)
        if not first <= offset <= end:
            raise _no_message(offset, first, end)
        handle = self._handle(info)
        self._ack(group, topic, queue_id, offset, handle)
        if handle.offset is not None and handle.revive_queue != rules.ORDERED_REVIVE_QUEUE:
            stem, _, last = info.rpartition(" ")
            if stem.count(" ") == 6 and last == str(handle.offset):
                if len(self._known) >= _TARGETS_MAX:
                    self._known.clear()
                key = (topic, group, queue_id, handle.start_offset, handle.pop_time_ms)
                target = _Target(key, handle.revive_queue, handle.due_ms)
                self._known[group, topic, fields["queueId"], stem] = target

    def acknowledge_many(self, connection: Connection, command: Command) -> Command:
        """Messages of several pops are done with; what cannot be meant is passed over."""
        acks = BatchAck.from_request(command.body).acks
        if not acks:
            raise Refused(ResponseCode.NO_MESSAGE, "the list of acks is empty")
        for ack in acks:
            try:
                self._ack_item(ack)
            except (Refused, ValueError) as error:
                _log.debug("batch ack passed over: %s", error)
        return command.reply()

    def _ack_item(self, ack: AckItem) -> None:
        group, topic = ack.consumer_group, ack.topic
        if ack.retry in ("1", "2") and not topic.startswith(names.RETRY_PREFIX):
            topic = names.pop_retry_topic(group, topic, second_form=ack.retry == "2")
        self._gate.check_queue(topic, ack.queue_id)
        first, end = self._queue_offsets(topic, ack.queue_id)
        handle = Handle(
            ack.start_offset,
            ack.pop_time,
            ack.invisible_time,
            ack.revive_queue_id,
            0,
            self._broker,
            ack.queue_id,
        )
        handle = rules.parse_handle(handle.encode(), self._revive_queues)
        for bit in rules.parse_bits(ack.bits):
            offset = ack.start_offset + bit
            if first <= offset < end:
                self._ack(group, topic, ack.queue_id, offset, handle)

    def _ack(self, group: str, topic: str, queue_id: int, offset: int, handle: Handle) -> None:
        if handle.revive_queue == rules.ORDERED_REVIVE_QUEUE:
            self._ordered.acknowledge(group, topic, queue_id, offset, handle.pop_time_ms)
        else:
            key = (topic, group, queue_id, handle.start_offset, handle.pop_time_ms)
            self._writer().acks_of(key, handle.revive_queue, handle.due_ms).append(offset)

    def change_invisible(self, connection: Connection, command: Command) -> Command:
        """Hide a message for another while. Raise Refused."""
        request = decode_fields(ChangeInvisibleRequest, command.fields)
        topic, queue_id, offset = request.topic, request.queue_id, request.offset
        self._gate.check_queue(topic, queue_id)
        first, end = self._queue_offsets(topic, queue_id)
        if not first <= offset < end:
            raise _no_message(offset, first, end)
        handle = self._handle(request.extra_info)
        if not 0 <= request.invisible_time <= self._invisible_ms_max:
            raise wrong(
                f"invisibleTime is {request.invisible_time} ms, not 0 to {self._invisible_ms_max}; "
                "see timerMaxDelaySec"
            )
        if handle.revive_queue == rules.ORDERED_REVIVE_QUEUE:
            header = self._hide_ordered(request, handle)
            return command.reply(fields=encode_fields(header) if header is not None else None)
        return command.reply(fields=encode_fields(self._hide(request, handle)))

    def _hide_ordered(
        self, request: ChangeInvisibleRequest, handle: Handle
    ) -> ChangeInvisibleReply | None:
        group, topic, queue_id = request.consumer_group, request.topic, request.queue_id
        pop_time_ms = handle.pop_time_ms
        until_ms = self._clock.now_ms() + request.invisible_time
        if not self._ordered.hide(group, topic, queue_id, request.offset, pop_time_ms, until_ms):
            return None
        return ChangeInvisibleReply(pop_time_ms, until_ms - pop_time_ms, handle.revive_queue)

    def _hide(self, request: ChangeInvisibleRequest, handle: Handle) -> ChangeInvisibleReply:
        group, topic, queue_id = request.consumer_group, request.topic, request.queue_id
        now_ms, revive_queue = self._clock.now_ms(), handle.revive_queue
        point = CheckPoint(
            topic,
            group,
            queue_id,
            request.offset,
            now_ms,
            request.invisible_time,
            (0,),
            self._broker,
        )
        try:
            self._writer().put_check_point(point, revive_queue)
        except StoreError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"nothing changed: {error}") from None
        self._ack(group, topic, queue_id, request.offset, handle)
        return ChangeInvisibleReply(now_ms, request.invisible_time, revive_queue)

    def _writer(self) -> PopRecords:
        if self._records is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR, "pops need the timer, which is off; see timerWheelEnable"
            )
        return self._records

    def _handle(self, text: str) -> Handle:
        try:
            return rules.parse_handle(text, self._revive_queues)
        except ValueError as error:
            raise illegal(str(error)) from None


def _no_message(offset: int, first: int, end: int) -> Refused:
    return Refused(ResponseCode.NO_MESSAGE, f"there is no message {offset}, but {first} to {end}")
