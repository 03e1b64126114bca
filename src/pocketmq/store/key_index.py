"""The key index: index files in the order of their creation, the last one growing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pocketmq.clock import Clock
from pocketmq.message.hashing import key_hash
from pocketmq.store import layout, space
from pocketmq.store.config import IndexConfig
from pocketmq.store.index_file import IndexFile, Require, index_file_bytes

_NAME_DIGITS = 17


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """The answer to a query by key: oldest first; other keys may share the hash."""

    log_offsets: list[int]
    index_timestamp_ms: int
    index_log_offset: int


class KeyIndex:
    """Finds messages by topic and key."""

    def __init__(self, directory: Path, config: IndexConfig, clock: Clock) -> None:
        self._directory = directory
        self._config = config
        self._clock = clock
        self._unflushed: list[str] = []
        self.files: list[IndexFile] = []
        self.full_timestamp_ms = 0

    def load(self) -> None:
        """Find the files. One of another size was made with other settings and is left alone."""
        if not self._directory.is_dir():
            return
        size = index_file_bytes(self._config.slots, self._config.entries)
        for name in sorted(os.listdir(self._directory)):
            path = os.path.join(self._directory, name)
            if len(name) == _NAME_DIGITS and name.isdigit() and os.path.getsize(path) == size:
                self.files.append(IndexFile(path, self._config.slots, self._config.entries))

    def put(self, keys: bytes) -> None:
        """Put packed keys; see scan.py. Raise StoreFull."""
        at = self.files[-1].put(keys, 0) if self.files else 0
        while at < len(keys):
            self._grow()
            at = self.files[-1].put(keys, at)

    def _grow(self) -> None:
        if self.files:
            self._unflushed.append(self.files[-1].file.path)
            if len(self.files) > 1:
                self.files[-2].file.release()
        now_ms = self._clock.now_ms()
        path = os.path.join(self._directory, layout.index_file_name(now_ms))
        while os.path.exists(path):
            now_ms += 1
            path = os.path.join(self._directory, layout.index_file_name(now_ms))
        space.create_sparse(path, index_file_bytes(self._config.slots, self._config.entries))
        fresh = IndexFile(path, self._config.slots, self._config.entries)
        fresh.file.reserve(40 + self._config.slots * 4, 0)
        self.files.append(fresh)

    def query(
        self,
        topic: str,
        key: str,
        begin_ms: int,
        end_ms: int,
        count_max: int,
        log_min: int,
        require: Require | None = None,
    ) -> KeyQuery:
        """Return where records with a key lie, at or behind `log_min`; see IndexFile.find."""
        found = self.find(topic, key, begin_ms, end_ms, count_max, require)
        kept = sorted(offset for offset in found if offset >= log_min)
        return KeyQuery(kept, *self.last_update())

    def find(
        self,
        topic: str,
        key: str,
        begin_ms: int,
        end_ms: int,
        count_max: int,
        require: Require | None = None,
    ) -> list[int]:
        """Return log offsets of records whose key has this hash, the newest first.

        Other keys may share the hash; whoever reads the records compares.
        """
        wanted = key_hash(topic, key)
        count_max = min(count_max, self._config.query_max)
        found: list[int] = []
        for file in reversed(self.files):
            header = file.header
            if header.begin_timestamp_ms <= end_ms and header.end_timestamp_ms >= begin_ms:
                found += file.find(wanted, begin_ms, end_ms, count_max - len(found), require)
            if header.begin_timestamp_ms < begin_ms or len(found) >= count_max:
                break
        return found

    def last_update(self) -> tuple[int, int]:
        """Return (store time, log offset) of the newest record in the index; zeros without one."""
        if not self.files:
            return 0, 0
        header = self.files[-1].header
        return header.end_timestamp_ms, header.end_log_offset

    def mend(self, log_end: int, trusted_timestamp_ms: int) -> int:
        """Make the index whole after a crash; return the log offset up to which it is complete.

        Files that were on the disk by `trusted_timestamp_ms` are believed; later ones are checked
        and, from the first damage on, thrown away.
        """
        complete = 0
        for number, file in enumerate(self.files):
            header = file.header
            trusted = header.end_timestamp_ms <= trusted_timestamp_ms and file.is_full
            if trusted and header.end_log_offset < log_end:
                complete = header.end_log_offset
                continue
            count = header.next_number
            last = file.mend(log_end)
            if last == 0:
                self._drop_from(number)
                break
            complete = last
            if file.header.next_number != count:
                self._drop_from(number + 1)
                break
        return complete

    def drop_all(self) -> None:
        """Throw the index away, to be built anew."""
        self._drop_from(0)

    def _drop_from(self, number: int) -> None:
        for file in self.files[number:]:
            file.file.unlink()
        del self.files[number:]

    def flush(self) -> int:
        """Force what was put to the disk; return the store time up to which it is there.

        Runs on a worker thread. Raise OSError.
        """
        while self._unflushed:
            space.sync_file(self._unflushed.pop(0))
        if not self.files:
            return 0
        newest = self.files[-1]
        timestamp_ms = newest.header.end_timestamp_ms
        space.sync_file(newest.file.path)
        if newest.is_full:
            return timestamp_ms
        return self.files[-2].header.end_timestamp_ms if len(self.files) > 1 else 0

    def retire_before(self, log_min: int) -> list[str]:
        """Forget files, never the last, whose records are all gone; return their paths."""
        retired = []
        while len(self.files) > 1 and self.files[0].header.end_log_offset < log_min:
            file = self.files.pop(0).file
            file.release()
            retired.append(file.path)
        return retired

    def close(self) -> None:
        """Drop every mapping."""
        for file in self.files:
            file.file.release()
