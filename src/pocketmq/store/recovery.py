"""Finding the true end of the log at start, and making queues and index agree with it.

After a clean stop the queues tell where the log ends, and only what lies behind is looked at.
Otherwise the log is read and verified from a file old enough to have been on the disk before the
crash, up to the first byte that is not a whole, undamaged record. What is behind is zeroed, so that
it can never be taken for a record later. Queue and index entries that point behind the end go; the
verified records are filed again, which mends entries that are missing or wrong.

A queue that lacks entries before its first refiled record makes recovery begin earlier, so that no
queue offset is given out twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from pocketmq.message.positions import LogOffset
from pocketmq.message.record import CRC_MASK, LONG
from pocketmq.message.scan import (
    END_BLANK,
    END_INVALID,
    KEY_ENTRY,
    Filed,
    measure_record,
    scan_records,
)
from pocketmq.store import properties_crc, space
from pocketmq.store.checkpoint import Checkpoint
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import LogConfig
from pocketmq.store.dispatcher import Dispatcher
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.key_index import KeyIndex
from pocketmq.store.mapped_file import MappedFile
from pocketmq.store.queue_table import QueueTable

_log = logging.getLogger(__name__)
_SCAN_RECORDS = 4096


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What opening a store found and did."""

    clean: bool
    log_min: int
    log_end: int
    verified_records: int
    refiled_records: int
    cut_bytes: int
    mended_files: tuple[str, ...] = ()


