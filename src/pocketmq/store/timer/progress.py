"""How far the timer has come, in `config/timercheck`: seven numbers of 8 bytes, zeros up to 4096.

read_ms         moments before this have been delivered
log_end         everything before this timer log position is on the disk
queue_offset    messages of rmq_sys_wheel_timer before this have entered the timer
master_offset   the same on the master; equal here
version         state version, timestamp and counter
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pocketmq.store import space

_FORM: Final = struct.Struct(">7q")
_FILE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class TimerProgress:
    """The seven numbers."""

    read_ms: int = 0
    log_end: int = 0
    queue_offset: int = 0
    master_offset: int = 0
    state_version: int = 0
    timestamp_ms: int = 0
    counter: int = 0

    def to_bytes(self) -> bytes:
        """The numbers as they are stored, and as replicas are told."""
        return _FORM.pack(
            self.read_ms,
            self.log_end,
            self.queue_offset,
            self.master_offset,
            self.state_version,
            self.timestamp_ms,
            self.counter,
        )


def read_progress(path: Path) -> TimerProgress:
    """What the file says; all zeros when it is missing, short or nonsense."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return TimerProgress()
    if len(raw) < _FORM.size or min(_FORM.unpack_from(raw)) < 0:
        return TimerProgress()
    return TimerProgress(*_FORM.unpack_from(raw))


def write_progress(path: Path, progress: TimerProgress, *, durably: bool = True) -> None:
    """Replace the numbers in place: they share a disk sector. Raise StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            os.ftruncate(descriptor, _FILE_BYTES)
            os.write(descriptor, progress.to_bytes())
            if durably:
                space.sync_descriptor(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise space.store_error(str(path), error) from error
