"""Warm memory for what is measured: see `load/reserve.c`.

All peers get it. Without it their figures hold what the machine's host takes for a page of memory:
seen here from a third of a microsecond to ten, where the rest of a pipelined send takes two.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MEGABYTE: Final = 1 << 20
_AHEAD_MB: Final = 48


class ReserveFailed(Exception):
    """The reserve could not be made; the message says why and what to do."""


@contextmanager
def warm_memory(program: Path, megabytes: int) -> Iterator[None]:
    """Hand out so much warm memory, and no more, to whoever takes memory meanwhile.

    It is at most a third of what the machine has to spare; nothing happens for 0 MB.
    """
    megabytes = min(megabytes, _available() // _MEGABYTE // 3)
    if megabytes == 0:
        yield
        return
    command = [str(program), str(megabytes), str(_AHEAD_MB)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as reserve:
        assert reserve.stdin is not None and reserve.stdout is not None
        if reserve.stdout.readline() != "ready\n":
            raise ReserveFailed(
                f"{megabytes} MB of memory cannot be held ready; measure with --cold-memory"
            )
        try:
            yield
        finally:
            reserve.stdin.close()


def _available() -> int:
    """Bytes that the machine can give away; unknown is 0."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
