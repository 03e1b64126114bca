"""Threads whose work may wait a little while clients are served.

Forcing a log that grows fast to the disk takes the processor for milliseconds at a time. A server
that shares a core with its own flush would answer nobody meanwhile: with equal rights, one send of
a hundred waited twice as long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

NICE: Final = 10
"""A tenth of the time where others want all of it: what was started still comes to its end."""

NICE_MAX: Final = 19


def stand_back() -> None:
    """Let the calling thread run behind others, where the system does that for single threads."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # it may not be allowed, and nothing depends on it
            thread = threading.get_native_id()
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICE
            os.setpriority(os.PRIO_PROCESS, thread, min(niceness, NICE_MAX))
