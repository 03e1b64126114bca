"""Pulling: which bytes of the log answer a consumer, as views that are sent as they are."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from pocketmq.message.record import LONG
from pocketmq.store import residency
from pocketmq.store.accepting import Accept as Accept
from pocketmq.store.accepting import Accepted
from pocketmq.store.batch_consume_queue import BatchConsumeQueue
from pocketmq.store.commit_log import CommitLog
from pocketmq.store.config import ReadConfig
from pocketmq.store.consume_queue import ENTRY_BYTES, ConsumeQueue
from pocketmq.store.mapped_file import MappedFile
from pocketmq.store.pull_scan import (
    EXTENT,
    PullLimits,
    count_chained,
    gather_records,
    select_extents,
)
from pocketmq.store.queue_table import QueueTable


class PullStatus(IntEnum):
    """How a pull ended, in RocketMQ's words."""

    FOUND = 0
    NO_MATCHED_MESSAGE = 1
    MESSAGE_WAS_REMOVING = 2
    OFFSET_FOUND_NULL = 3
    OFFSET_OVERFLOW_BADLY = 4
    OFFSET_OVERFLOW_ONE = 5
    OFFSET_TOO_SMALL = 6
    NO_MATCHED_LOGIC_QUEUE = 7
    NO_MESSAGE_IN_QUEUE = 8


# One copy is cheaper than many small buffers for the socket.
_GATHERED_BYTES_MAX = 64 * 1024
_SPAN_BYTES_MAX = 4 * 1024 * 1024
_CHUNK_ENTRIES = 64

_FOUND = PullStatus.FOUND
_NO_MATCH = PullStatus.NO_MATCHED_MESSAGE
_REMOVING = PullStatus.MESSAGE_WAS_REMOVING
_PULL_BYTES_MAX = 128 * 1024 * 1024

# (entries of a queue, position, limit, tag hashes, a file of the log,
#  (start of that file, first log offset kept, log end, recent from, hot from),
#  (count max, count recent, bytes recent, count old, bytes old),
#  (queue offset, min offset, max offset, what the handler asked to pass on))
# -> (answer, entries passed, records, bytes of records), or None: see `_speedups/pulls.pyx`.
DirectReader = Callable[..., "tuple[bytes, int, int, int] | None"]

# (a queue, the file of an entry of it, the file of the log that this entry leads to), both mapped.
Place = tuple[ConsumeQueue, MappedFile, MappedFile]

