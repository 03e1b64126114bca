"""PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361): hand out messages of one queue.

The answer's body is the stored records themselves, as views of the commit log. A pull that finds
nothing new is held when its client allows it; one that needs pages which are not in memory waits
while another thread reads them in, so that it delays nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pocketmq import _speedups
from pocketmq.broker.config import PullConfig
from pocketmq.broker.handlers.plain_pulls import PlainPulls
from pocketmq.broker.handlers.pull_gate import Accept, PullGate
from pocketmq.broker.services.broadcast import BroadcastService
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.long_poll import HeldPull, LongPollService
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import EncodedReply, FrameHandler
from pocketmq.net.dispatch import error_reply
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import FLAG_ONEWAY, WIRE_VERSION, Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.framing import Frame, PullFields, encode_frame, frame_to_command, untyped
from pocketmq.protocol.replies import encode_pull_head
from pocketmq.protocol.requests.pull import COMMIT_OFFSET_VALID, MAY_SUSPEND, PullRequest
from pocketmq.store import MessageStore, PullStatus
from pocketmq.store.reader import DirectReader

MASTER_ID: Final = 0
FROM_PROXY_TO_BROADCAST: Final = 1
"""The request source of a proxy that pulls for a member of a broadcast group."""

# The other two statuses mean an empty queue, for which only offset 0 is right.
_CODES: Final[dict[PullStatus, int]] = {
    PullStatus.FOUND: ResponseCode.SUCCESS,
    PullStatus.NO_MATCHED_MESSAGE: ResponseCode.PULL_RETRY_IMMEDIATELY,
    PullStatus.MESSAGE_WAS_REMOVING: ResponseCode.PULL_RETRY_IMMEDIATELY,
    PullStatus.OFFSET_FOUND_NULL: ResponseCode.PULL_NOT_FOUND,
    PullStatus.OFFSET_OVERFLOW_ONE: ResponseCode.PULL_NOT_FOUND,
    PullStatus.OFFSET_OVERFLOW_BADLY: ResponseCode.PULL_OFFSET_MOVED,
    PullStatus.OFFSET_TOO_SMALL: ResponseCode.PULL_OFFSET_MOVED,
}
_REMARKS: Final = {status: status.name.encode() for status in PullStatus}
_OFFSET_RESET: Final = b"OFFSET_RESET"


@dataclass(slots=True, eq=False)
class _Pull:
    """One pull under way. `first` is false when it runs again after being held."""

    connection: Connection
    code: int
    opaque: int
    serialization: int
    fields: PullFields
    first: bool


class PullHandler:
    """Serves pulls."""

    def __init__(
        self,
        gate: PullGate,
        store: MessageStore,
        offsets: OffsetTable,
        statistics: Statistics,
        long_poll: LongPollService,
        cold_reads: ColdReadService,
        config: PullConfig,
        broadcast: BroadcastService,
        plain: PlainPulls,
    ) -> None:
        self._gate = gate
        self._store = store
        self._offsets = offsets
        self._statistics = statistics
        self._long_poll = long_poll
        self._cold_reads = cold_reads
        self._config = config
        self._broadcast = broadcast
        self._plain = plain

    def frame_handlers(self) -> Mapping[int, FrameHandler]:
        """The codes served from typed frames."""
        return {
            RequestCode.PULL_MESSAGE: self.handle_frame,
            RequestCode.LITE_PULL_MESSAGE: self.handle_frame,
        }

    def routes(self) -> Mapping[int, Handler]:
        """The same codes, for frames that are odd in some way."""
        return {
            RequestCode.PULL_MESSAGE: self.handle,
            RequestCode.LITE_PULL_MESSAGE: self.handle,
        }

    def handle_frame(self, connection: Connection, data: bytes, frame: Frame) -> EncodedReply:
        """Answer a typed pull."""
        code, opaque, flag, serialization, _, _, _, fields, _, _ = frame
        if flag & FLAG_ONEWAY:
            return None
        asked: Any = fields  # the fields of a pull, by the code of the frame
        if answer_pull is not None:
            answer = self._answer_directly(answer_pull, code, opaque, serialization, asked)
            if answer is not None:
                return answer
        pull = _Pull(connection, code, opaque, serialization, asked, True)
        try:
            return self._serve(pull)
        except Exception as error:  # noqa: BLE001 - the edge of this handler
            command = frame_to_command(data, untyped(frame))
            return encode_frame(error_reply(command, error, connection))

    def _answer_directly(
        self,
        write: DirectReader,
        code: int,
        opaque: int,
        serialization: int,
        fields: PullFields,
    ) -> bytes | None:
        """Answer a pull of a kind that was admitted before, if there is something to hand out."""
        wanted = self._gate.admitted(code, fields)
        if wanted is None:
            return None
        accept = None
        if not wanted.is_tag_filter:
            accept = self._gate.acceptance(fields, wanted)
            if getattr(accept, "program", None) is None:
                return None
        group, topic, queue_id, queue_offset, count, sys_flag, commit_offset = fields[:7]
        offsets = self._offsets
        if offsets.has_resets:
            return None
        hashes = wanted.tag_hashes or None
        answered = self._store.pull_directly(
            topic,
            queue_id,
            queue_offset,
            min(max(count, 1), self._config.count_max),
            hashes,
            write,
            (serialization, opaque, MASTER_ID, WIRE_VERSION),
            accept,
        )
        if answered is None:
            return None
        self._plain.open(code, fields, hashes, accept)
        answer, next_offset, found, size = answered
        if sys_flag & COMMIT_OFFSET_VALID:
            offsets.commit(group, topic, queue_id, commit_offset)
        offsets.note_pull(group, topic, queue_id, next_offset)
        self._statistics.get(group, topic, found, size)
        return answer

    def handle(self, connection: Connection, command: Command) -> None:
        """Answer a pull that came with unusual fields. Raise Refused or ProtocolError."""
        request = decode_fields(PullRequest, command.fields)
        fields = PullFields(
            request.consumer_group,
            request.topic,
            request.queue_id,
            request.queue_offset,
            request.max_msg_nums,
            request.sys_flag,
            request.commit_offset,
            request.suspend_timeout_millis,
            request.subscription,
            request.sub_version or 0,
            request.expression_type,
        )
        if command.is_oneway:
            return
        pull = _Pull(connection, command.code, command.opaque, command.serialization, fields, True)
        client_id = request.proxy_client_id
        if request.request_source == FROM_PROXY_TO_BROADCAST and client_id:
            self._run_broadcast(pull, client_id)
        else:
            self._run(pull)

    def _run_broadcast(self, pull: _Pull, client_id: str) -> None:
        """Serve a member of a broadcast group, who may not know where to begin. Raise Refused."""
        group, topic, queue_id, queue_offset = pull.fields[:4]
        if not self._broadcast.enabled:
            self._run(pull)
            return
        self._gate.admit(pull.code, pull.fields)
        if queue_offset < 0:
            queue_offset = self._broadcast.first_offset(group, topic, client_id, queue_id)
            reply = self._reset_answer(pull, queue_offset)
            pull.connection.write([reply] if isinstance(reply, bytes) else reply or [])
        else:
            self._run(pull)
        self._broadcast.pulled(group, topic, client_id, queue_id, queue_offset)

    def _run(self, pull: _Pull) -> None:
        """Serve a pull and write the answer, if there is one now."""
        try:
            reply = self._serve(pull)
        except Exception as error:  # noqa: BLE001 - the edge of this handler
            command = Command(pull.code, opaque=pull.opaque, serialization=pull.serialization)
            reply = encode_frame(error_reply(command, error, pull.connection))
        if reply is not None:
            pull.connection.write([reply] if isinstance(reply, bytes) else reply)

    def _serve(self, pull: _Pull) -> EncodedReply:
        fields = pull.fields
        group, topic, queue_id, queue_offset, count, sys_flag, commit_offset = fields[:7]
        wanted = self._gate.admit(pull.code, fields)
        if pull.first and sys_flag & COMMIT_OFFSET_VALID:
            self._offsets.commit(group, topic, queue_id, commit_offset)
        if self._config.server_side_reset:
            reset_to = self._offsets.take_reset(group, topic, queue_id)
            if reset_to is not None:
                return self._reset_answer(pull, reset_to)
        hashes = wanted.tag_hashes or None
        accept = None if wanted.is_tag_filter else self._gate.acceptance(fields, wanted)
        count = min(max(count, 1), self._config.count_max)
        result = self._store.pull(topic, queue_id, queue_offset, count, hashes, accept)
        if result.cold:
            self._cold_reads.bring_in(result, lambda: self._run(pull))
            return None
        status = result.status
        code = _CODES.get(status)
        if code is None:
            code = ResponseCode.PULL_OFFSET_MOVED if queue_offset else ResponseCode.PULL_NOT_FOUND
        self._offsets.note_pull(group, topic, queue_id, result.next_offset)
        if result.count:
            self._statistics.get(group, topic, result.count, result.bytes)
        else:
            self._statistics.miss()
            may_wait = code == ResponseCode.PULL_NOT_FOUND and sys_flag & MAY_SUSPEND
            if may_wait and pull.first and self._hold(pull, hashes, accept):
                return None
        head = encode_pull_head(
            pull.serialization,
            pull.opaque,
            result.next_offset,
            result.min_offset,
            result.max_offset,
            MASTER_ID,
            0,
            0,
            code,
            _REMARKS[status],
            WIRE_VERSION,
            result.bytes,
        )
        assert head is not None, "a status name fits the answer's buffer"
        return [head, *result.views] if result.count else head

    def _hold(self, pull: _Pull, hashes: frozenset[int] | None, accept: Accept | None) -> bool:
        group, topic, queue_id, queue_offset, _, _, _, timeout_ms = pull.fields[:8]
        if not self._config.long_polling:
            timeout_ms = self._config.short_polling_ms
        timeout_ms = min(max(timeout_ms, 0), self._config.hold_ms_max)
        again = _Pull(
            pull.connection, pull.code, pull.opaque, pull.serialization, pull.fields, False
        )
        held = HeldPull(
            pull.connection,
            (topic, queue_id),
            queue_offset,
            hashes,
            self._long_poll.deadline(timeout_ms),
            lambda: self._run(again),
            None if accept is None else self._looking(accept),
            group,
        )
        return self._long_poll.hold(held)

    def _looking(self, accept: Accept) -> Callable[[int], bool]:
        """Whether the message at a log offset is wanted; also when it cannot be read just now."""

        def look(log_offset: int) -> bool:
            record = self._store.record_at(log_offset)
            return record is None or accept(record)

        return look

    def _reset_answer(self, pull: _Pull, reset_to: int) -> EncodedReply:
        smallest, largest = self._store.queue_offsets(pull.fields[1], pull.fields[2])
        return encode_pull_head(
            pull.serialization,
            pull.opaque,
            reset_to,
            smallest,
            largest,
            MASTER_ID,
            0,
            0,
            ResponseCode.PULL_OFFSET_MOVED,
            _OFFSET_RESET,
            WIRE_VERSION,
            0,
        )


answer_pull: DirectReader | None = None
"""The leaf that serves plain pulls; without it `PullHandler._serve` serves all of them."""
if _speedups.has("pulls"):
    from pocketmq._speedups.pulls import answer_pull as answer_pull
