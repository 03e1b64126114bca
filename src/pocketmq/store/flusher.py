"""What is safely on the disk: flushing the log, the queues and the index, and the checkpoint.

Every method blocks and runs on one worker thread. A failed flush of the log is final: the kernel
may have dropped the pages, so trying again could report success for data that is gone.
"""

from __future__ import annotations

import dataclasses
import os

from pocketmq.clock import Clock
from pocketmq.message.positions import LogOffset
from pocketmq.store import space
from pocketmq.store.checkpoint import Checkpoint
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import FlushConfig
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

    def flush_queues(self) -> int:
        """Flush queues and index; return how many queues. Raise StoreFull or StoreNotWritable."""
        timestamp_ms = self._dispatcher.store_timestamp_ms
        dirty = self._queues.dirty
        count = 0
        path = ""
        try:
            while dirty:
                queue = dirty.pop()
                queue.rest()
                for path in queue.unflushed():
                    space.sync_file(path)
                count += 1
            if self._index is not None:
                path = "the key index"
                self._advance(index_timestamp_ms=self._index.flush())
        except FileNotFoundError:
            # The topic was deleted meanwhile; what is left is flushed next time.
            return count
        except OSError as error:
            raise space.store_error(path or os.curdir, error) from error
        self._advance(queue_timestamp_ms=timestamp_ms)
        return count

    def _advance(self, **timestamps_ms: int) -> None:
        newer = {
            name: value
            for name, value in timestamps_ms.items()
            if value > getattr(self.checkpoint, name)
        }
        if newer:
            self.checkpoint = dataclasses.replace(self.checkpoint, **newer)