RECENT_ENTRIES = 4096
"""The newest entries of a queue, which count as being in memory."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PullResult:
    """The answer to one pull.

    When `cold` is true there is nothing to send yet: run `fetch` on the disk thread, then pull
    again. Otherwise `views` are the records, neighbours sharing one view.
    """

    status: PullStatus
    next_offset: int
    min_offset: int
    max_offset: int
    views: list[memoryview] = field(default_factory=list)
    bytes: int = 0
    count: int = 0
    suggest_replica: bool = False
    _cold: list[tuple[int, memoryview]] | None = None

    @property
    def cold(self) -> bool:
        """Whether the bytes must be brought in from the disk first."""
        return self._cold is not None

    def fetch(self) -> None:
        """Bring the bytes in. Blocks; runs on the disk thread."""
        for address, view in self._cold or ():
            residency.bring_in(address, view)


class Reader:
    """Answers pulls from consume queues and the commit log."""

    def __init__(self, log: CommitLog, queues: QueueTable, config: ReadConfig) -> None:
        self._log = log
        self._topics = queues.topics
        self._config = config
        self.entries_max = config.filter_bytes_max // ENTRY_BYTES
        self.bounds = (
            config.count_in_memory_max,
            config.bytes_in_memory_max,
            config.count_on_disk_max,
            config.bytes_on_disk_max,
        )
        self._recent_bytes = _memory_bytes() * config.memory_ratio_percent // 100

    @property
    def recent_from(self) -> int:
        """Records from here on count as being in memory."""
        return self._log.readable_offset - self._recent_bytes

    def pull(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        count_max: int,
        tag_hashes: frozenset[int] | None = None,
        accept: Accept | None = None,
        bytes_max: int = _PULL_BYTES_MAX,
    ) -> PullResult:
        """Return what a consumer at `queue_offset` gets.

        `tag_hashes` selects by the consume queue alone; `accept` looks at each whole record that
        is left, so it costs more. Damaged or deleted records are passed over.
        """
        topic_queues = self._topics.get(topic)
        if topic_queues is None or not 0 <= queue_id < len(topic_queues.queues):
            return PullResult(PullStatus.NO_MATCHED_LOGIC_QUEUE, 0, 0, 0)
        queue = topic_queues.queues[queue_id]
        if queue is None:
            return PullResult(PullStatus.NO_MATCHED_LOGIC_QUEUE, 0, 0, 0)
        first, end = queue.min_offset(self._log.min_offset), queue.end
        if end == 0:
            return PullResult(PullStatus.NO_MESSAGE_IN_QUEUE, 0, first, end)
        if queue_offset < first:
            return PullResult(PullStatus.OFFSET_TOO_SMALL, first, first, end)
        if queue_offset == end:
            return PullResult(PullStatus.OFFSET_OVERFLOW_ONE, queue_offset, first, end)
        if queue_offset > end:
            return PullResult(PullStatus.OFFSET_OVERFLOW_BADLY, end, first, end)
        result = PullResult(_NO_MATCH, queue_offset, first, end)
        limits = self._limits(count_max, bytes_max)
        if isinstance(queue, BatchConsumeQueue):
            self._take_batches(queue, result, limits, tag_hashes, accept)
            return result
        entries_max = max(self._config.filter_bytes_max, count_max * ENTRY_BYTES) // ENTRY_BYTES
        if accept is None and self._take(queue, result, limits, entries_max, tag_hashes):
            return result
        if accept is not None and tag_hashes is None:
            accepted = Accepted(result, accept, limits)
            if self._take_accepted(queue, accepted, entries_max):
                return result
            entries_max -= accepted.passed
        self._take_singly(queue, result, limits, entries_max, tag_hashes, accept)
        return result

    def pull_directly(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        count_max: int,
        tag_hashes: frozenset[int] | None,
        write: DirectReader,
        ask: tuple[int, ...],
        accept: Accept | None = None,
    ) -> tuple[bytes, int, int, int] | None:
        """Let `write` make the answer to a pull by itself, from the queue and the log.

        Return (answer, next offset, records, bytes of records), or None where `pull` has to look:
        nothing is there, or it is damaged, or spread over files, or not in memory.
        """
        place = self.place(topic, queue_id, queue_offset)
        if place is None:
            return None
        queue, file, log_file = place
        position = queue_offset * ENTRY_BYTES - file.start
        last = min(
            file.size,
            queue.end * ENTRY_BYTES - file.start,
            position + max(self.entries_max, count_max) * ENTRY_BYTES,
        )
        if queue.end - queue_offset > RECENT_ENTRIES and not residency.is_resident(
            file.address + position, last - position
        ):
            return None
        answered = write(
            file.data,
            position,
            last,
            tag_hashes,
            log_file.data,
            (log_file.start, *self.reach()),
            (count_max, *self.bounds),
            (queue_offset, queue.min_offset(self._log.min_offset), queue.end, *ask),
            accept,
        )
        if answered is None:
            return None
        answer, passed, count, total = answered
        return answer, queue_offset + passed, count, total

    def place(self, topic: str, queue_id: int, queue_offset: int) -> Place | None:
        """Where a pull at `queue_offset` looks; None when it is not for the direct way."""
        topic_queues = self._topics.get(topic)
        if topic_queues is None or not 0 <= queue_id < len(topic_queues.queues):
            return None
        queue = topic_queues.queues[queue_id]
        if queue is None or queue.is_batch:
            return None
        if queue_offset < queue.min_offset(self._log.min_offset):
            return None
        piece = queue.piece(queue_offset)
        if piece is None:
            return None
        file, position, _ = piece
        assert file.data is not None, "a piece is mapped"
        (log_offset,) = LONG.unpack_from(file.data, position)
        log_file = self._log.file_at(log_offset)
        return None if log_file is None else (queue, file, log_file)

    def reach(self) -> tuple[int, int, int, int]:
        """The log offsets where it begins, ends, is recent from, and is in memory from."""
        log = self._log
        end = log.readable_offset
        return log.min_offset, end, end - self._recent_bytes, end - self._config.hot_bytes

    def _limits(self, count_max: int, bytes_max: int) -> PullLimits:
        config, log = self._config, self._log
        end = log.readable_offset
        return PullLimits(
            count_max,
            bytes_max,
            config.count_in_memory_max,
            config.bytes_in_memory_max,
            config.count_on_disk_max,
            config.bytes_on_disk_max,
            end - self._recent_bytes,
            log.min_offset,
            end,
        )

    def _take(
        self,
        queue: ConsumeQueue,
        result: PullResult,
        limits: PullLimits,
        entries_max: int,
        tag_hashes: frozenset[int] | None,
    ) -> bool:
        """Take records by the consume queue alone. Return False when one of them is damaged."""
        place = queue.piece(result.next_offset)
        if place is None:
            result.status = PullStatus.OFFSET_FOUND_NULL
            return True
        file, position, last = place
        assert file.data is not None and file.view is not None, "a piece is mapped"
        last = min(last, position + entries_max * ENTRY_BYTES)
        if queue.end - result.next_offset > RECENT_ENTRIES and not residency.is_resident(
            file.address + position, last - position
        ):
            result._cold = [(file.address + position, file.view[position:last])]
            return True
        extents, count, total, passed, gone = select_extents(
            file.data, position, last, limits, tag_hashes
        )
        hot_from = limits.log_end - self._config.hot_bytes
        small = 0 < total <= _GATHERED_BYTES_MAX
        gathered = self._gather(extents, total, count, hot_from) if small else None
        if gathered is not None:
            result.views.append(gathered)
        elif not self._view(result, extents, count, hot_from):
            return False
        if result.cold:
            return True
        result.next_offset += passed
        result.count, result.bytes = count, total
        if count:
            result.status = _FOUND
            (last_offset, _) = EXTENT.unpack_from(extents, len(extents) - EXTENT.size)
            result.suggest_replica = last_offset < limits.recent_from
        elif gone:
            result.status = _REMOVING
        return True

    def _view(self, result: PullResult, extents: bytes, count: int, hot_from: int) -> bool:
        """Add a view of each extent, or what is cold. Return False when a record is damaged."""
        chained = 0
        for log_offset, length in EXTENT.iter_unpack(extents):
            file = self._log.file_at(log_offset)
            if file is None or file.view is None or file.data is None:
                return False
            at = log_offset - file.start
            if at + length > file.size:
                return False
            view = file.view[at : at + length]
            address = file.address + at
            if log_offset < hot_from and not residency.is_resident(address, length):
                result._cold = [*(result._cold or ()), (address, view)]
            elif not result.cold:
                chained += max(count_chained(file.data, at, at + length, log_offset), 0)
                result.views.append(view)
        if result.cold or chained != count:
            result.views.clear()
        return result.cold or chained == count

    def _gather(self, extents: bytes, total: int, count: int, hot_from: int) -> memoryview | None:
        """A small answer in one piece. None: it spans files, is cold, or holds a damaged record."""
        first, _ = EXTENT.unpack_from(extents)
        last, length = EXTENT.unpack_from(extents, len(extents) - EXTENT.size)
        file = self._log.file_at(first)
        if file is None or file.data is None or not first <= last < file.end:
            return None
        if first < hot_from:
            span = last + length - first
            if span > _SPAN_BYTES_MAX:
                return None
            if not residency.is_resident(file.address + first - file.start, span):
                return None
        gathered = gather_records(file.data, file.start, extents, total, count)
        return None if gathered is None else memoryview(gathered)

    def _take_accepted(self, queue: ConsumeQueue, taking: Accepted, entries_max: int) -> bool:
        """Take the records that a filter accepts. Return False when one of them is damaged."""
        result, limits = taking.result, taking.limits
        chunk = min(limits.count_max, _CHUNK_ENTRIES)
        roomy = limits._replace(
            count_max=chunk,
            count_recent_max=chunk,
            count_old_max=chunk,
            bytes_recent_max=_SPAN_BYTES_MAX,
            bytes_old_max=_SPAN_BYTES_MAX,
        )
        while taking.passed < entries_max and not taking.is_full:
            probe = PullResult(_NO_MATCH, result.next_offset, 0, 0)
            left = min(chunk, entries_max - taking.passed)
            before = result.next_offset
            if not self._look(queue, probe, roomy, left):
                return False
            if probe.cold:
                if not result.count:
                    result._cold = probe._cold
                break
            if not all(map(taking.take, probe.views)):
                break
            if probe.next_offset == before:
                break
            taking.passed += probe.next_offset - before
            result.next_offset = probe.next_offset
        if result.count:
            result.status = _FOUND
        return True

    def _look(
        self, queue: ConsumeQueue, probe: PullResult, limits: PullLimits, entries_max: int
    ) -> bool:
        """Views of the next records, none copied. Return False when one of them is damaged."""
        place = queue.piece(probe.next_offset) if probe.next_offset < queue.end else None
        if place is None:
            return True
        file, position, last = place
        assert file.data is not None, "a piece is mapped"
        last = min(last, position + entries_max * ENTRY_BYTES)
        extents, count, _, passed, _ = select_extents(file.data, position, last, limits, None)
        if not self._view(probe, extents, count, limits.log_end - self._config.hot_bytes):
            return False
        probe.next_offset += passed
        return True

    def _take_singly(
        self,
        queue: ConsumeQueue,
        result: PullResult,
        limits: PullLimits,
        entries_max: int,
        tag_hashes: frozenset[int] | None,
        accept: Accept | None,
    ) -> None:
        """Take records one by one: for filters on properties, and around damage."""
        left = limits
        single = PullResult(_NO_MATCH, result.next_offset, 0, 0)
        for _ in range(entries_max):
            if single.next_offset >= queue.end:
                break
            before = single.next_offset
            one = left._replace(count_max=1)
            whole = self._take(queue, single, one, 1, tag_hashes)
            if single.cold:
                if not result.count:
                    result._cold = single._cold
                break
            if not whole:
                _log.error(
                    "record=unreadable topic=%s queue=%d offset=%d",
                    queue.topic,
                    queue.queue_id,
                    before,
                )
                single.next_offset = before + 1
                result.next_offset = before + 1
                continue
            taken, single.views = single.views, []
            if taken and (accept is None or accept(taken[0])):
                if result.count and self._is_full(result, len(taken[0]), limits):
                    break
                result.views += taken
                result.count += 1
                result.bytes += len(taken[0])
            result.next_offset = single.next_offset
            if single.next_offset == before:
                break
        if result.count:
            result.status = _FOUND

    def _take_batches(
        self,
        queue: BatchConsumeQueue,
        result: PullResult,
        limits: PullLimits,
        tag_hashes: frozenset[int] | None,
        accept: Accept | None,
    ) -> None:
        """Take whole records of a batch topic; the first may begin before the asked offset."""
        number = queue.unit_number(result.next_offset)
        while (unit := queue.unit(number)) is not None:
            number += 1
            old = unit.log_offset < limits.recent_from
            count_max = limits.count_old_max if old else limits.count_recent_max
            bytes_max = limits.bytes_old_max if old else limits.bytes_recent_max
            if result.count and (
                result.count + unit.messages > min(limits.count_max, count_max)
                or result.bytes + unit.size > min(limits.bytes_max, bytes_max)
            ):
                break
            result.next_offset = unit.following
            if tag_hashes is not None and unit.tag_hash not in tag_hashes:
                continue
            record = self._log.record_at(unit.log_offset, limits.log_end)
            file = self._log.file_at(unit.log_offset)
            if record is None or file is None or file.view is None or record.size != unit.size:
                result.status = result.status if result.count else _REMOVING
                continue
            at = unit.log_offset - file.start
            view = file.view[at : at + unit.size]
            if accept is not None and not accept(view):
                continue
            result.views.append(view)
            result.count += unit.messages
            result.bytes += unit.size
            result.status = _FOUND

    @staticmethod
    def _is_full(result: PullResult, size: int, limits: PullLimits) -> bool:
        count_max = min(limits.count_max, limits.count_recent_max)
        bytes_max = min(limits.bytes_max, limits.bytes_recent_max)
        return result.count >= count_max or result.bytes + size > bytes_max


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 1024**3
