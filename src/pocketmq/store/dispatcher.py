"""New records become entries of consume queues and of the key index."""

from __future__ import annotations

from collections.abc import Sequence

from pocketmq import _speedups
from pocketmq.errors import CorruptRecord
from pocketmq.message.flags import INNER_BATCH
from pocketmq.message.positions import LogOffset
from pocketmq.message.properties import DELAY, INNER_NUM
from pocketmq.message.scan import END_BLANK, END_INVALID, Filed, scan_records
from pocketmq.store.batch_consume_queue import BatchConsumeQueue, BatchUnit
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.key_index import KeyIndex
from pocketmq.store.noted import Notes
from pocketmq.store.queue_table import QueueTable, TopicQueues


class Dispatcher:
    """Reads the log from `position` on and files each record where it belongs."""

    def __init__(
        self,
        log: CommitLog,
        queues: QueueTable,
        index: KeyIndex | None,
        delays_ms: tuple[int, ...],
    ) -> None:
        self._log = log
        self._queues = queues
        self._topics = queues.topics
        self._index = index
        self._delays_ms = delays_ms
        self.notes = Notes()
        self.position = LogOffset(0)
        self.store_timestamp_ms = 0

    def step(self, limit: LogOffset, count_max: int) -> Sequence[Filed]:
        """File about `count_max` records at most that end at or before `limit`; return them.

        Raise StoreFull when a queue or the index has no room; the step can be tried again. Raise
        CorruptRecord when the log holds something else than a record.
        """
        arrived: Sequence[Filed] = []
        while self.position < limit and len(arrived) < count_max:
            noted = self.notes.at(self.position, limit)
            if noted is not None:
                self.file(noted.records, noted.keys)
                arrived = [*arrived, *noted.records] if arrived else noted.records
                self.position = LogOffset(noted.end)
                continue
            file = self._log.file_at(self.position)
            assert file is not None and file.data is not None, "the log has no such file"
            at = self.position - file.start
            last = min(self.notes.next_start(self.position, limit) - file.start, file.size)
            records, keys, following, why = scan_records(
                file.data, at, last, self.position, count_max - len(arrived)
            )
            self.file(records, keys)
            arrived = [*arrived, *records] if arrived else records
            if why == END_BLANK:
                self.position = LogOffset(file.end)
                continue
            self.position = LogOffset(file.start + following)
            if why == END_INVALID:
                raise CorruptRecord(self.position, "the commit log was changed after writing")
            if following == at:
                break
        return arrived

    def file(self, records: Sequence[Filed], keys: bytes) -> None:
        """Put scanned records into their queues and their keys into the index."""
        at = 0
        while at < len(records):
            at = file_entries(records, at, self._topics)
            if at < len(records):
                self._file_one(*records[at])
                at += 1
        if keys and self._index is not None:
            self._index.put(keys)
        if records:
            self.store_timestamp_ms = records[-1][6]

    def _file_one(
        self,
        name: str,
        queue_id: int,
        queue_offset: int,
        log_offset: int,
        size: int,
        tag_hash: int,
        store_ms: int,
    ) -> None:
        """Put one record into its queue, whatever is special about it."""
        topic = self._topics.get(name)
        if topic is None or queue_id >= len(topic.queues):
            topic = self._queues.topic(name)
            self._queues.open_queue(topic, queue_id)
        queue = topic.queues[queue_id]
        if queue is None:
            queue = self._queues.open_queue(topic, queue_id)
        if topic.is_schedule:
            tag_hash = self._due_time(log_offset, size, tag_hash, store_ms)
        if topic.is_batch and isinstance(queue, BatchConsumeQueue):
            count = self._messages_in(log_offset, size)
            queue.append_record(
                BatchUnit(log_offset, size, tag_hash, store_ms, queue_offset, count)
            )
            return
        queue.append(queue_offset, log_offset, size, tag_hash)

    def _messages_in(self, log_offset: int, size: int) -> int:
        """Return how many messages the record of a batch topic holds."""
        record = self._log.record_at(log_offset, log_offset + size)
        if record is None or not record.sys_flag & INNER_BATCH:
            return 1
        count = record.properties.get(INNER_NUM, "1")
        return max(int(count), 1) if count.isdigit() else 1

    def _due_time(self, log_offset: int, size: int, tag_hash: int, store_ms: int) -> int:
        """In delay queues the tag hash gives way to the moment of delivery."""
        record = self._log.record_at(log_offset, log_offset + size)
        level_text = record.properties.get(DELAY, "0") if record is not None else "0"
        level = int(level_text) if level_text.lstrip("-").isdigit() else 0
        if level <= 0:
            return tag_hash
        return store_ms + self._delays_ms[min(level, len(self._delays_ms)) - 1]


def file_entries_plain(records: Sequence[Filed], index: int, topics: dict[str, TopicQueues]) -> int:
    """Put ordinary records into their queues from `index` on; return where the first odd one is.

    An entry is odd when it is not the next of a queue that exists and has room for it.
    """
    for at in range(index, len(records)):
        name, queue_id, queue_offset, log_offset, size, tag_hash, _ = records[at]
        topic = topics.get(name)
        if topic is None or topic.is_schedule or topic.is_batch:
            return at
        queue = topic.queues[queue_id] if 0 <= queue_id < len(topic.queues) else None
        if queue is None or not queue.append_next(queue_offset, log_offset, size, tag_hash):
            return at
    return len(records)


if _speedups.has("queues"):
    from pocketmq._speedups.queues import file_entries as file_entries
else:
    file_entries = file_entries_plain
