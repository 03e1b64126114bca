"""The one way into the commit log: a message becomes a record at the end of it.

Everything here belongs to one thread. The queue offset a message gets is fixed here, so that the
record can carry it; the consume queue learns of it when the dispatcher gets there.
"""

from __future__ import annotations

import mmap
from typing import Any, Protocol, TypeVar

from pocketmq.clock import Clock
from pocketmq.errors import PropertiesTooLarge, RecordTooLarge, StoreError
from pocketmq.message.batch import BatchItem, decode_batch
from pocketmq.message.checksum import crc32
from pocketmq.message.flags import (
    INNER_BATCH,
    NEEDS_UNWRAP,
    TRANSACTION_MASK,
    TRANSACTION_PREPARED,
)
from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.message.properties import (
    INNER_BASE,
    INNER_NUM,
    PROPERTIES_BYTES_MAX,
    encode_properties,
)
from pocketmq.message.record import CRC_MASK, record_size, write_batch, write_record
from pocketmq.store import properties_crc
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import LogConfig
from pocketmq.store.queue_table import QueueTable, TopicQueues

_CLOCK_STEP_BACK_MAX_MS = 60_000

Source = TypeVar("Source", contravariant=True)
News = TypeVar("News", bytes, "list[Any]")


class DirectWriter(Protocol[Source, News]):  # type: ignore[misc]
    """Turns messages into records by itself: see `_speedups/sends.pyi`."""

    def __call__(
        self,
        source: Source,
        position: int,
        born_host: bytes,
        target: mmap.mmap | bytearray,
        at: int,
        limit: int,
        log_offset: int,
        now_ms: int,
        /,
    ) -> tuple[int, int, int, int, News]:
        """Return (position behind what was used, bytes written, room the next record needs or 0,
        messages, what to say of them)."""
        ...


