"""Looking things up on a thread that must not wait for the disk.

Touching a page that lies only on the disk would stop the event loop, and with it every client. The
methods here answer as the store's own of the same names do, but raise NotInMemory instead of
touching such a page. What the exception names is brought in on another thread, and the question is
asked again, until all its pages are there.

Only pages of the commit log, of ordinary consume queues and of the key index are looked after:
what other questions touch is small or was written just now.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from pocketmq.errors import NotInMemory
from pocketmq.message.positions import LogOffset
from pocketmq.message.record import Record
from pocketmq.store import residency
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.consume_queue import ENTRY_BYTES, ConsumeQueue
from pocketmq.store.key_index import KeyIndex, KeyQuery
from pocketmq.store.mapped_file import MappedFile
from pocketmq.store.queue_table import QueueTable
from pocketmq.store.time_search import LOWER, offset_by_time

_SIZE: Final = struct.Struct(">i")
_FIXED_PART_BYTES: Final = 92
_HOT_ENTRIES: Final = 4096
_RECORD_BYTES_MAX: Final = 128 * 1024 * 1024

T = TypeVar("T")


def all_of(looks: Iterable[Callable[[], T]]) -> list[T]:
    """The answers of many look-ups; what they lack is named together. Raise NotInMemory."""
    found: list[T] = []
    ranges: list[tuple[int, memoryview]] = []
    for look in looks:
        try:
            found.append(look())
        except NotInMemory as missing:
            ranges += missing.ranges
    if ranges:
        raise NotInMemory(ranges)
    return found


class InMemory:
    """The store's look-ups. Each raises NotInMemory when the answer has to come from the disk."""

    def __init__(
        self,
        log: CommitLog,
        queues: QueueTable,
        index: KeyIndex | None,
        hot_bytes: int,
        confirmed: Callable[[], LogOffset],
    ) -> None:
        self._log = log
        self._queues = queues
        self._index = index
        self._hot_bytes = hot_bytes
        self._confirmed = confirmed

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
        self._require_log(log_offset, whole=True)
        return self._log.record_at(log_offset, self._confirmed())

    def store_time_of(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """Return when a message was stored, or -1 when it is not there."""
        queue = self._queues.find(topic, queue_id)
        if queue is None or queue_offset < queue.min_offset(self._log.min_offset):
            return -1
        return self._store_time(queue, queue_offset)

    def offset_by_time(
        self, topic: str, queue_id: int, timestamp_ms: int, boundary: str = LOWER
    ) -> int:
        """Return the queue offset for a moment, LOWER or UPPER; see time_search.py."""
        queue = self._queues.find(topic, queue_id)
        if queue is None:
            return 0
        return offset_by_time(self._log, queue, timestamp_ms, boundary, self._store_time)

    def entry_of(self, topic: str, queue_id: int, queue_offset: int) -> tuple[int, int, int] | None:
        """Return (log_offset, size, tag_hash) of a message, or None when it is not there."""
        queue = self._queues.find(topic, queue_id)
        if queue is None or queue_offset < queue.min_offset(self._log.min_offset):
            return None
        self._require_entry(queue, queue_offset)
        return queue.entry(queue_offset)

    def query_by_key(
        self, topic: str, key: str, count_max: int, begin_ms: int, end_ms: int
    ) -> KeyQuery:
        """Return where messages of a topic with a key lie, stored between two moments."""
        if self._index is None:
            return KeyQuery([], 0, 0)
        return self._index.query(
            topic, key, begin_ms, end_ms, count_max, self._log.min_offset, _require
        )

    def _store_time(self, queue: ConsumeQueue, queue_offset: int) -> int:
        self._require_entry(queue, queue_offset)
        held = queue.entry(queue_offset)
        if held is None:
            return -1
        self._require_log(held[0], whole=False)
        return self._log.store_time_at(held[0])

    def _require_entry(self, queue: ConsumeQueue, queue_offset: int) -> None:
        if queue.is_batch or queue.end - queue_offset <= _HOT_ENTRIES:
            return
        place = queue.piece(queue_offset)
        if place is not None:
            _require(place[0], place[1], ENTRY_BYTES)

    def _require_log(self, log_offset: int, *, whole: bool) -> None:
        log = self._log
        if log_offset >= log.readable_offset - self._hot_bytes:
            return
        file = log.file_at(log_offset)
        if file is None or file.data is None:
            return
        at = log_offset - file.start
        if at + _FIXED_PART_BYTES > file.size:
            return
        _require(file, at, _FIXED_PART_BYTES)
        if whole:
            (size,) = _SIZE.unpack_from(file.data, at)
            if 0 < size <= min(file.size - at, _RECORD_BYTES_MAX):
                _require(file, at, size)


def _require(file: MappedFile, at: int, length: int) -> None:
    file.map()
    if not residency.is_resident(file.address + at, length):
        assert file.view is not None, "the file is mapped"
        raise NotInMemory([(file.address + at, file.view[at : at + length])])
