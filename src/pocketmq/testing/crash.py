"""What a killed broker leaves behind: its directory as it is at one moment, without a goodbye.

The operating system keeps what a killed process has written, flushed or not, and nothing else. So
the directory is copied while the broker stands still, and put in its place once it has stopped. The
copy has the mark of an unclean stop, and whoever opens it recovers.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"  # to open and close it would give the broker's lock back
_CHUNK_BYTES: Final = 1024 * 1024


def copy_as_it_is(source: Path, target: Path) -> None:
    """Copy a broker's directory while others may write to it. Holes of files stay holes."""

    def ignored(directory: str, names: list[str]) -> list[str]:
        return [_LOCK] if Path(directory) == source else []

    shutil.copytree(source, target, copy_function=_copy_file, ignore=ignored)


def put_in_place(copy: Path, directory: Path) -> None:
    """Replace a directory by a copy of it."""
    shutil.rmtree(directory)
    copy.rename(directory)


def _copy_file(source: str, target: str) -> str:
    try:
        opened = open(source, "rb", buffering=0)  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return target  # it was replaced or deleted just now
    with opened, open(target, "wb", buffering=0) as written:
        size = os.fstat(opened.fileno()).st_size
        at = 0
        while at < size:
            start, end = _next_data(opened.fileno(), at, size)
            opened.seek(start)
            written.seek(start)
            at = start
            while at < end:
                chunk = opened.read(min(_CHUNK_BYTES, end - at))
                if not chunk:
                    break
                written.write(chunk)
                at += len(chunk)
            at = end
        written.truncate(size)
    shutil.copystat(source, target)
    return target


def _next_data(descriptor: int, at: int, size: int) -> tuple[int, int]:
    """Where the next bytes that are not a hole begin and end."""
    if not hasattr(os, "SEEK_DATA"):
        return at, size
    try:
        start = os.lseek(descriptor, at, os.SEEK_DATA)
        return start, os.lseek(descriptor, start, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size, size  # nothing but a hole is left
        return at, size  # this file system does not know
