"""Ends transactions: delivers or drops half messages, and writes down which have ended.

A commit stores the half message again, in the queue it is meant for, then the half counts as
ended; a rollback only does the latter. Ended halves are listed in operation messages, many in each,
every few seconds. They come after the delivered messages in the log, so a list on the disk is never
ahead of the truth. What a crash leaves unlisted looks open afterwards; then the key index tells
whether the message was delivered, so that it is not delivered twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Final

from pocketmq.broker.config import TransactionsConfig
from pocketmq.broker.rules import transactions as rules
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.transactions import (
    COMMITTED,
    ENDED,
    OPEN,
    ROLLED_BACK,
    Copies,
    EndedHalves,
    Operations,
    TransactionId,
    TransactionTable,
)
from pocketmq.clock import Clock
from pocketmq.errors import Refused, StoreError
from pocketmq.message.flags import TRANSACTION_COMMIT, transaction_kind, with_transaction_kind
from pocketmq.message.properties import CRC32, UNIQUE_KEY, decode_property_bytes
from pocketmq.message.record import Record
from pocketmq.message.topics import HALF_OPERATION_TOPIC, HALF_TOPIC, TRANSACTION_GROUP
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.requests.transactions import EndTransactionRequest
from pocketmq.store import MessageStore

_log = logging.getLogger(__name__)

WAITING_MAX: Final = 20_000
_FOUND_MAX: Final = 64
_CLOCKS_APART_MS: Final = 3_600_000
_QUEUE: Final = 0
# Property names that have a say in where a message is stored, or belong to its old record.
_SPECIAL: Final = (b"DELAY", b"TIMER_", CRC32.encode())


class TransactionService:
    """Knows which half messages are open. `ended`, `copies` and `operations` are its memory."""

    def __init__(
        self,
        store: MessageStore,
        intake: Intake,
        cold_reads: ColdReadService,
        table: TransactionTable,
        offsets: OffsetTable,
        clock: Clock,
        config: TransactionsConfig,
    ) -> None:
        self._store = store
        self._intake = intake
        self._cold_reads = cold_reads
        self._hot_bytes = store.config.reading.hot_bytes
        self._table = table
        self._offsets = offsets
        self._clock = clock
        self._config = config
        self._find_recent = table.recent.find
        self._drop_recent = table.recent.drop
        self._put_encoded = intake.put_encoded
        self._waiting: list[int] = []
        self._waiting_bytes = 0
        self._started_ms = clock.now_ms()
        self._unsettled: deque[tuple[int, int, int]] = deque()
        self.ended = EndedHalves()
        self.copies = Copies()
        self.operations = Operations()
        self._loop = Loop("transaction-operations", config.operation_interval_ms, self.step, clock)

    # -- starting and stopping ----------------------------------------------------------------

    def configure(self, config: TransactionsConfig) -> None:
        """Take other limits for the next half messages."""
        self._config = config

    def start(self) -> None:
        """Read back which half messages have ended, then begin."""
        self.load()
        self._loop.start()

    async def stop(self) -> None:
        """Write down what is known; offsets may be saved as they are once that is on the disk."""
        await self._loop.stop()
        try:
            self.step()
        except StoreError as error:
            _log.error("ended transactions cannot be written down reason=%s", error)
            return
        if await self._intake.is_durable():
            self._save_offsets(self.ended.first, self.operations.first)

    def load(self) -> None:
        """Read the operation messages that no round has passed."""
        first, end = self._store.queue_offsets(HALF_TOPIC, _QUEUE)
        saved = self._offsets.query(TRANSACTION_GROUP, HALF_TOPIC, _QUEUE)
        self.ended.restart(min(max(first if saved is None else saved, first), end))
        op_first, op_end = self._store.queue_offsets(HALF_OPERATION_TOPIC, _QUEUE)
        saved = self._offsets.query(TRANSACTION_GROUP, HALF_OPERATION_TOPIC, _QUEUE)
        op_offset = min(max(op_first if saved is None else saved, op_first), op_end)
        self.operations = Operations(op_offset)
        for offset in range(op_offset, op_end):
            entry = self._store.entry_of(HALF_OPERATION_TOPIC, _QUEUE, offset)
            record = None if entry is None else self._store.decoded_record_at(entry[0])
            halves = [] if record is None else rules.parse_operations(record.body)
            known = [half for half in halves if half < end]
            for half in known:
                self.ended.mark(half, ENDED)
            self.operations.add(offset, known)
        self.operations.passed(self.ended.first)

    # -- beginning and ending -----------------------------------------------------------------

    def begun(self, topic: str) -> None:
        """A half message meant for a topic counts as open again."""
        self._table.add(topic, 1)

    def end_recent(self, fields: Mapping[str, str], commit: bool) -> bool:
        """End a half message that is still in memory, as the fields of a request say.

        False: that cannot be done here, so `end` must decide. Raise StoreError.
        """
        key = fields.get("commitLogOffset", "")
        half = self._find_recent(key)
        if half is None:
            return False
        (
            text, queue_offset, log_offset, group, topic, queue_id, flag, sys_flag, born_ms,
            born_host, times, body, properties,
        ) = half  # fmt: skip
        if (
            fields.get("tranStateTableOffset") != text
            or fields.get("producerGroup") != group
            or queue_offset < self.ended.first
            or len(self._waiting) >= WAITING_MAX
        ):
            return False
        if commit:
            self._put_encoded(
                topic, queue_id, flag, sys_flag | TRANSACTION_COMMIT, born_ms, born_host, times,
                log_offset, body, properties,
            )  # fmt: skip
        self._drop_recent(key)
        self.mark(queue_offset, COMMITTED if commit else ROLLED_BACK)
        self._table.ended(topic, commit=commit)
        return True

    def end(self, request: EndTransactionRequest, *, commit: bool) -> None:
        """Commit or roll back. Raise Refused, StoreError; then nothing has changed.

        Ending a transaction again, the same way, changes nothing and is no mistake.
        """
        record = self._store.decoded_record_at(request.commit_log_offset)
        if record is None or record.topic != HALF_TOPIC:
            raise rules.half_missing(request.commit_log_offset)
        properties = record.properties
        if not request.from_transaction_check and rules.is_too_late(
            properties, self._clock.now_ms() - record.born_timestamp_ms, self._config.immunity_ms
        ):
            raise rules.too_late()
        rules.refuse_foreign(
            properties,
            record.queue_offset,
            request.producer_group,
            request.tran_state_table_offset,
        )
        entry = self._store.entry_of(HALF_TOPIC, _QUEUE, record.queue_offset)
        if entry is not None and entry[0] != record.log_offset:
            raise rules.half_missing(request.commit_log_offset)
        self._end(record, properties, commit)

    def _end(self, record: Record, properties: dict[str, str], commit: bool) -> None:
        topic, queue_id = rules.target(properties)
        transaction = transaction_of(record, properties)
        half: int | None = record.queue_offset
        if half is not None and half < self.ended.first:
            half = self.copies.newest(transaction)
        state = self._state(half, record, properties, topic)
        if state != OPEN:
            self._refuse_contradiction(state, commit)
            return
        if len(self._waiting) >= WAITING_MAX:
            self.step()
        if commit:
            self._deliver(record, topic, queue_id)
            if half != record.queue_offset or self._is_doubtful(record, properties):
                self.copies.committed(transaction, record.log_offset)
        self._table.recent.drop(str(record.log_offset))
        if half is not None:
            self.mark(half, COMMITTED if commit else ROLLED_BACK)
            self._table.ended(topic, commit=commit)
            self.copies.drop(transaction)

    def _state(
        self, half: int | None, record: Record, properties: dict[str, str], topic: str
    ) -> int:
        state = OPEN if half is None else self.ended.state(half)
        if state != OPEN:
            return state
        if half == record.queue_offset and not self._is_doubtful(record, properties):
            return OPEN
        if not self.was_delivered(record, properties, topic):
            return OPEN
        if half is not None:
            self.found_ended(record, properties, half, topic)
        return COMMITTED

    def _is_doubtful(self, record: Record, properties: dict[str, str]) -> bool:
        return record.store_timestamp_ms <= self._started_ms or is_copy(properties)

    @staticmethod
    def _refuse_contradiction(state: int, commit: bool) -> None:
        if (state == COMMITTED and not commit) or (state == ROLLED_BACK and commit):
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                "the transaction has been "
                f"{'committed' if state == COMMITTED else 'rolled back'} already",
            )

    def _deliver(self, record: Record, topic: str, queue_id: int) -> None:
        sys_flag = with_transaction_kind(record.sys_flag, TRANSACTION_COMMIT)
        raw = bytes(record.raw_properties)
        if any(name in raw for name in _SPECIAL):
            properties = decode_property_bytes(raw)
            properties.pop(CRC32, None)
            self._intake.put_placed(
                OwnMessage(
                    topic,
                    queue_id,
                    record.body,
                    properties,
                    record.flag,
                    sys_flag,
                    record.born_timestamp_ms,
                    record.born_host,
                    record.reconsume_times,
                    record.log_offset,
                )
            )
            return
        self._intake.put_encoded(
            topic,
            queue_id,
            record.flag,
            sys_flag,
            record.born_timestamp_ms,
            record.born_host,
            record.reconsume_times,
            record.log_offset,
            record.body,
            raw,
        )

    def is_on_its_way(self, log_offset: int) -> bool:
        """Whether a message there is stored, but not yet as durable as the flush mode asks."""
        return self._store.confirm_offset <= log_offset < self._store.log_end

    def is_cold(self, log_offset: int) -> bool:
        """Whether a message there may not be in memory."""
        return log_offset < self._store.log_end - self._hot_bytes

    async def warm(self, queue_offset: int, count: int) -> None:
        """Bring half messages into memory without stopping the event loop."""
        result = self._store.pull(HALF_TOPIC, _QUEUE, queue_offset, count)
        if result.cold:
            ready = asyncio.Event()
            self._cold_reads.bring_in(result, ready.set)
            await ready.wait()

    # -- what rounds of checks ask and tell -----------------------------------------------------

    def was_delivered(self, record: Record, properties: dict[str, str], topic: str) -> bool:
        """Whether a half message, or a copy of it, was committed before."""
        transaction = transaction_of(record, properties)
        if not transaction[0]:
            return False
        lately = self.copies.committed_at(transaction)
        if lately is not None and (lately == record.log_offset or is_copy(properties)):
            return True
        begin_ms = min(record.born_timestamp_ms, record.store_timestamp_ms) - _CLOCKS_APART_MS
        found = self._store.query_by_key(topic, transaction[0], _FOUND_MAX, begin_ms, 2**62)
        for log_offset in found.log_offsets:
            delivered = self._store.decoded_record_at(log_offset)
            if (
                delivered is not None
                and delivered.topic == topic
                and transaction_kind(delivered.sys_flag) == TRANSACTION_COMMIT
                and delivered.born_timestamp_ms == record.born_timestamp_ms
                and delivered.born_host == record.born_host
            ):
                known = delivered.properties
                if known.get(UNIQUE_KEY) == transaction[0] and (
                    delivered.prepared_offset == record.log_offset
                    or is_copy(known)
                    or is_copy(properties)
                ):
                    return True
        return False

    def found_ended(
        self, record: Record, properties: dict[str, str], half: int, topic: str
    ) -> None:
        """A half message that looks open turns out to be delivered."""
        _log.info("half message was delivered before queue_offset=%d topic=%s", half, topic)
        self.mark(half, COMMITTED)
        self._table.add(topic, -1)
        self.copies.drop(transaction_of(record, properties))

    def copied(self, record: Record, properties: dict[str, str], queue_offset: int) -> None:
        """A half message was put again."""
        self.copies.put(transaction_of(record, properties), queue_offset)

    def discarded(self, record: Record, properties: dict[str, str], topic: str) -> None:
        """A half message was given up."""
        self._table.add(topic, -1)
        self.copies.drop(transaction_of(record, properties))

    def passed(self, half_offset: int) -> None:
        """Rounds go on from here. It is remembered when what they stored is on the disk."""
        if half_offset > self.ended.first:
            self.ended.forget_before(half_offset)
            op_offset = self.operations.passed(half_offset)
            self._unsettled.append((self._store.log_end, half_offset, op_offset))

    def _settle(self) -> None:
        flushed = self._store.flushed_offset
        while self._unsettled and self._unsettled[0][0] <= flushed:
            _, half_offset, op_offset = self._unsettled.popleft()
            self._save_offsets(half_offset, op_offset)

    def _save_offsets(self, half_offset: int, op_offset: int) -> None:
        """A restart, ours or Apache's, goes on from here."""
        put = self._offsets.commit
        put(TRANSACTION_GROUP, HALF_TOPIC, _QUEUE, half_offset)
        put(TRANSACTION_GROUP, HALF_OPERATION_TOPIC, _QUEUE, op_offset)

    # -- operation messages ---------------------------------------------------------------------

    def mark(self, half: int, state: int) -> None:
        """A half message has ended; it is written down with the next operation message."""
        self.ended.mark(half, state)
        self._waiting.append(half)
        self._waiting_bytes += len(str(half)) + 1
        if self._waiting_bytes > self._config.operation_bytes_max:
            self._loop.wake()

    def step(self) -> int:
        """Write down which half messages have ended; return how many. Raise StoreError."""
        self._settle()
        written = 0
        bytes_max = self._config.operation_bytes_max
        while self._waiting:
            count, size = 0, 0
            while count < len(self._waiting) and size < bytes_max:
                size += len(str(self._waiting[count])) + 1
                count += 1
            listed = self._waiting[:count]
            message = OwnMessage(
                HALF_OPERATION_TOPIC,
                _QUEUE,
                rules.operation_body(listed),
                dict(rules.OPERATION_PROPERTIES),
            )
            stored = self._intake.put(message)
            del self._waiting[:count]
            self._waiting_bytes -= size
            self.operations.add(stored.queue_offset, listed)
            written += count
        return written


def transaction_of(record: Record, properties: dict[str, str]) -> TransactionId:
    """What a half message and its copies have in common."""
    return properties.get(UNIQUE_KEY, ""), record.born_timestamp_ms


def is_copy(properties: dict[str, str]) -> bool:
    """Whether a half message was put again at least once."""
    return rules.CHECK_TIMES in properties or rules.FIRST_QUEUE_OFFSET in properties
