"""Small files that are replaced whole: the tables below `config/`.

The new content is written beside the file, forced to the disk and renamed over it, so that at every
moment either the old or the new one is there. The one before stays as `<name>.bak`, where Apache
RocketMQ looks too.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pocketmq.errors import CorruptStore
from pocketmq.store import space

T = TypeVar("T")

_log = logging.getLogger(__name__)


def replace_file(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace a file's content safely. Raise StoreFull or StoreNotWritable; the old one stays.

    Nobody but the owner may read a `private` one, not even while it is written.
    """
    fresh = path.with_name(path.name + ".tmp")
    backup = path.with_name(path.name + ".bak")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()  # one left behind may be open to others, or be read by them
        with open(fresh, "wb", opener=_open_private if private else None) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            with contextlib.suppress(FileNotFoundError):
                backup.unlink()
            try:
                os.link(path, backup)
            except (OSError, AttributeError):
                os.replace(path, backup)  # this disk, or this system, has no hard links
        os.replace(fresh, path)
        space.sync_directory(str(path.parent))
    except OSError as error:
        raise space.store_error(str(path), error) from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def load_file(path: Path, decode: Callable[[bytes], T]) -> T | None:
    """Return the decoded content of a file, or of its backup; None when neither exists.

    `decode` raises ValueError for what it cannot read. Nothing is deleted. Raise CorruptStore when
    there are files but none can be read, rather than starting empty.
    """
    reason = ""
    for candidate in (path, path.with_name(path.name + ".bak")):
        try:
            content = candidate.read_bytes()
        except FileNotFoundError:
            continue
        if not content.strip(b"\0 \r\n\t"):
            continue
        try:
            return decode(content)
        except ValueError as error:
            reason = reason or f"{candidate}: {error}"
            _log.warning("file=%s error=%r using=backup", candidate, str(error))
    if reason:
        raise CorruptStore(f"{reason}; its backup does not help. Repair the file or move it away")
    return None
