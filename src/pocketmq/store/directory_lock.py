"""One process per data directory: a lock on the first byte of the file `lock`.

Apache RocketMQ locks the same byte, so the two keep out of each other's directories.
"""

from __future__ import annotations

import os
from pathlib import Path

from pocketmq.errors import DirectoryInUse

# A process may lock a byte twice without noticing, so we remember what is ours.
_held: set[str] = set()


class DirectoryLock:
    """Held from `acquire` to `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = os.path.realpath(path)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raise DirectoryInUse at once when somebody has it."""
        directory = str(self._path.parent)
        if self._key in _held:
            raise DirectoryInUse(directory, "this process")
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock_first_byte(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise DirectoryInUse(directory, "another broker") from error
        if os.fstat(descriptor).st_size == 0:
            os.write(descriptor, b"lock")
        self._descriptor = descriptor
        _held.add(self._key)

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self._key)


def _lock_first_byte(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