class Recovery:
    """One recovery; `run` is called once."""

    def __init__(
        self,
        log: CommitLog,
        sequence: FileSequence,
        queues: QueueTable,
        index: KeyIndex | None,
        dispatcher: Dispatcher,
        config: LogConfig,
    ) -> None:
        self._log = log
        self._sequence = sequence
        self._queues = queues
        self._index = index
        self._dispatcher = dispatcher
        self._config = config
        self._verified = 0
        self._refiled = 0
        self._last_record = -1
        self._keys_complete = -1

    def run(self, clean: bool, checkpoint: Checkpoint, mended: list[str]) -> RecoveryReport:
        """Recover. `clean` says that the last stop was clean and no file had a wrong length."""
        start = self._clean_start() if clean else None
        if start is None:
            clean = False
            start = self._crash_start(checkpoint.safe_timestamp_ms)
        suspects = [] if clean else [queue for queue in self._queues if queue.suspect]
        end = self._verify(start)
        cut_bytes = self._cut(end)
        if self._index is not None:
            if clean:
                self._keys_complete = self._index.last_update()[1] if self._index.files else -1
            else:
                if checkpoint == Checkpoint():
                    # Nothing vouches for the index, and all of the log is read anyway.
                    self._index.drop_all()
                complete = self._index.mend(end, checkpoint.index_timestamp_ms)
                self._keys_complete = complete if self._index.files else -1
                start = min(start, max(self._keys_complete, self._sequence.start))
                start = self._file_start(start)
        for queue in suspects:
            held = max(queue.last_log_end(), self._sequence.start)
            start = min(start, self._file_start(held))
        self._refile(start, end)
        self._queues.settle_next_offsets()
        self._dispatcher.position = LogOffset(end)
        timestamp_ms = self._log.store_time_at(self._last_record) if self._last_record >= 0 else 0
        self._dispatcher.store_timestamp_ms = max(timestamp_ms, 0)
        self._log.start_at(LogOffset(end), max(timestamp_ms, 0))
        return RecoveryReport(
            clean,
            self._sequence.start,
            end,
            self._verified,
            self._refiled,
            cut_bytes,
            tuple(mended),
        )

    def _clean_start(self) -> int | None:
        """Return where the last record that a queue knows begins, or None if that cannot be."""
        last = max(self._queues, key=lambda queue: queue.last_log_end(), default=None)
        if last is None or last.last_log_end() == 0:
            return self._sequence.start
        entry = last.entry(last.end_entry)
        if entry is None or self._log.record_at(entry[0], self._sequence.end) is None:
            return None
        return entry[0]

    def _crash_start(self, safe_timestamp_ms: int) -> int:
        """Return the start of the newest file that was surely on the disk in full view."""
        for file in reversed(self._sequence.files):
            data = self._log.file_at(file.start)
            assert data is file and file.data is not None, "the file is in the sequence"
            size, *_ = measure_record(file.data, 0, file.size)
            store_ms = self._log.store_time_at(file.start) if size > 0 else 0
            if 0 < store_ms <= safe_timestamp_ms:
                return file.start
        return self._sequence.start

    def _file_start(self, log_offset: int) -> int:
        """Return `log_offset` itself if a record is known to begin there, else its file's start."""
        file = self._sequence.at(log_offset)
        return log_offset if file is None else file.start

    # --- the true end --------------------------------------------------------------------------

    def _verify(self, start: int) -> int:
        """Walk whole, undamaged records from `start`; return where they end."""
        position = start
        while True:
            file = self._log.file_at(position)
            if file is None or file.data is None:
                return position
            position, blank = self._verify_file(file, position)
            if not blank:
                return position

    def _verify_file(self, file: MappedFile, log_offset: int) -> tuple[int, bool]:
        """Return where the good records of a file end, and whether the next file goes on."""
        data, view = file.data, file.view
        assert data is not None and view is not None, "the file is mapped"
        at = log_offset - file.start
        check_body = self._config.verify_crc_on_recovery
        check_whole = self._config.verify_properties_crc
        while True:
            size, body_at, body_bytes, body_crc = measure_record(data, at, file.size)
            if size == 0:
                return file.end, True
            if size < 0 or LONG.unpack_from(data, at + 28)[0] != file.start + at:
                return file.start + at, False
            if check_body and body_bytes:
                body = view[body_at : body_at + body_bytes]
                if crc32(body) & CRC_MASK != body_crc:
                    return file.start + at, False
            if check_whole and not properties_crc.verify(data, at, size):
                return file.start + at, False
            self._last_record = file.start + at
            self._verified += 1
            at += size

    def _cut(self, end: int) -> int:
        """Remove everything behind the true end; return how many bytes of records that may be."""
        dropped = [file for file in self._sequence.files if file.start > end]
        cut = 0
        for file in dropped:
            # Files made early hold nothing yet.
            cut += file.size if any(file.map()[:8]) else 0
            file.release()
        self._sequence.drop_from(end + 1)
        tail = self._sequence.at(end)
        if tail is not None and tail.data is not None:
            if any(tail.data[end - tail.start : end - tail.start + 8]):
                cut += tail.end - end
            space.zero(tail.path, end - tail.start, tail.size)
        self._queues.cut_behind(end)
        return cut

    # --- filing again --------------------------------------------------------------------------

    def _refile(self, start: int, end: int) -> None:
        while True:
            earlier = self._refile_from(start, end, start == self._sequence.start)
            if earlier is None:
                return
            _log.warning("queues=incomplete refile_from=%d earlier_than=%d", earlier, start)
            start = earlier

    def _refile_from(self, start: int, end: int, gaps_allowed: bool) -> int | None:
        """File the records from `start` to `end`; return an earlier start if a queue needs one."""
        earlier: int | None = None
        position = start
        while position < end:
            file = self._log.file_at(position)
            if file is None or file.data is None:
                break
            at = position - file.start
            last = min(end - file.start, file.size)
            records, keys, following, why = scan_records(
                file.data, at, last, position, _SCAN_RECORDS
            )
            if not gaps_allowed:
                records, needed = self._without_gaps(records)
                if needed is not None:
                    earlier = needed if earlier is None else min(earlier, needed)
            self._dispatcher.file(records, self._new_keys(keys))
            self._refiled += len(records)
            if why == END_INVALID:
                _log.error(
                    "record=damaged log_offset=%d skipping_file=true", file.start + following
                )
            jump = why in (END_BLANK, END_INVALID) or following == at
            position = file.end if jump else file.start + following
        return earlier

    def _without_gaps(self, records: Sequence[Filed]) -> tuple[list[Filed], int | None]:
        """Split off records before which their queue lacks entries; say where those may lie."""
        kept = []
        needed: int | None = None
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record[0], record[1])
            queue = self._queues.find(*place)
            known = ends.get(place, queue.end if queue is not None else 0)
            if record[2] > known and not (queue is not None and queue.is_batch):
                held = queue.last_log_end() if queue is not None else 0
                start = self._file_start(max(held, self._sequence.start))
                needed = start if needed is None else min(needed, start)
                continue
            ends[place] = max(known, record[2] + 1)
            kept.append(record)
        return kept, needed

    def _new_keys(self, keys: bytes) -> bytes:
        """Return the packed keys of records that the index does not hold yet."""
        if not keys:
            return keys
        size = KEY_ENTRY.size
        last = KEY_ENTRY.unpack_from(keys, len(keys) - size)[1]
        if KEY_ENTRY.unpack_from(keys)[1] <= self._keys_complete:
            fresh = [
                keys[at : at + size]
                for at in range(0, len(keys), size)
                if KEY_ENTRY.unpack_from(keys, at)[1] > self._keys_complete
            ]
            keys = b"".join(fresh)
        self._keys_complete = max(self._keys_complete, last)
        return keys
