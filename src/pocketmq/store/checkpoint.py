"""The checkpoint: what was certainly on the disk, as store times.

log_timestamp_ms         8   of the last record flushed in the commit log
queue_timestamp_ms       8   of the last record flushed in the consume queues
index_timestamp_ms       8   of the last record in full, flushed index files
master_flushed_offset    8   on a replica
confirm_offset           8   in controller mode
zeros                        up to 4096
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from pocketmq.store import space

_FORM = struct.Struct(">qqqqq")
FILE_BYTES = 4096
_MARGIN_MS = 3000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The five numbers."""

    log_timestamp_ms: int = 0
    queue_timestamp_ms: int = 0
    index_timestamp_ms: int = 0
    master_flushed_offset: int = 0
    confirm_offset: int = 0

    @property
    def safe_timestamp_ms(self) -> int:
        """Records up to this store time are surely in log and queues."""
        return max(0, min(self.log_timestamp_ms, self.queue_timestamp_ms) - _MARGIN_MS)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what the file says; all zeros, which trusts nothing, when it is missing or short."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Checkpoint()
    if len(raw) < _FORM.size:
        return Checkpoint()
    checkpoint = Checkpoint(*_FORM.unpack_from(raw))
    return Checkpoint() if min(_FORM.unpack_from(raw)) < 0 else checkpoint


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Make a checkpoint durable, in place: five numbers share a disk sector. Raise OSError."""
    raw = _FORM.pack(
        checkpoint.log_timestamp_ms,
        checkpoint.queue_timestamp_ms,
        checkpoint.index_timestamp_ms,
        checkpoint.master_flushed_offset,
        checkpoint.confirm_offset,
    )
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        os.ftruncate(descriptor, FILE_BYTES)
        os.write(descriptor, raw)
        space.sync_descriptor(descriptor)
    finally:
        os.close(descriptor)
