"""The store's settings, grouped; RocketMQ's property names are aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocketmq.settings import group, setting

_MIB = 1024 * 1024

DELAY_LEVELS = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"

_DELAY = re.compile(r"([1-9]\d{0,8})([smhd])")
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_delay_levels(text: str) -> tuple[int, ...]:
    """Return the delays of level 1, 2, ... in milliseconds. Raise ValueError."""
    delays = []
    for word in text.split():
        match = _DELAY.fullmatch(word)
        if match is None:
            raise ValueError(
                f"must be delays such as 5s, 10m, 2h or 1d, split by blanks; {word!r} is none"
            )
        delays.append(int(match[1]) * _UNITS_MS[match[2]])
    if not delays:
        raise ValueError("must be at least one delay, such as 5s")
    return tuple(delays)


def parse_hours(text: str) -> frozenset[int]:
    """Return the hours of the day in a list such as `04;16`; none is fine. Raise ValueError."""
    words = [word.strip() for word in text.split(";") if word.strip()]
    for word in words:
        if not (word.isascii() and word.isdigit() and int(word) < 24):
            raise ValueError(f"must be hours from 00 to 23, split by `;`; {word!r} is none")
    return frozenset(map(int, words))


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The commit log: its files, and what one message may be."""

    file_bytes: int = setting(
        1024 * _MIB,
        "Size of one commit log file.",
        alias="mappedFileSizeCommitLog",
        minimum=4096,
        maximum=2**31 - 4096,
    )
    message_bytes_max: int = setting(
        4 * _MIB, "Largest message body.", alias="maxMessageSize", minimum=10
    )
    reserve_step_bytes: int = setting(
        4 * _MIB, "How much disk space is reserved ahead of the writer.", minimum=65_536
    )
    append_properties_crc: bool = setting(
        False, "Add a checksum over the whole record.", alias="enabledAppendPropCRC"
    )
    verify_properties_crc: bool = setting(
        False, "Recovery demands the whole-record checksum.", alias="forceVerifyPropCRC"
    )
    verify_crc_on_recovery: bool = setting(
        True, "Recovery compares body checksums.", alias="checkCRCOnRecover"
    )
    warm_up: bool = setting(
        True, "Have reserved pages in memory before they are needed.", alias="warmMapedFileEnable"
    )
    lock_memory: bool = setting(False, "Lock the pages being written into memory.")
    write_buffer: bool = setting(
        False,
        "Collect writes in memory and move them to the file in bulk.",
        alias="transientStorePoolEnable",
    )
    write_buffer_bytes: int = setting(
        64 * _MIB,
        "Size of that write buffer; it always has room for two of the largest messages.",
        minimum=65_536,
    )


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Consume queues: their files and how many are mapped at once."""

    file_bytes: int = setting(
        6_000_000, "Size of one consume queue file.", alias="mappedFileSizeConsumeQueue", minimum=20
    )
    batch_file_bytes: int = setting(
        13_800_000,
        "Size of one batch consume queue file.",
        alias="mapperFileSizeBatchConsumeQueue",
        minimum=46,
    )
    reserve_bytes_max: int = setting(
        262_144, "Most disk space reserved ahead in one consume queue.", minimum=4096
    )
    mapped_files_max: int = setting(
        8192, "Consume queue files mapped at once; fewer when descriptors are short.", minimum=16
    )
    queues_per_topic_max: int = setting(65_536, "Highest number of queues in one topic.", minimum=1)


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """The key index."""

    enabled: bool = setting(True, "Index messages by their keys.", alias="messageIndexEnable")
    slots: int = setting(
        5_000_000, "Hash slots in one index file.", alias="maxHashSlotNum", minimum=1
    )
    entries: int = setting(20_000_000, "Entries in one index file.", alias="maxIndexNum", minimum=2)
    query_max: int = setting(
        64, "Most messages in the answer to a query by key.", alias="maxMsgsNumBatch", minimum=1
    )


@dataclass(frozen=True, slots=True)
class FlushConfig:
    """When written data is forced to the disk."""

    mode: Literal["ASYNC_FLUSH", "SYNC_FLUSH"] = setting(
        "ASYNC_FLUSH",
        "Whether a send is answered before or after its message is on the disk.",
        alias="flushDiskType",
    )
    interval_ms: int = setting(
        500, "How often the commit log is flushed.", alias="flushIntervalCommitLog", minimum=1
    )
    pages_min: int = setting(
        4, "Fewer dirty pages than this wait.", alias="flushCommitLogLeastPages", minimum=0
    )
    thorough_interval_ms: int = setting(
        10_000,
        "How often even one dirty page is flushed.",
        alias="flushCommitLogThoroughInterval",
        minimum=1,
    )
    commit_interval_ms: int = setting(
        200,
        "How often the write buffer is moved to the file.",
        alias="commitIntervalCommitLog",
        minimum=1,
    )
    queue_interval_ms: int = setting(
        1000,
        "How often consume queues and index are flushed.",
        alias="flushIntervalConsumeQueue",
        minimum=1,
    )
    sync_timeout_ms: int = setting(
        5000,
        "How long a send waits for the disk in SYNC_FLUSH.",
        alias="syncFlushTimeout",
        minimum=1,
    )


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """Limits of one pull."""

    bytes_in_memory_max: int = setting(
        262_144,
        "Most bytes of recent messages in one answer.",
        alias="maxTransferBytesOnMessageInMemory",
        minimum=1,
    )
    count_in_memory_max: int = setting(
        32,
        "Most recent messages in one answer.",
        alias="maxTransferCountOnMessageInMemory",
        minimum=1,
    )
    bytes_on_disk_max: int = setting(
        65_536,
        "Most bytes of old messages in one answer.",
        alias="maxTransferBytesOnMessageInDisk",
        minimum=1,
    )
    count_on_disk_max: int = setting(
        8, "Most old messages in one answer.", alias="maxTransferCountOnMessageInDisk", minimum=1
    )
    memory_ratio_percent: int = setting(
        40,
        "Messages within this share of the machine's memory count as recent.",
        alias="accessMessageInMemoryMaxRatio",
        minimum=0,
        maximum=100,
    )
    filter_bytes_max: int = setting(
        16_000,
        "Most consume queue bytes examined in one pull.",
        alias="maxFilterMessageSize",
        minimum=20,
    )
    hot_bytes: int = setting(
        64 * _MIB, "The newest part of the log that is taken to be in memory.", minimum=0
    )


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """What is deleted, and when."""

    reserved_hours: int = setting(
        72, "Age at which commit log files expire.", alias="fileReservedTime", minimum=1
    )
    delete_when: str = setting(
        "04",
        "Hours of the day in which expired files go, split by `;`.",
        alias="deleteWhen",
        check=parse_hours,
    )
    disk_used_percent_max: int = setting(
        75,
        "Expired files go at any hour above this use of the disk.",
        alias="diskMaxUsedSpaceRatio",
        minimum=10,
        maximum=95,
    )
    disk_clean_percent: int = setting(
        85,
        "Even unexpired files go above this use of the disk.",
        alias="diskSpaceCleanForciblyRatio",
        minimum=30,
        maximum=95,
    )
    disk_full_percent: int = setting(
        90,
        "Writes are refused above this use of the disk.",
        alias="diskSpaceWarningLevelRatio",
        minimum=35,
        maximum=100,
    )
    clean_unexpired: bool = setting(
        True, "Allow deleting unexpired files of a full disk.", alias="cleanFileForciblyEnable"
    )
    files_per_step_max: int = setting(
        10, "Most commit log files deleted in one step.", alias="deleteFileBatchMax", minimum=1
    )
    interval_ms: int = setting(
        10_000, "How often retention runs.", alias="cleanResourceInterval", minimum=100
    )


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """One data directory."""

    root: Path = setting(Path("store"), "The data directory.", alias="storePathRootDir")
    commit_log_dir: Path | None = setting(
        None, "Where the commit log lies, if not below the root.", alias="storePathCommitLog"
    )
    delay_levels: str = setting(
        DELAY_LEVELS,
        "The delay of each level, split by blanks.",
        alias="messageDelayLevel",
        check=parse_delay_levels,
    )
    log: LogConfig = group(LogConfig)
    queues: QueueConfig = group(QueueConfig)
    index: IndexConfig = group(IndexConfig)
    flush: FlushConfig = group(FlushConfig)
    reading: ReadConfig = group(ReadConfig)
    retention: RetentionConfig = group(RetentionConfig)
