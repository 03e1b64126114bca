"""Where data goes when nobody says: the user's data directory, or memory that ends with us.

A data directory looks as RocketMQ leaves a home directory: `store` for the broker, `namesrv` for
the name server. A directory that is itself a broker's store is taken as it is.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
EPHEMERAL_ROOM_BYTES = 1024**3
"""One file of the commit log."""


def default_data_directory() -> Path:
    """Return the directory for PocketMQ's data that this system's customs ask for."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "PocketMQ"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "PocketMQ"
    xdg = os.environ.get("XDG_DATA_HOME", "")
    return (Path(xdg) if xdg.startswith("/") else Path.home() / ".local" / "share") / "pocketmq"


def store_in(data: Path) -> Path:
    """Return where a broker keeps its store in this data directory."""
    return data if (data / "commitlog").is_dir() else data / "store"


def name_server_file_in(data: Path) -> Path:
    """Return where a name server keeps its key-value configuration in this data directory."""
    return data / "namesrv" / "kvConfig.json"


def console_users_in(data: Path) -> Path:
    """Return where this data directory keeps those who may log in to the console."""
    return data / "console" / "users.json"


@contextmanager
def ephemeral_directory(room_bytes: int = EPHEMERAL_ROOM_BYTES) -> Iterator[Path]:
    """Provide a directory that is gone afterwards, in memory where that much is free there.

    A container's shared memory is often so small that a few messages fill it.
    """
    in_memory = os.access(SHARED_MEMORY, os.W_OK | os.X_OK)
    if in_memory and shutil.disk_usage(SHARED_MEMORY).free < room_bytes:
        in_memory = False
    parent = SHARED_MEMORY if in_memory else None
    directory = Path(tempfile.mkdtemp(prefix="pocketmq-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
