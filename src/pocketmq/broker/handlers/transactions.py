"""END_TRANSACTION (37) and RESUME_CHECK_HALF_MESSAGE (323).

An end without a decision is never answered, whether the client waits or not: the producer is asked
later. A commit is answered when it is in the log. It need not wait for the disk: a crash that takes
it away makes its half message look open again, and the producer is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.rules import send_refusals
from pocketmq.broker.rules.transactions import half_missing
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.flush import FlushService
from pocketmq.broker.services.transaction_checks import TransactionCheckService
from pocketmq.broker.services.transactions import TransactionService
from pocketmq.errors import Refused, StoreError
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.topics import CHECK_MAX_TOPIC, HALF_TOPIC
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import EncodedReply, FrameHandler
from pocketmq.net.dispatch import error_reply, guarded
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import FLAG_ONEWAY, FLAG_RESPONSE, Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.framing import Frame, encode_frame, frame_to_command
from pocketmq.protocol.replies import encode_ok
from pocketmq.protocol.requests.transactions import (
    COMMIT,
    ROLLBACK,
    UNKNOWN,
    EndTransactionRequest,
    ResumeCheckRequest,
)
from pocketmq.store import MessageStore

_COMMIT: Final = str(COMMIT)
_DECISIONS: Final = (_COMMIT, str(ROLLBACK))


class TransactionsHandler:
    """Serves producers that decide, and operators that want a half message checked again."""

    def __init__(
        self,
        transactions: TransactionService,
        checks: TransactionCheckService,
        store: MessageStore,
        flush: FlushService,
        cold_reads: ColdReadService,
        *,
        is_replica: bool,
    ) -> None:
        self._transactions = transactions
        self._checks = checks
        self._store = store
        self._flush = flush
        self._cold_reads = cold_reads
        self._is_replica = is_replica

    def routes(self) -> Mapping[int, Handler]:
        """Its request codes."""
        return {
            RequestCode.END_TRANSACTION: self.end,
            RequestCode.RESUME_CHECK_HALF_MESSAGE: self.resume,
        }

    def frame_handlers(self) -> Mapping[int, FrameHandler]:
        """Ends are as many as transactions, and nearly all are of a half message just stored."""
        return {RequestCode.END_TRANSACTION: self.end_frame}

    def end_frame(self, connection: Connection, data: bytes, frame: Frame) -> EncodedReply:
        """The same as `end`, short of a `Command`."""
        flag = frame[2]
        fields: Mapping[str, str] = frame[7]  # type: ignore[assignment]
        if flag & FLAG_RESPONSE:
            return None
        decided = fields.get("commitOrRollback")
        try:
            if (
                decided in _DECISIONS
                and not self._is_replica
                and self._transactions.end_recent(fields, decided == _COMMIT)
            ):
                return None if flag & FLAG_ONEWAY else encode_ok(frame[3], frame[1])
        except StoreError as error:
            refusal = send_refusals.from_store(error)
            return self._refusal(connection, frame_to_command(data, frame), refusal)
        command = frame_to_command(data, frame)
        try:
            served = self.end(connection, command)
        except Exception as error:  # noqa: BLE001 - the edge of this handler
            return self._refusal(connection, command, error)
        if served is None:
            return None
        if isinstance(served, Command):
            return None if flag & FLAG_ONEWAY else encode_frame(served)
        connection.answer_later(command, guarded(connection, command, served))
        return None

    @staticmethod
    def _refusal(connection: Connection, command: Command, error: Exception) -> EncodedReply:
        reply = error_reply(command, error, connection)
        return None if command.flag & FLAG_ONEWAY else encode_frame(reply)

    def end(
        self, connection: Connection, command: Command
    ) -> Command | Awaitable[Command | None] | None:
        """Commit or roll back. Raise Refused."""
        request = decode_fields(EndTransactionRequest, command.fields)
        decision = request.commit_or_rollback
        if decision not in (UNKNOWN, COMMIT, ROLLBACK):
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"commitOrRollback={decision}; use {COMMIT} to commit, {ROLLBACK} to roll back",
            )
        if self._is_replica:
            raise Refused(
                ResponseCode.SLAVE_NOT_AVAILABLE,
                "this broker is a replica; transactions end at its master",
            )
        if decision == UNKNOWN:
            return None
        log_offset = request.commit_log_offset
        if self._transactions.is_on_its_way(log_offset) or self._transactions.is_cold(log_offset):
            return self._end_later(command, request)
        return self._end(command, request)

    def _end(self, command: Command, request: EndTransactionRequest) -> Command:
        try:
            self._transactions.end(request, commit=request.commit_or_rollback == COMMIT)
        except StoreError as error:
            raise send_refusals.from_store(error) from None
        return command.reply()

    async def _end_later(self, command: Command, request: EndTransactionRequest) -> Command:
        """When the half message can be read: it is not yet, or no longer, at hand."""
        if self._transactions.is_on_its_way(request.commit_log_offset):
            durable: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._flush.call_when_durable(durable)
            await durable
        else:
            await self._transactions.warm(request.tran_state_table_offset, 1)
        return self._end(command, request)

    async def resume(self, connection: Connection, command: Command) -> Command:
        """Count the checks of a half message from zero again. Raise Refused."""
        request = decode_fields(ResumeCheckRequest, command.fields)
        try:
            place = decode_offset_message_id(request.msg_id or "")
        except ValueError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"msgId: {error}") from None
        look = self._store.in_memory
        record = await self._cold_reads.look_up(lambda: look.decoded_record_at(place.log_offset))
        if record is None or record.topic not in (HALF_TOPIC, CHECK_MAX_TOPIC):
            raise half_missing(place.log_offset)
        try:
            self._checks.resume(record)
        except StoreError as error:
            raise Refused(
                ResponseCode.SYSTEM_ERROR, f"the half message is not put again: {error}"
            ) from None
        return command.reply()
