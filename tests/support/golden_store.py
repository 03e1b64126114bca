"""Store directories captured from Apache RocketMQ, and opening them with our store."""

from __future__ import annotations

import json
import lzma
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

from pocketmq.clock import ManualClock
from pocketmq.store import MessageStore, StoreConfig
from pocketmq.store.config import FlushConfig, IndexConfig, LogConfig, QueueConfig, RetentionConfig

GOLDEN = Path(__file__).parent.parent / "golden" / "store"
CAPTURES = (
    "sync-clean",
    "v2-clean",
    "v2-crc-clean",
    "batchcq-clean",
    "async-kill9",
    "async-torn",
    "async-torn-tail",
)
CLEAN = CAPTURES[:4]
DAMAGED = CAPTURES[4:]
# A moment after all captures, whose messages must not look expired.
NOW_MS = 1_795_240_000_000


@cache
def expected(capture: str) -> dict[str, Any]:
    """Return the description that Apache's own classes gave of a capture."""
    packed = (GOLDEN / f"{capture}.expected.json.xz").read_bytes()
    described: dict[str, Any] = json.loads(lzma.decompress(packed))
    return described


def unpack(capture: str, directory: Path) -> Path:
    """Unpack a fresh copy of a capture; return its root."""
    with tarfile.open(GOLDEN / f"{capture}.tar.xz") as archive:
        if sys.version_info >= (3, 12):
            archive.extractall(directory, filter="data")
        else:
            archive.extractall(directory)
    return directory / capture


def config_of(capture: str, root: Path) -> StoreConfig:
    """Return our settings for a capture: the sizes it was made with."""
    made = expected(capture)["config"]
    return StoreConfig(
        root=root,
        log=LogConfig(
            file_bytes=int(made["mappedFileSizeCommitLog"]),
            append_properties_crc=made.get("enabledAppendPropCRC") == "true",
            reserve_step_bytes=65_536,
        ),
        queues=QueueConfig(
            file_bytes=int(made["mappedFileSizeConsumeQueue"]),
            batch_file_bytes=int(made["mapperFileSizeBatchConsumeQueue"]),
        ),
        index=IndexConfig(slots=int(made["maxHashSlotNum"]), entries=int(made["maxIndexNum"])),
        flush=FlushConfig(mode=made["flushDiskType"]),
        retention=RetentionConfig(),
    )


def store_of(capture: str, directory: Path) -> MessageStore:
    """Return a store on a fresh copy of a capture, not yet open."""
    root = unpack(capture, directory)
    return MessageStore(config_of(capture, root), ManualClock(NOW_MS))


def log_bytes(root: Path) -> dict[int, bytes]:
    """Return the commit log files of a capture by their first offset."""
    files = sorted((root / "commitlog").iterdir())
    return {int(path.name): path.read_bytes() for path in files}
