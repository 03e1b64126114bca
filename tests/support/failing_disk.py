"""A disk that fills up, fails or takes its time, by way of the operating system's calls."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_STUCK_SECONDS_MAX = 15.0


class FailingDisk:
    """Makes reserving space or flushing fail, or flushing hang, on demand."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.broken = False
        self.room_bytes: int | None = None
        self._works = threading.Event()
        self._works.set()
        for name in ("posix_fallocate", "ftruncate"):
            if hasattr(os, name):
                patch.setattr(os, name, self._failing_when_full(getattr(os, name)))
        for name in ("fdatasync", "fsync"):
            if hasattr(os, name):
                patch.setattr(os, name, self._failing_when_broken(getattr(os, name)))

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Flushes begun in this block end after it."""
        self._works.clear()
        try:
            yield
        finally:
            self._works.set()

    def _failing_when_full(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(descriptor: int, *args: int) -> Any:
            wanted = args[1] if len(args) > 1 else 0
            if self.full or (self.room_bytes is not None and wanted > self.room_bytes):
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(descriptor, *args)

        return guarded

    def _failing_when_broken(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(descriptor: int) -> Any:
            assert self._works.wait(_STUCK_SECONDS_MAX), "the test never let the disk go on"
            if self.broken:
                raise OSError(errno.EIO, "Input/output error")
            return call(descriptor)

        return guarded
