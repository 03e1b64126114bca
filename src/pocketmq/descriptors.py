"""How many files and sockets this process may have open, and keeping some of them for files.

Clients can open as many connections as they like. The last descriptors are not for them: a broker
that cannot open a file can neither flush nor save.
"""

from __future__ import annotations

import errno
import os

SPARE = 64
"""Kept for files that are opened for a moment; fewer where few are allowed at all."""
_TRIED = 4


def limit() -> int | None:
    """How many descriptors this process may have, or None where there is no limit."""
    try:
        import resource
    except ImportError:
        return None  # Windows
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def are_short() -> bool:
    """Whether those that are left should be kept for files."""
    allowed = limit()
    if allowed is None:
        return False
    tried: list[int] = []
    try:
        tried.append(os.open(os.devnull, os.O_RDONLY))
        # A new one is always the lowest that is free, and a few low ones may just be so.
        while len(tried) < _TRIED:
            tried.append(os.dup(tried[0]))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    finally:
        for descriptor in tried:
            os.close(descriptor)
    return max(tried) >= allowed - min(SPARE, allowed // 4)
