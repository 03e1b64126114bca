"""The front door of the store.

    store = MessageStore(StoreConfig(root=path), SystemClock())
    store.open()                    # recovers; raises DirectoryInUse, CorruptStore
    store.append(...)               # the message is in the log
    store.dispatch(1000)            # ... and in its consume queue, visible to consumers
    store.flush_log()               # ... and on the disk
    store.close()

Nothing here loops, waits or starts threads. All calls belong to one thread, the event loop's,
except those that block, which the broker runs on one worker thread: `flush_log`, `flush_queues`,
`commit_log_buffer`, `prepare`, `delete_retired`, and on a thread for reading `bring_in`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

from pocketmq import descriptors
from pocketmq.clock import Clock
from pocketmq.errors import StoreError, StoreNotWritable
from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.message.record import Record
from pocketmq.message.scan import Filed
from pocketmq.store import layout, space
from pocketmq.store.appender import Appender
from pocketmq.store.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import RetentionConfig, StoreConfig, parse_delay_levels
from pocketmq.store.directory_lock import DirectoryLock
from pocketmq.store.dispatcher import Dispatcher
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.flusher import Flusher
from pocketmq.store.in_memory import InMemory
from pocketmq.store.key_index import KeyIndex, KeyQuery
from pocketmq.store.mapped_file import MappingCache
from pocketmq.store.queue_sizes import record_sizes
from pocketmq.store.queue_table import QueueTable, TopicQueues
from pocketmq.store.reader import PullResult, Reader
from pocketmq.store.recovery import Recovery, RecoveryReport
from pocketmq.store.retention import Retention, RetentionReport
from pocketmq.store.time_search import LOWER, offset_by_time, store_time_of

LOCALHOST = b"\x7f\x00\x00\x01" + (10911).to_bytes(4, "big")
_DISPATCH_STEP = 10_000

Arrival = Filed
"""(topic, queue_id, queue_offset, log_offset, size, tag_hash, store_timestamp_ms)"""


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Numbers for operators."""

    log_min: int
    log_end: int
    flushed_offset: int
    confirm_offset: int
    dispatch_behind_bytes: int
    topics: int
    queues: int
    mapped_files: int
    index_files: int
    disk_used_percent: float
    not_writable: str


