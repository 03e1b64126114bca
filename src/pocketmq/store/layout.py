"""Names of everything in the data directory.

commitlog/<20 digits>                              the log; a name is the file's first log offset
consumequeue/<topic>/<queue>/<20 digits>           20-byte entries; a name is a byte position
batchconsumequeue/<topic>/<queue>/<20 digits>      46-byte entries, for queue.type=BatchCQ
index/<yyyyMMddHHmmssSSS>                          a name is the instant of creation, local time
config/*.json                                      the broker's tables
checkpoint   lock   abort                          `abort` exists while the store is open
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pocketmq.store.config import StoreConfig

NAME_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one root."""

    root: Path
    commit_log: Path

    @classmethod
    def of(cls, config: StoreConfig) -> Layout:
        """Return the layout that a config asks for."""
        return cls(config.root, config.commit_log_dir or config.root / "commitlog")

    @property
    def consume_queues(self) -> Path:
        """The directory of ordinary consume queues."""
        return self.root / "consumequeue"

    @property
    def batch_queues(self) -> Path:
        """The directory of batch consume queues."""
        return self.root / "batchconsumequeue"

    @property
    def index(self) -> Path:
        """The directory of index files."""
        return self.root / "index"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file."""
        return self.root / "checkpoint"

    @property
    def abort(self) -> Path:
        """The file that exists while the store is open."""
        return self.root / "abort"

    @property
    def lock(self) -> Path:
        """The file whose first byte is locked while the store is open."""
        return self.root / "lock"


def file_name(start: int) -> str:
    """Return the name of the file that begins at `start`."""
    return f"{start:0{NAME_DIGITS}d}"


def numbered_files(directory: Path | str) -> list[tuple[int, str, int]]:
    """Return (start, path, size) of each file named by a number, in order."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if len(entry.name) == NAME_DIGITS and entry.name.isdigit() and entry.is_file():
                    found.append((int(entry.name), entry.path, entry.stat().st_size))
    except FileNotFoundError:
        return []
    return sorted(found)


def queue_directories(directory: Path) -> Iterator[tuple[str, int, str]]:
    """Yield (topic, queue id, path) of each queue below a directory of consume queues."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as topics:
        for topic in topics:
            if not topic.is_dir():
                continue
            with os.scandir(topic.path) as queues:
                for queue in queues:
                    if queue.name.isdigit() and queue.is_dir():
                        yield topic.name, int(queue.name), queue.path


def index_file_name(now_ms: int) -> str:
    """Return the name of an index file created now: 17 digits of local time."""
    moment = datetime.fromtimestamp(now_ms // 1000)
    return f"{moment:%Y%m%d%H%M%S}{now_ms % 1000:03d}"
