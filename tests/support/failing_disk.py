"""A disk that fills up or fails, by way of the operating system's calls."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest


class FailingDisk:
    """Makes reserving space or flushing fail on demand."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.broken = False
        self.room_bytes: int | None = None
        for name in ("posix_fallocate", "ftruncate"):
            if hasattr(os, name):
                patch.setattr(os, name, self._failing_when_full(getattr(os, name)))
        for name in ("fdatasync", "fsync"):
            if hasattr(os, name):
                patch.setattr(os, name, self._failing_when_broken(getattr(os, name)))

    def _failing_when_full(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(descriptor: int, *args: int) -> Any:
            wanted = args[1] if len(args) > 1 else 0
            if self.full or (self.room_bytes is not None and wanted > self.room_bytes):
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(descriptor, *args)

        return guarded

    def _failing_when_broken(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(descriptor: int) -> Any:
            if self.broken:
                raise OSError(errno.EIO, "Input/output error")
            return call(descriptor)

        return guarded
