"""What is deleted, and when: by age, at certain hours, and when the disk fills up.

Whole commit log files go, oldest first, never the one being written. Queue and index files follow
once all their records are gone. Topics with a time limit of their own hide their older messages
at once; the bytes go with the log file that holds them.

`step` decides and forgets, on the thread that owns the store, and `trim` then does so for a few
queues at a time; `delete` removes the files and may block, on a worker thread.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from pocketmq.errors import StoreFull
from pocketmq.message.positions import QueueOffset
from pocketmq.store.appender import Appender
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import RetentionConfig, parse_hours
from pocketmq.store.consume_queue import ConsumeQueue
from pocketmq.store.dispatcher import Dispatcher
from pocketmq.store.key_index import KeyIndex
from pocketmq.store.queue_table import QueueTable

_log = logging.getLogger(__name__)
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """What one step did."""

    log_files: int
    index_files: int
    disk_used_percent: float


class Retention:
    """Keeps the store within its limits of age and space."""

    def __init__(
        self,
        log: CommitLog,
        queues: QueueTable,
        index: KeyIndex | None,
        dispatcher: Dispatcher,
        appender: Appender,
        config: RetentionConfig,
    ) -> None:
        self._log = log
        self._queues = queues
        self._index = index
        self._dispatcher = dispatcher
        self._appender = appender
        self.configure(config)
        self._cleaned_for = -1
        self._retired: deque[str] = deque()
        self._untrimmed: list[ConsumeQueue] = []

    def configure(self, config: RetentionConfig) -> None:
        """Take other rules for the next step."""
        self._config = config
        self._hours = parse_hours(config.delete_when)

    def step(self, now_ms: int, *, at_once: bool = False) -> RetentionReport:
        """Forget log and index files that have expired; `trim` does so for queues.

        `at_once` cleans at any hour, as an operator may ask. Writes are refused while the disk is
        fuller than allowed, and accepted again when it is not.
        """
        used = self.disk_used_percent()
        self._watch_fullness(used)
        forced = used >= self._config.disk_clean_percent and self._config.clean_unexpired
        hour = datetime.fromtimestamp(now_ms / 1000).hour
        due = at_once or hour in self._hours or used >= self._config.disk_used_percent_max
        log_files = self._expire_log(now_ms, forced) if due or forced else 0
        log_min = self._log.min_offset
        index_files = 0
        if log_min != self._cleaned_for:
            self._cleaned_for = log_min
            self._untrimmed = list(self._queues)
            if self._index is not None:
                retired = self._index.retire_before(log_min)
                self._retired.extend(retired)
                index_files = len(retired)
        return RetentionReport(log_files, index_files, used)

    def trim(self, count_max: int) -> bool:
        """Forget expired files of at most `count_max` queues; return whether none is left."""
        for _ in range(min(count_max, len(self._untrimmed))):
            self._trim(self._untrimmed.pop())
        return not self._untrimmed

    def hide_before(self, queue: ConsumeQueue, queue_offset: QueueOffset) -> None:
        """Hide messages of a queue that have outlived their topic's limit."""
        queue.raise_floor(queue_offset)
        self._trim(queue)

    def disk_used_percent(self) -> float:
        """Return how full the disk below the commit log is."""
        directory = self._log.directory
        usage = shutil.disk_usage(directory)
        return 100.0 * usage.used / max(usage.used + usage.free, 1)

    def delete(self, count_max: int = 10) -> int:
        """Delete files that `step` has let go; return how many. Blocks; runs on a worker thread."""
        count = 0
        while self._retired and count < count_max:
            path = self._retired[0]
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                _log.warning("file=%s delete_failed=%r", path, str(error))
                break
            self._retired.popleft()
            count += 1
        return count

    def _watch_fullness(self, used: float) -> None:
        full = used >= self._config.disk_full_percent
        refusal = self._appender.refusal
        if full and refusal is None:
            reason = f"{used:.0f} % used, {self._config.disk_full_percent} % allowed"
            self._appender.refusal = StoreFull(self._log.directory, reason)
            _log.error("disk=full used_percent=%.1f writes=refused", used)
        elif not full and isinstance(refusal, StoreFull):
            self._appender.refusal = None
            _log.info("disk=ok used_percent=%.1f writes=accepted", used)

    def _expire_log(self, now_ms: int, forced: bool) -> int:
        limit_ms = now_ms - self._config.reserved_hours * _HOUR_MS
        count = 0
        while count < self._config.files_per_step_max and len(self._log.files) > 1:
            oldest = self._log.files[0]
            safe = min(self._log.flushed_offset, self._dispatcher.position)
            if oldest.end > safe or oldest.end > self._log.end:
                break
            if not forced and os.path.getmtime(oldest.path) * 1000 > limit_ms:
                break
            self._log.retire(oldest)
            self._retired.append(oldest.path)
            count += 1
        return count

    def _trim(self, queue: ConsumeQueue) -> None:
        self._retired.extend(queue.retire_before(queue.min_offset(self._log.min_offset)))
