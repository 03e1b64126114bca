"""Which mapped pages are in memory, and bringing them there, where the system can say and do so.

The calls go through ctypes, which releases the interpreter's lock while they block. Where a call is
missing, everything counts as resident and pages are read the ordinary way.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

from pocketmq import _speedups
from pocketmq.store.space import PAGE_BYTES

_READ_AHEAD_BYTES = 1024 * 1024
_POPULATE_READ = 22


def _load_libc() -> Any:
    if sys.platform == "win32":
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        libc.munlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    except (OSError, AttributeError):
        return None
    return libc


_libc = _load_libc()


def is_resident_plain(address: int, length: int) -> bool:
    """Say whether every page of a mapped range is in memory; True where nobody knows."""
    if _libc is None or not address:
        return True
    first = address // PAGE_BYTES * PAGE_BYTES
    pages = (address + length - first + PAGE_BYTES - 1) // PAGE_BYTES
    answer = ctypes.create_string_buffer(pages)
    if _libc.mincore(first, address + length - first, answer) != 0:
        return True
    return all(page & 1 for page in answer.raw)


def bring_in(address: int, view: memoryview) -> None:
    """Read the pages of a view from the disk. Blocks without holding the interpreter's lock."""
    first = address // PAGE_BYTES * PAGE_BYTES
    length = address + len(view) - first
    if sys.platform == "linux" and _libc is not None and address:
        # The mapping is marked as random, so the kernel reads ahead only where it is told to.
        _libc.madvise(first, length + _READ_AHEAD_BYTES, mmap.MADV_WILLNEED)
        if _libc.madvise(first, length, _POPULATE_READ) == 0:
            return
    for position in range(0, len(view), PAGE_BYTES):
        view[position]


def lock(address: int, length: int) -> bool:
    """Keep a range in memory. Return False when the system does not allow it."""
    return _libc is not None and bool(address) and _libc.mlock(address, length) == 0


def unlock(address: int, length: int) -> None:
    """Let the system decide again whether a range stays in memory."""
    if _libc is not None and address:
        _libc.munlock(address, length)


if _speedups.has("pages"):
    from pocketmq._speedups.pages import is_resident as is_resident
else:
    is_resident = is_resident_plain
