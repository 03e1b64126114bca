"""The file of one table: replaced whole, so that a crash leaves the old content or the new.

    config/topics.json        what was saved last
    config/topics.json.bak    what was saved before that, as Apache keeps it
    config/topics.json.tmp    a save that was interrupted; never read

A save writes and syncs the temporary file, moves the old file to `.bak` and the new one into its
place. Between the two moves only `.bak` exists, so loading falls back to it. A file that cannot be
understood is set aside as `.damaged` instead of being deleted, and `.bak` is read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pocketmq.errors import CorruptStore, MalformedBody

_log = logging.getLogger(__name__)

T = TypeVar("T")


class TableFile:
    """Loads and replaces one file. It has no threads of its own; `replace` blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backup = path.with_name(path.name + ".bak")

    def load(self, decode: Callable[[bytes], T]) -> T | None:
        """What was saved last, or None when nothing was. Raise CorruptStore, OSError.

        `decode` raises MalformedBody when it does not understand the bytes.
        """
        data = _read(self.path)
        if data:
            try:
                return decode(data)
            except MalformedBody as error:
                damaged = self.path.with_name(self.path.name + ".damaged")
                os.replace(self.path, damaged)
                _log.error(
                    "a table cannot be read; its last copy is used path=%s kept_as=%s reason=%s",
                    self.path,
                    damaged.name,
                    error,
                )
        data = _read(self.backup)
        if not data:
            return None
        try:
            return decode(data)
        except MalformedBody as error:
            raise CorruptStore(
                f"{self.path} is lost and its copy {self.backup.name} cannot be read ({error}); "
                "restore one of them from a backup, or remove both to start with an empty table"
            ) from None

    def replace(self, data: bytes) -> None:
        """Make `data` the content, durably. Runs on a worker thread. Raise OSError."""
        directory = self.path.parent
        directory.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".tmp")
        with open(fresh, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if self.path.exists():
            os.replace(self.path, self.backup)
        os.replace(fresh, self.path)
        _sync_directory(directory)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return  # other systems cannot open a directory to sync it
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
