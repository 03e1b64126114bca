"""The commit log: every message of the broker, one record behind the other.

Files of equal size hold whole records. When a record and eight more bytes do not fit, a blank fills
the rest and the record begins the next file:

    remaining    4   all bytes up to the file's end
    magic        4   CBD43194

`target`, `position` and `limit` are the appender's direct way to where the next record goes: the
last file's mapping, or the write buffer, from which `commit` moves bytes to the file.

Appending belongs to one thread. `flush`, `commit` and `prepare` block and run on one worker thread.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading

from pocketmq.errors import CorruptRecord, FlushFailed, StoreError, StoreFull
from pocketmq.message.positions import LogOffset
from pocketmq.message.record import (
    BLANK_BYTES_MIN,
    LONG,
    MAGIC_BLANK,
    Record,
    decode_record,
)
from pocketmq.store import residency, space
from pocketmq.store.config import LogConfig
from pocketmq.store.file_sequence import FileSequence
from pocketmq.store.mapped_file import MappedFile, MappingCache

_BLANK = struct.Struct(">iI")
_SIZE = struct.Struct(">i")
_EMPTY = bytearray()
_PART_BYTES = 256 * 1024
_RECORD_REST_BYTES_MAX = 64 * 1024  # properties, topic and fixed fields


class CommitLog:
    """Appends, flushes and reads records by log offset."""

    def __init__(self, sequence: FileSequence, config: LogConfig, cache: MappingCache) -> None:
        self._sequence = sequence
        self._config = config
        self._cache = cache
        self._tail: MappedFile | None = None
        self._prepared: MappedFile | None = None
        self._buffer = mmap.mmap(-1, _buffer_bytes(config)) if config.write_buffer else None
        self._buffer_start = 0
        self._committing = threading.Lock()
        self._synced_directory = False
        self._synced_file: MappedFile | None = None
        self._sync_descriptor = -1
        self._extending = threading.Lock()
        self._begun = -1  # where the newest file starts that the appender took
        self._ahead_bytes = min(config.reserve_step_bytes, sequence.file_size)
        self.target: mmap.mmap | bytearray = _EMPTY
        self.position = 0
        self.limit = 0
        self.end = LogOffset(0)
        self.committed_offset = LogOffset(0)
        self.flushed_offset = LogOffset(0)
        self.store_timestamp_ms = 0
        self.flushed_timestamp_ms = 0
        self.failure: StoreError | None = None

    @property
    def min_offset(self) -> LogOffset:
        """The first byte that is kept."""
        return LogOffset(self._sequence.start)

    @property
    def readable_offset(self) -> LogOffset:
        """Up to where records can be read through the files."""
        return self.end if self._buffer is None else self.committed_offset

    @property
    def directory(self) -> str:
        """Where the files lie."""
        return self._sequence.directory

    @property
    def files(self) -> list[MappedFile]:
        """The files, oldest first."""
        return self._sequence.files

    # --- appending -----------------------------------------------------------------------------

    def make_room(self, size: int) -> None:
        """Make `limit` far enough for `size` bytes and a blank. Raise StoreFull.

        Begins the next file when this one has too little left.
        """
        room = size + BLANK_BYTES_MIN
        if room > self._sequence.file_size:
            raise StoreFull(self._sequence.directory, f"{room} bytes do not fit into one file")
        if self._buffer is not None and room > len(self._buffer):
            raise StoreFull(self._sequence.directory, f"{room} bytes exceed the write buffer")
        tail = self._tail
        if tail is None or self.end - tail.start + room > tail.size:
            tail = self._roll()
        needed = self.end - tail.start + room
        if needed > tail.reserved:
            with self._extending:
                self._catch_up(tail, needed)
        self._aim(tail, room)

    def _catch_up(self, tail: MappedFile, needed: int) -> None:
        """Do what `prepare` has not done yet, for this record and some more. Raise StoreFull."""
        if needed <= tail.reserved:
            return  # done while the lock was waited for
        with contextlib.suppress(StoreFull):
            self._extend(tail, min(needed + _PART_BYTES, tail.size))
        tail.reserve(needed, 0)

    def _roll(self) -> MappedFile:
        tail = self._tail
        start = self.end if tail is None else tail.end
        with self._extending:
            following, self._prepared = self._prepared, None
            if following is None or following.start != start:
                following = self._sequence.create(start)
                following.reserve(BLANK_BYTES_MIN, _PART_BYTES)
            self._begun = start
        following.map()
        if self._config.lock_memory:
            residency.lock(following.address, following.reserved)
            if tail is not None and tail.address:
                residency.unlock(tail.address, tail.size)
        if tail is not None:
            remaining = tail.end - self.end
            if tail.size - remaining + BLANK_BYTES_MIN > tail.reserved:
                with self._extending:
                    tail.reserve(tail.size - remaining + BLANK_BYTES_MIN, 0)
            self.target[self.position : self.position + 8] = _BLANK.pack(remaining, MAGIC_BLANK)
            self.position += 8
            if self._buffer is not None:
                self._commit_up_to(LogOffset(self.end + 8))
                self.committed_offset = LogOffset(tail.end)
            self.end = LogOffset(tail.end)
            self._cache.map(tail)
        self._sequence.files = [*self._sequence.files, following]
        self._tail = following
        self._synced_directory = False
        return following

    def _aim(self, tail: MappedFile, room: int) -> None:
        """Point the appender at the end of the log."""
        if self._buffer is None:
            self.target = tail.map()
            self.position = self.end - tail.start
            self.limit = tail.reserved
            return
        if self.end - self._buffer_start + room > len(self._buffer):
            self._commit_up_to(self.end)
            self._buffer_start = self.end
        self.target = self._buffer
        self.position = self.end - self._buffer_start
        self.limit = min(len(self._buffer), tail.start + tail.reserved - self._buffer_start)

    def start_at(self, end: LogOffset, store_timestamp_ms: int) -> None:
        """Go on appending at `end`, as recovery found it."""
        self.end = self.committed_offset = self.flushed_offset = end
        self._buffer_start = end
        self.store_timestamp_ms = self.flushed_timestamp_ms = store_timestamp_ms
        # Without a tail the log is empty or full to its end; the next append creates a file.
        tail = self._tail = self._sequence.at(end)
        self.limit = 0
        if tail is not None:
            tail.reserved = (end - tail.start) // space.PAGE_BYTES * space.PAGE_BYTES
            self.target = tail.map() if self._buffer is None else self._buffer
            self.position = end - tail.start if self._buffer is None else 0

    # --- the write buffer ----------------------------------------------------------------------

    def commit(self) -> LogOffset:
        """Move what is in the write buffer to the file. Return the offset up to which it is there.

        May run on a worker thread: bytes below `end` never change.
        """
        if self._buffer is not None and self.failure is None:
            self._commit_up_to(self.end)
        return self.readable_offset

    def _commit_up_to(self, end: LogOffset) -> None:
        assert self._buffer is not None, "there is no write buffer to commit"
        with self._committing:
            tail = self._tail
            first = self.committed_offset
            if tail is None or first >= end:
                return
            try:
                descriptor = os.open(tail.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
                try:
                    while first < end:
                        at = first - self._buffer_start
                        chunk = memoryview(self._buffer)[at : end - self._buffer_start]
                        os.lseek(descriptor, first - tail.start, os.SEEK_SET)
                        first = LogOffset(first + os.write(descriptor, chunk))
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise self._fail(tail, error) from error
            self.committed_offset = first

    # --- flushing ------------------------------------------------------------------------------

    def flush(self) -> LogOffset:
        """Force everything appended so far to the disk. Return what is safe now.

        Runs on a worker thread. Raise FlushFailed once the disk has failed; writes are refused from
        then on, and flushing is never tried again. Raise StoreNotWritable when the file cannot be
        opened now; then try again.
        """
        if self.failure is not None:
            raise self.failure
        target = self.commit()
        timestamp_ms = self.store_timestamp_ms
        if target <= self.flushed_offset:
            return self.flushed_offset
        for file in self._sequence.files:
            if file.end <= self.flushed_offset or file.start >= target:
                continue
            try:
                self._sync(file)
                if not self._synced_directory:
                    self._sync_directory()
            except OSError as error:
                raise self._fail(file, error) from error
        self.flushed_offset = target
        self.flushed_timestamp_ms = timestamp_ms
        return target

    def _sync(self, file: MappedFile) -> None:
        """Flush one file through a descriptor that stays open: it sees every error since."""
        if self._synced_file is not file:
            self._stop_syncing()
            self._sync_descriptor = space.open_for_sync(file.path)
            self._synced_file = file
        space.sync_descriptor(self._sync_descriptor)

    def _sync_directory(self) -> None:
        self._synced_directory = True  # before: a file may be added meanwhile
        try:
            space.sync_directory(self._sequence.directory)
        except OSError:
            self._synced_directory = False
            raise

    def _stop_syncing(self) -> None:
        if self._synced_file is not None:
            self._synced_file = None
            os.close(self._sync_descriptor)

    def _fail(self, file: MappedFile, error: OSError) -> StoreError:
        if error.errno in space.CROWDED:
            return space.store_error(file.path, error)  # nothing was tried yet, so nothing is lost
        failure = FlushFailed(file.path, error.strerror or str(error))
        self.failure = failure
        return failure

    # --- preparing -----------------------------------------------------------------------------

    def prepare(self) -> bool:
        """Make space ahead of the writer, and create the next file early.

        Runs on a worker thread. Return whether there was anything to do. A full disk is no error
        here: the append that needs the room reports it.
        """
        if self.failure is not None:
            return False
        try:
            return self._prepare_tail() or self._prepare_following()
        except StoreFull:
            return False

    def _prepare_tail(self) -> bool:
        tail, ahead = self._tail, self._ahead_bytes
        if tail is None:
            return False
        worked = False
        while tail.reserved < tail.size and tail.reserved - (self.end - tail.start) < ahead:
            # A small part at a time: the writer may have to wait for this lock.
            with self._extending:
                if self._begun > tail.start:
                    break  # the appender has left this file, whose end stays as it is
                before = tail.reserved
                first = max(before, self.end - tail.start)
                self._extend(tail, min(first + _PART_BYTES, tail.size))
                if tail.reserved == before:
                    break  # less than a page is left; the appender takes it itself
            space.give_way()
            worked = True
        return worked

    def _prepare_following(self) -> bool:
        tail, ahead = self._tail, self._ahead_bytes
        start = self.end if tail is None else tail.end
        if self._prepared is not None:
            return False
        if tail is not None and tail.end - self.end >= max(2 * ahead, tail.size // 8):
            return False
        following: MappedFile | None = None
        while True:
            # Once the appender has begun this file itself, it is not touched any more: it would be
            # made anew, or overwritten with zeros, while messages are written to it.
            with self._extending:
                if self._begun >= start:
                    return True
                if following is None:
                    following = self._sequence.create(start)
                if following.reserved >= min(ahead, following.size):
                    self._prepared = following
                    return True
                self._extend(following, min(following.reserved + _PART_BYTES, following.size))
            space.give_way()

    def _extend(self, file: MappedFile, last: int) -> None:
        first = file.reserved
        if self._config.warm_up and self._buffer is None:
            file.extend_with_zeros(last, keep=max(self.end - file.start, 0))
        else:
            file.reserve(last, 0)
        if self._config.lock_memory and file.data is not None:
            residency.lock(file.address + first, file.reserved - first)

    # --- reading -------------------------------------------------------------------------------

    def file_at(self, log_offset: int) -> MappedFile | None:
        """Return the mapped file that holds a log offset, or None."""
        file = self._sequence.at(log_offset)
        if file is not None and file.data is None:
            self._cache.map(file)
        return file

    def record_at(self, log_offset: int, limit: int) -> Record | None:
        """Return the whole, verified record at `log_offset`, or None if there is none there."""
        file = self.file_at(log_offset)
        if file is None or file.view is None or log_offset + BLANK_BYTES_MIN > limit:
            return None
        last = min(file.size, limit - file.start)
        try:
            record = decode_record(file.view[:last], log_offset - file.start)
        except CorruptRecord:
            return None
        return record if record.log_offset == log_offset else None

    def store_time_at(self, log_offset: int) -> int:
        """Return the store time of the record at `log_offset`, or -1 when it is gone."""
        file = self.file_at(log_offset)
        if file is None or file.data is None:
            return -1
        at = log_offset - file.start
        if at + 88 > file.size:
            return -1
        (sys_flag,) = _SIZE.unpack_from(file.data, at + 36)
        (timestamp,) = LONG.unpack_from(file.data, at + (68 if sys_flag & 0x10 else 56))
        return int(timestamp)

    def retire(self, file: MappedFile) -> None:
        """Forget the oldest file; the caller deletes it."""
        assert file is self._sequence.files[0], "files are retired oldest first"
        self._sequence.files = self._sequence.files[1:]
        self._cache.drop(file)

    def close(self) -> None:
        """Drop every mapping and the unused prepared file."""
        self.target, self.position, self.limit = _EMPTY, 0, 0
        self._stop_syncing()
        prepared, self._prepared = self._prepared, None
        if prepared is not None and self._sequence.at(prepared.start) is None:
            prepared.unlink()
        for file in self._sequence.files:
            self._cache.drop(file)
        self._tail = None


def _buffer_bytes(config: LogConfig) -> int:
    """The size of the write buffer: as set, but room for two of the largest records."""
    return max(config.write_buffer_bytes, 2 * (config.message_bytes_max + _RECORD_REST_BYTES_MAX))
