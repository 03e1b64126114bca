"""Asking the disk for real space, so that a full disk is an error and not a SIGBUS.

Files have their full logical size from the start but are sparse. Writing through a mapping to a
page without disk space kills the process when the disk is full; so space is reserved before, and
no page beyond the reserved part is ever written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from pocketmq.errors import StoreFull, StoreNotWritable

PAGE_BYTES = 4096
CROWDED = {errno.EMFILE, errno.ENFILE}
"""Errors of a file that could not be opened now, but may be later; nothing is lost by them."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM}
_ZEROS = bytes(65_536)
_ZEROS_PER_CALL = 256


def create_sparse(path: str, size: int) -> None:
    """Create a file of `size` zero bytes that takes no space yet. Raise StoreFull."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o644)
        try:
            os.ftruncate(descriptor, size)
        except OSError:
            if os.fstat(descriptor).st_size == 0:
                os.unlink(path)  # nobody should find it and wonder about its size
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise store_error(path, error) from error


def reserve(path: str, first: int, last: int) -> None:
    """Back the bytes from `first` up to `last` with disk space. Raise StoreFull without it.

    Bytes already there stay. Where the system cannot reserve, they are read and written again.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | _BINARY)
        try:
            _allocate(descriptor, first, last)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise store_error(path, error) from error


def _allocate(descriptor: int, first: int, last: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, first, last - first)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
    while first < last:
        os.lseek(descriptor, first, os.SEEK_SET)
        held = os.read(descriptor, min(len(_ZEROS), last - first))
        os.lseek(descriptor, first, os.SEEK_SET)
        first += os.write(descriptor, held or _ZEROS[: last - first])


def reserve_zeros(path: str, first: int, zeros_from: int, last: int) -> None:
    """As `reserve`, and overwrite what lies behind `zeros_from` with zeros, whatever it holds.

    Few calls do it all: a thread beside a busy event loop waits for its turn after each.
    Raise StoreFull or StoreNotWritable.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | _BINARY)
        try:
            _allocate(descriptor, first, last)
            os.lseek(descriptor, zeros_from, os.SEEK_SET)
            while zeros_from < last:
                zeros_from += _write_zeros(descriptor, last - zeros_from)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise store_error(path, error) from error


def _write_zeros(descriptor: int, size: int) -> int:
    if not hasattr(os, "writev"):
        return os.write(descriptor, _ZEROS[:size])
    whole, rest = divmod(min(size, _ZEROS_PER_CALL * len(_ZEROS)), len(_ZEROS))
    return os.writev(descriptor, [_ZEROS] * whole + [_ZEROS[:rest]])


def give_way() -> None:
    """Let a thread that waits for this core go first, where the system can be asked to."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()


def zero(path: str, first: int, last: int) -> None:
    """Overwrite a range with zeros, skipping what is zero already, or a hole."""
    descriptor = os.open(path, os.O_RDWR | _BINARY)
    try:
        for start, end in data_ranges(descriptor, first, last):
            while start < end:
                os.lseek(descriptor, start, os.SEEK_SET)
                held = os.read(descriptor, min(len(_ZEROS), end - start))
                zeros = _ZEROS[: len(held) or end - start]
                if held != zeros:
                    os.lseek(descriptor, start, os.SEEK_SET)
                    os.write(descriptor, zeros)
                start += len(zeros)
    finally:
        os.close(descriptor)


def data_ranges(descriptor: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a range that may hold data: all of it where no system call tells."""
    while first < last:
        start, end = _data_range(descriptor, first, last)
        if start < end:
            yield start, end
        first = max(end, first + 1)


def _data_range(descriptor: int, first: int, last: int) -> tuple[int, int]:
    """Return the next stretch of a range that may hold data."""
    if not hasattr(os, "SEEK_DATA"):
        return first, last
    try:
        start = os.lseek(descriptor, first, os.SEEK_DATA)
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but holes behind `first`
            return last, last
        return first, last
    return min(start, last), min(end, last)


def open_for_sync(path: str) -> int:
    """Return a descriptor to flush a file through. Raise OSError."""
    return os.open(path, os.O_RDWR | _BINARY)


def sync_file(path: str) -> None:
    """Force a file's data, written through any mapping, to the disk. Raise OSError."""
    descriptor = open_for_sync(path)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sync_descriptor(descriptor: int) -> None:
    """Force the data of an open file to the disk. Raise OSError."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_directory(path: str) -> None:
    """Make names in a directory durable, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot sync a directory
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def store_error(path: str, error: OSError) -> StoreFull | StoreNotWritable:
    """Return what an error of the operating system means to the store."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StoreFull(path, reason)
    if error.errno in CROWDED:
        return StoreNotWritable(f"opening {path} failed ({reason}); raise the limit of open files")
    return StoreNotWritable(f"writing {path} failed ({reason}); check the disk and permissions")


_BINARY = getattr(os, "O_BINARY", 0)