class Appender:
    """Appends messages and batches; refuses when the store cannot keep them."""

    def __init__(
        self, log: CommitLog, queues: QueueTable, config: LogConfig, clock: Clock, store_host: bytes
    ) -> None:
        self._log = log
        self._queues = queues
        self._topics = queues.topics
        self._body_bytes_max = config.message_bytes_max
        self._append_crc = config.append_properties_crc
        self._now_ms = clock.now_ms
        self.store_host = store_host
        self.refusal: StoreError | None = None

    def append(
        self,
        topic: str,
        queue_id: int,
        flag: int,
        sys_flag: int,
        born_timestamp_ms: int,
        born_host: bytes,
        reconsume_times: int,
        prepared_offset: int,
        body: bytes | memoryview,
        properties: bytes,
    ) -> tuple[LogOffset, int, QueueOffset, int]:
        """Append one message; return (log_offset, size, queue_offset, store_timestamp_ms).

        `born_host` is a packed address and port of 8 or 20 bytes. Raise RecordTooLarge,
        PropertiesTooLarge, TopicTooLong, QueueIdOutOfRange, StoreFull or StoreNotWritable; then
        nothing has been written.
        """
        log = self._log
        if self.refusal is not None or log.failure is not None:
            raise self.refusal or log.failure  # type: ignore[misc]
        if len(body) > self._body_bytes_max:
            raise RecordTooLarge(len(body), self._body_bytes_max)
        if self._append_crc:
            properties = properties_crc.with_room(properties)
        if len(properties) > PROPERTIES_BYTES_MAX:
            raise PropertiesTooLarge(len(properties), PROPERTIES_BYTES_MAX)
        queues = self._topics.get(topic) or self._queues.topic(topic)
        next_offsets = queues.next_offsets
        if not 0 <= queue_id < len(next_offsets) or next_offsets[queue_id] < 0:
            self._queues.open_queue(queues, queue_id)
        # Half messages and rolled-back ones are in no queue, so they use up no queue offset.
        queued = not sys_flag & TRANSACTION_PREPARED
        queue_offset = next_offsets[queue_id] if queued else 0
        now_ms = self._now_ms()
        if now_ms < log.store_timestamp_ms:
            now_ms = self._after_clock_step(now_ms)
        body_crc = crc32(body) & CRC_MASK
        while True:
            log_offset = log.end
            size = write_record(
                log.target, log.position, log.limit, log_offset, queue_offset, now_ms,
                queues.magic, queue_id, flag, sys_flag, born_timestamp_ms, born_host,
                self.store_host, reconsume_times, prepared_offset, body, body_crc,
                queues.name_bytes, properties,
            )  # fmt: skip
            if size > 0:
                break
            log.make_room(-size)
        if self._append_crc:
            properties_crc.seal(log.target, log.position, size)
        log.position += size
        # Calling a NewType costs as much as writing the record, so the values pass as plain ints.
        log.end = log_offset + size  # type: ignore[assignment]
        log.store_timestamp_ms = now_ms
        if queued:
            next_offsets[queue_id] = queue_offset + 1
        return log_offset, size, queue_offset, now_ms  # type: ignore[return-value]

    def append_directly(
        self, write: DirectWriter[Source, News], source: Source, born_host: bytes, said: News
    ) -> tuple[int, int, News]:
        """Let `write` put the records of the messages in `source` at the end of the log itself.

        Return (how much of `source` was used, messages appended, `said` and what `write` said).
        Nothing is used when the store refuses writes, or from where on it has no room: `append`
        says why.
        """
        log = self._log
        if self.refusal is not None or log.failure is not None:
            return 0, 0, said
        position = count = 0
        now_ms = self._now_ms()
        if now_ms < log.store_timestamp_ms:
            now_ms = self._after_clock_step(now_ms)
        while True:
            position, written, needed, more, news = write(
                source, position, born_host, log.target, log.position, log.limit, log.end, now_ms
            )
            if written:
                log.position += written
                log.end = log.end + written  # type: ignore[assignment]
                log.store_timestamp_ms = now_ms
                count += more
            said = said + news if said else news
            if not needed:
                return position, count, said
            try:
                log.make_room(needed)
            except StoreError:
                return position, count, said

    def append_batch(
        self,
        topic: str,
        queue_id: int,
        flag: int,
        sys_flag: int,
        born_timestamp_ms: int,
        born_host: bytes,
        reconsume_times: int,
        batch: bytes | memoryview,
    ) -> tuple[LogOffset, list[int], QueueOffset]:
        """Append the messages of a wire batch as neighbours, all in one file.

        Return (log offset of the first, sizes, queue offset of the first). Raise as `append` does,
        and MalformedBody; then none has been written. Each item has its own flag; `flag` belongs
        to the envelope and is not stored.
        """
        if len(batch) > self._body_bytes_max:
            raise RecordTooLarge(len(batch), self._body_bytes_max)
        if sys_flag & TRANSACTION_MASK:
            raise StoreError("a batch cannot be transactional; send its messages one by one")
        if not batch:
            raise StoreError("a batch without messages cannot be stored; send at least one")
        if self._append_crc:
            return self._append_singly(
                topic, queue_id, sys_flag, born_timestamp_ms, born_host, reconsume_times, batch
            )
        log = self._log
        if self.refusal is not None or log.failure is not None:
            raise self.refusal or log.failure  # type: ignore[misc]
        queues = self._topics.get(topic) or self._queues.topic(topic)
        next_offsets = queues.next_offsets
        if not 0 <= queue_id < len(next_offsets) or next_offsets[queue_id] < 0:
            self._queues.open_queue(queues, queue_id)
        first = next_offsets[queue_id]
        now_ms = self._now_ms()
        if now_ms < log.store_timestamp_ms:
            now_ms = self._after_clock_step(now_ms)
        while True:
            log_offset = log.end
            sizes = write_batch(
                log.target, log.position, log.limit, log_offset, first, now_ms, queues.magic,
                queue_id, sys_flag, born_timestamp_ms, born_host, self.store_host, reconsume_times,
                batch, queues.name_bytes,
            )  # fmt: skip
            if isinstance(sizes, list):
                break
            if sizes is None:
                decode_batch(batch)
                raise AssertionError("a batch that cannot be written can be read")
            log.make_room(-sizes)
        total = sum(sizes)
        log.position += total
        log.end = LogOffset(log_offset + total)
        log.store_timestamp_ms = now_ms
        next_offsets[queue_id] = first + len(sizes)
        return log_offset, sizes, QueueOffset(first)

    def _append_singly(
        self,
        topic: str,
        queue_id: int,
        sys_flag: int,
        born_timestamp_ms: int,
        born_host: bytes,
        reconsume_times: int,
        batch: bytes | memoryview,
    ) -> tuple[LogOffset, list[int], QueueOffset]:
        """Append the messages of a batch one by one, each with a checksum of its properties."""
        items = decode_batch(batch)
        queues = self._topics.get(topic) or self._queues.topic(topic)
        self._make_room_for_batch(queues, born_host, items)
        places = [
            self.append(
                topic, queue_id, flag, sys_flag, born_timestamp_ms, born_host, reconsume_times, 0,
                body, bytes(properties),
            )
            for flag, body, properties in items
        ]  # fmt: skip
        log_offset, _, queue_offset, _ = places[0]
        return log_offset, [size for _, size, _, _ in places], queue_offset

    def append_inner_batch(
        self,
        topic: str,
        queue_id: int,
        flag: int,
        sys_flag: int,
        born_timestamp_ms: int,
        born_host: bytes,
        reconsume_times: int,
        batch: bytes | memoryview,
        properties: bytes,
    ) -> tuple[LogOffset, int, QueueOffset, int]:
        """Append the messages of a wire batch as one record of a batch topic.

        Return (log_offset, size, queue offset of the first message, number of messages). Raise as
        `append_batch` does.
        """
        if sys_flag & TRANSACTION_MASK:
            raise StoreError("a batch cannot be transactional; send its messages one by one")
        count = len(decode_batch(batch))
        if not count:
            raise StoreError("a batch without messages cannot be stored; send at least one")
        queues = self._topics.get(topic) or self._queues.topic(topic)
        next_offsets = queues.next_offsets
        if not 0 <= queue_id < len(next_offsets) or next_offsets[queue_id] < 0:
            self._queues.open_queue(queues, queue_id)
        base = queues.next_offsets[queue_id]
        own = {INNER_NUM: str(count), INNER_BASE: str(base)}
        log_offset, size, queue_offset, _ = self.append(
            topic, queue_id, flag, sys_flag | INNER_BATCH | NEEDS_UNWRAP, born_timestamp_ms,
            born_host, reconsume_times, 0, batch, properties + encode_properties(own).encode(),
        )  # fmt: skip
        queues.next_offsets[queue_id] = queue_offset + count
        return log_offset, size, queue_offset, count

    def _make_room_for_batch(
        self, queues: TopicQueues, born_host: bytes, items: list[BatchItem]
    ) -> None:
        hosts = len(born_host) + len(self.store_host)
        spare = properties_crc.TAIL_BYTES + 1 if self._append_crc else 0
        room = 0
        for _, body, item_properties in items:
            if len(item_properties) + spare > PROPERTIES_BYTES_MAX:
                raise PropertiesTooLarge(len(item_properties), PROPERTIES_BYTES_MAX)
            room += spare + record_size(
                queues.magic, hosts, len(body), len(queues.name_bytes), len(item_properties)
            )
        if self._log.position + room + 8 > self._log.limit:
            self._log.make_room(room)

    def _after_clock_step(self, now_ms: int) -> int:
        """Keep store times from running backwards, unless the clock was set back for good."""
        last = self._log.store_timestamp_ms
        return last if last - now_ms <= _CLOCK_STEP_BACK_MAX_MS else now_ms