class MessageStore:
    """Keeps messages of topics in queues, in a data directory that Apache RocketMQ can open."""

    def __init__(self, config: StoreConfig, clock: Clock, *, store_host: bytes = LOCALHOST) -> None:
        self.config = config
        self._clock = clock
        self._layout = layout.Layout.of(config)
        self._cache = MappingCache(_mappings_max(config.queues.mapped_files_max))
        self._sequence = FileSequence(self._layout.commit_log, config.log.file_bytes)
        self._log = CommitLog(self._sequence, config.log, self._cache)
        self._queues = QueueTable(
            self._layout.consume_queues, self._layout.batch_queues, config.queues, self._cache
        )
        self._index = (
            KeyIndex(self._layout.index, config.index, clock) if config.index.enabled else None
        )
        self._dispatcher = Dispatcher(
            self._log, self._queues, self._index, parse_delay_levels(config.delay_levels)
        )
        self._appender = Appender(self._log, self._queues, config.log, clock, store_host)
        self.reader = Reader(self._log, self._queues, config.reading)
        self._retention = Retention(
            self._log, self._queues, self._index, self._dispatcher, self._appender, config.retention
        )
        self._flusher = Flusher(
            self._log, self._queues, self._index, self._dispatcher, config.flush, clock
        )
        self.in_memory = InMemory(
            self._log,
            self._queues,
            self._index,
            config.reading.hot_bytes,
            lambda: self.confirm_offset,
        )
        self._lock = DirectoryLock(self._layout.lock)
        self._sync = config.flush.mode == "SYNC_FLUSH"
        self._open = False
        # The two calls of the hot path go straight to their owners.
        self.append = self._appender.append
        self.pull_directly = self.reader.pull_directly
        self.append_directly = self._appender.append_directly
        self.append_batch = self._appender.append_batch
        self.append_inner_batch = self._appender.append_inner_batch
        self.note = self._dispatcher.notes.add
        self.pull = self.reader.pull

    # --- opening and closing -------------------------------------------------------------------

    def open(self) -> RecoveryReport:
        """Lock the directory, recover, and begin. Raise DirectoryInUse or CorruptStore."""
        try:
            for path in (self._layout.root, self._layout.commit_log, self._layout.consume_queues):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise space.store_error(error.filename or str(self._layout.root), error) from error
        self._lock.acquire()
        try:
            report = self._recover()
            self._layout.abort.write_text(str(os.getpid()))
            # Made now, so that a disk that fills up later does not keep it from being written.
            write_checkpoint(self._layout.checkpoint, self._flusher.checkpoint)
        except OSError as error:
            self._release()
            raise space.store_error(str(self._layout.root), error) from error
        except BaseException:
            self._release()
            raise
        self._open = True
        return report

    def _recover(self) -> RecoveryReport:
        clean = not self._layout.abort.exists()
        mended = self._sequence.load("commit log", "mappedFileSizeCommitLog", mend=not clean)
        mended += self._queues.load(1 if clean else 3)
        if self._index is not None:
            self._index.load()
        checkpoint = read_checkpoint(self._layout.checkpoint)
        self._flusher.checkpoint = checkpoint
        recovery = Recovery(
            self._log, self._sequence, self._queues, self._index, self._dispatcher, self.config.log
        )
        return recovery.run(clean and not mended, checkpoint, mended)

    def close(self) -> None:
        """Flush, dispatch what is left, and release everything. Raise StoreError.

        The mark of an unclean stop stays when something could not be flushed or dispatched.
        """
        if not self._open:
            return
        self._open = False
        try:
            if self._log.failure is not None:
                return  # it was told when it happened, and nothing can be flushed any more
            self._flusher.flush_log()
            while self._dispatcher.step(self.confirm_offset, _DISPATCH_STEP):
                pass
            self._flusher.flush_queues()  # what is left of a round
            self._flusher.flush_queues()
            self.flush_checkpoint()
            if self._dispatcher.position == self._log.end and not self._flusher.may_have_lost:
                self._layout.abort.unlink(missing_ok=True)
        finally:
            self._release()

    def _release(self) -> None:
        self._queues.close()
        if self._index is not None:
            self._index.close()
        self._log.close()
        self._lock.release()

    # --- positions -----------------------------------------------------------------------------

    @property
    def log_end(self) -> LogOffset:
        """Where the next record goes."""
        return self._log.end

    @property
    def flushed_offset(self) -> LogOffset:
        """Everything before this is on the disk."""
        return self._log.flushed_offset

    @property
    def confirm_offset(self) -> LogOffset:
        """Everything before this may be seen by consumers: durable, as far as the mode asks."""
        return self._log.flushed_offset if self._sync else self._log.readable_offset

    @property
    def min_log_offset(self) -> LogOffset:
        """The first byte of the log that is kept."""
        return self._log.min_offset

    @property
    def dispatched_offset(self) -> LogOffset:
        """Everything before this is in its consume queue."""
        return self._dispatcher.position

    @property
    def failure(self) -> StoreError | None:
        """Why writes are refused, or None."""
        return self._log.failure or self._appender.refusal

    # --- dispatching and flushing --------------------------------------------------------------

    def dispatch(self, count_max: int) -> Sequence[Arrival]:
        """File at most about `count_max` confirmed records; return those that entered a queue."""
        limit = self.confirm_offset
        if self._dispatcher.position >= limit:
            return []
        return self._dispatcher.step(limit, count_max)

    def flush_log(self) -> LogOffset:
        """Force the log to the disk; return the offset that is safe. Blocks.

        Raise FlushFailed when the disk fails; the store then refuses writes until a restart.
        """
        return self._flusher.flush_log()

    def flush_due(self) -> bool:
        """Whether ASYNC_FLUSH wants a flush: enough pages are dirty, or enough time has passed."""
        return self._flusher.is_due

    def commit_log_buffer(self) -> LogOffset:
        """Move the write buffer, if there is one, to the log file. Blocks."""
        return self._log.commit()

    def flush_queues(self, count_max: int | None = None) -> bool:
        """Force dirty queues, then the index, to the disk; return whether that is done. Blocks.

        With many queues, `count_max` keeps one call short; call again until it is done. Raise
        StoreFull or StoreNotWritable; see flusher.py.
        """
        return self._flusher.flush_queues(count_max)

    def flush_checkpoint(self) -> None:
        """Write down what is safely on the disk. Blocks. Raise StoreFull or StoreNotWritable."""
        try:
            write_checkpoint(self._layout.checkpoint, self._flusher.checkpoint)
        except OSError as error:
            raise space.store_error(str(self._layout.checkpoint), error) from error

    def set_replication_checkpoint(self, master_flushed: int, confirmed: int) -> None:
        """Remember a replica's view of its master in the checkpoint."""
        self._flusher.checkpoint = dataclasses.replace(
            self._flusher.checkpoint, master_flushed_offset=master_flushed, confirm_offset=confirmed
        )

    @property
    def checkpoint(self) -> Checkpoint:
        """What the next `flush_checkpoint` writes."""
        return self._flusher.checkpoint

    def prepare(self) -> bool:
        """Reserve disk space ahead and the next file early; True if there was work. Blocks."""
        return self._log.prepare()

    def configure_retention(self, config: RetentionConfig) -> None:
        """Keep messages by other rules from the next `retain` on."""
        self._retention.configure(config)

    def retain(self, now_ms: int, *, at_once: bool = False) -> RetentionReport:
        """Forget expired files of log and index; `delete_retired` then deletes them."""
        return self._retention.step(now_ms, at_once=at_once)

    def trim_queues(self, count_max: int) -> bool:
        """After `retain`: forget expired files of some queues; return whether none is left."""
        return self._retention.trim(count_max)

    def hide_before(self, topic: str, queue_id: int, queue_offset: int) -> None:
        """Hide messages that have outlived their topic's own limit."""
        queue = self._queues.find(topic, queue_id)
        if queue is not None:
            self._retention.hide_before(queue, QueueOffset(queue_offset))

    def delete_retired(self, count_max: int = 10) -> int:
        """Delete files that `retain` has let go; return how many. Blocks."""
        return self._retention.delete(count_max)

    def bring_in(self, result: PullResult) -> None:
        """Read what a cold pull needs from the disk; then pull again. Blocks."""
        result.fetch()

    # --- looking up ----------------------------------------------------------------------------

    @property
    def appends_directly(self) -> bool:
        """Whether records can be written as they are, without a checksum of their properties."""
        return not self.config.log.append_properties_crc

    def topic_queues(self, topic: str) -> TopicQueues:
        """Return what is known of a topic's queues; next offsets belong to the appender."""
        return self._queues.topic(topic)

    def queue_offsets(self, topic: str, queue_id: int) -> tuple[int, int]:
        """Return (first, end) queue offset that consumers see; zeros for an unused queue."""
        queue = self._queues.find(topic, queue_id)
        if queue is None:
            return 0, 0
        return queue.min_offset(self._log.min_offset), queue.end

    def queue_ends(self, topic: str) -> list[int]:
        """Return the end of each queue of a topic, by number; 0 for one that was never used."""
        found = self._queues.topics.get(topic)
        if found is None:
            return []
        return [0 if queue is None else queue.end for queue in found.queues]

    def record_sizes(self, topic: str, queue_id: int, start: int, end: int) -> list[int]:
        """Return how large the records of some messages of a queue are; see queue_sizes.py."""
        queue = self._queues.find(topic, queue_id)
        if queue is None or queue.is_batch:
            return []
        return record_sizes(queue, start, min(end, queue.end))

    def offset_by_time(
        self, topic: str, queue_id: int, timestamp_ms: int, boundary: str = LOWER
    ) -> int:
        """Return the queue offset for a moment, LOWER or UPPER; see time_search.py."""
        queue = self._queues.find(topic, queue_id)
        if queue is None:
            return 0
        return offset_by_time(self._log, queue, timestamp_ms, boundary)

    def store_time_of(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """Return when a message was stored, or -1 when it is not there."""
        queue = self._queues.find(topic, queue_id)
        if queue is None or queue_offset < queue.min_offset(self._log.min_offset):
            return -1
        return store_time_of(self._log, queue, QueueOffset(queue_offset))

    def entry_of(self, topic: str, queue_id: int, queue_offset: int) -> tuple[int, int, int] | None:
        """Return (log_offset, size, tag_hash) of a message, or None when it is not there."""
        queue = self._queues.find(topic, queue_id)
        if queue is None or queue_offset < queue.min_offset(self._log.min_offset):
            return None
        return queue.entry(QueueOffset(queue_offset))

    def is_recent(self, log_offset: int) -> bool:
        """Whether what lies there counts as being in memory, by `memory_ratio_percent`."""
        return log_offset >= self.reader.recent_from

    def record_at(self, log_offset: int) -> memoryview | None:
        """Return the bytes of the whole, verified record at a log offset, or None."""
        record = self.decoded_record_at(log_offset)
        file = self._log.file_at(log_offset)
        if record is None or file is None or file.view is None:
            return None
        at = log_offset - file.start
        return file.view[at : at + record.size]

    def decoded_record_at(self, log_offset: int) -> Record | None:
        """Return the whole, verified record at a log offset, or None."""
        if log_offset < self._log.min_offset:
            return None
        return self._log.record_at(log_offset, self.confirm_offset)

    def query_by_key(
        self, topic: str, key: str, count_max: int, begin_ms: int, end_ms: int
    ) -> KeyQuery:
        """Return where messages of a topic with a key lie, stored between two moments."""
        if self._index is None:
            return KeyQuery([], 0, 0)
        return self._index.query(topic, key, begin_ms, end_ms, count_max, self._log.min_offset)

    def delete_topic(self, topic: str) -> bool:
        """Forget a topic's queues and delete their files. Its bytes in the log go when they age."""
        return self._queues.delete(topic)

    def declare_batch_topic(self, topic: str) -> None:
        """Give a topic without queues batch consume queues, as queue.type=BatchCQ asks.

        Called before `open` or before the topic's first message.
        """
        queues = self._queues.topic(topic)
        if not queues.queues:
            queues.is_batch = True

    def topics(self) -> list[str]:
        """Return the names of all topics that have queues."""
        return list(self._queues.topics)

    def queue_ids(self, topic: str) -> list[int]:
        """Return the numbers of a topic's queues that have been used."""
        found = self._queues.topics.get(topic)
        if found is None:
            return []
        return [number for number, queue in enumerate(found.queues) if queue is not None]

    def refuse_writes(self, reason: str) -> None:
        """Refuse writes until `accept_writes`; for fencing."""
        self._appender.refusal = StoreNotWritable(reason)

    def accept_writes(self) -> None:
        """Accept writes again, unless the disk has failed."""
        self._appender.refusal = None

    def stats(self) -> StoreStats:
        """Return numbers for operators."""
        failure = self.failure
        return StoreStats(
            log_min=self._log.min_offset,
            log_end=self._log.end,
            flushed_offset=self._log.flushed_offset,
            confirm_offset=self.confirm_offset,
            dispatch_behind_bytes=self._log.end - self._dispatcher.position,
            topics=len(self._queues.topics),
            queues=sum(1 for _ in self._queues),
            mapped_files=len(self._cache),
            index_files=len(self._index.files) if self._index is not None else 0,
            disk_used_percent=self._retention.disk_used_percent(),
            not_writable=str(failure) if failure is not None else "",
        )


def _mappings_max(configured: int) -> int:
    """Stay well below the limit of open descriptors: each mapping holds one."""
    allowed = descriptors.limit()
    return configured if allowed is None else max(16, min(configured, allowed // 2))
