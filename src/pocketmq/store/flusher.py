"""What is safely on the disk: flushing the log, the queues and the index, and the checkpoint.

Every method blocks and runs on one worker thread. A failed flush of the log is final: the kernel
may have dropped the pages, so trying again could report success for data that is gone.
"""

from __future__ import annotations

import dataclasses

from pocketmq.clock import Clock
from pocketmq.message.positions import LogOffset
from pocketmq.store import space
from pocketmq.store.checkpoint import Checkpoint
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import FlushConfig
from pocketmq.store.consume_queue import ConsumeQueue
from pocketmq.store.dispatcher import Dispatcher
from pocketmq.store.key_index import KeyIndex
from pocketmq.store.queue_table import QueueTable


class Flusher:
    """Moves the line between what a power failure may take and what it may not."""

    def __init__(
        self,
        log: CommitLog,
        queues: QueueTable,
        index: KeyIndex | None,
        dispatcher: Dispatcher,
        config: FlushConfig,
        clock: Clock,
    ) -> None:
        self._log = log
        self._queues = queues
        self._index = index
        self._dispatcher = dispatcher
        self._config = config
        self._clock = clock
        self._thorough_at = clock.monotonic() + config.thorough_interval_ms / 1000
        self._round: list[ConsumeQueue] = []
        self._round_timestamp_ms = 0
        self.may_have_lost = False
        self.checkpoint = Checkpoint()

    @property
    def is_due(self) -> bool:
        """Whether enough pages are dirty, or something is and the thorough interval is over."""
        log = self._log
        if log.end <= log.flushed_offset:
            return False
        pages = log.end // space.PAGE_BYTES - log.flushed_offset // space.PAGE_BYTES
        return pages >= self._config.pages_min or self._clock.monotonic() >= self._thorough_at

    def flush_log(self) -> LogOffset:
        """Flush the log; return the offset that is safe now. Raise FlushFailed."""
        flushed = self._log.flush()
        self._thorough_at = self._clock.monotonic() + self._config.thorough_interval_ms / 1000
        self._advance(log_timestamp_ms=self._log.flushed_timestamp_ms)
        return flushed

    def flush_queues(self, count_max: int | None = None) -> bool:
        """Flush queues of this round, at most `count_max`; return whether the round is over.

        A round takes all queues that are dirty when it begins, then the index. Only its end moves
        the checkpoint: what it vouches for is what was filed before the round began.

        Raise StoreFull or StoreNotWritable. What could not be flushed may be lost, and flushing it
        again would not tell. It can be built again from the log, so writes go on, but the
        checkpoint stays where it is, so that the next start does build it again.
        """
        if not self._round:
            self._round_timestamp_ms = self._dispatcher.store_timestamp_ms
            dirty = self._queues.dirty
            while dirty:
                self._round.append(dirty.pop())
        count = 0
        while self._round and (count_max is None or count < count_max):
            self._flush_queue(self._round.pop())
            count += 1
        if self._round:
            return False
        self._flush_index()
        if not self.may_have_lost:
            self._advance(queue_timestamp_ms=self._round_timestamp_ms)
        return True

    def _flush_queue(self, queue: ConsumeQueue) -> None:
        queue.rest()
        for path in queue.unflushed():
            try:
                space.sync_file(path)
            except FileNotFoundError:
                continue  # the topic was deleted, or the file has expired, meanwhile
            except OSError as error:
                self.may_have_lost = True
                raise space.store_error(path, error) from error

    def _flush_index(self) -> None:
        if self._index is None:
            return
        try:
            timestamp_ms = self._index.flush()
        except OSError as error:
            self.may_have_lost = True
            raise space.store_error("the key index", error) from error
        if not self.may_have_lost:
            self._advance(index_timestamp_ms=timestamp_ms)

    def _advance(self, **timestamps_ms: int) -> None:
        newer = {
            name: value
            for name, value in timestamps_ms.items()
            if value > getattr(self.checkpoint, name)
        }
        if newer:
            self.checkpoint = dataclasses.replace(self.checkpoint, **newer)
