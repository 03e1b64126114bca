"""Files whose pages are not in memory."""

from __future__ import annotations

import os
from pathlib import Path


def evict(path: Path) -> None:
    """Ask the kernel to forget the cached pages of a file."""
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
