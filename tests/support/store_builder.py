"""Small stores and messages for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketmq.clock import Clock, ManualClock
from pocketmq.message.properties import encode_properties
from pocketmq.message.record import decode_record
from pocketmq.store import MessageStore, StoreConfig
from pocketmq.store.config import FlushConfig, IndexConfig, LogConfig, QueueConfig

BORN_HOST = b"\x7f\x00\x00\x01\x00\x00\xc3\x50"
BORN_HOST_V6 = bytes(15) + b"\x01\x00\x00\xc3\x50"


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as a plain model of the store remembers it."""

    topic: str
    queue_id: int
    queue_offset: int
    log_offset: int
    size: int
    body: bytes
    tag: str


def small_config(root: Path, **log: Any) -> StoreConfig:
    """Return a config of small files, so that a few messages fill many."""
    return StoreConfig(
        root=root,
        log=dataclasses.replace(
            LogConfig(file_bytes=16_384, reserve_step_bytes=65_536, write_buffer_bytes=65_536),
            **log,
        ),
        queues=QueueConfig(file_bytes=400),
        index=IndexConfig(slots=64, entries=100),
    )


def sync_config(root: Path) -> StoreConfig:
    """The same with SYNC_FLUSH."""
    return dataclasses.replace(small_config(root), flush=FlushConfig(mode="SYNC_FLUSH"))


def open_store(config: StoreConfig, clock: Clock | None = None) -> MessageStore:
    """Return an open store."""
    store = MessageStore(config, clock or ManualClock())
    store.open()
    return store


def append(
    store: MessageStore,
    topic: str = "orders",
    queue_id: int = 0,
    body: bytes = b"hello",
    tag: str = "",
    keys: str = "",
    **properties: str,
) -> Kept:
    """Append one message; return what a model should remember of it."""
    named = {"TAGS": tag, "KEYS": keys, **properties}
    text = encode_properties({name: value for name, value in named.items() if value})
    log_offset, size, queue_offset, _ = store.append(
        topic, queue_id, 0, 0, 1_600_000_000_000, BORN_HOST, 0, 0, body, text.encode()
    )
    return Kept(topic, queue_id, queue_offset, log_offset, size, body, tag)


def dispatch_all(store: MessageStore) -> int:
    """Dispatch until nothing is left; return how many messages arrived."""
    count = 0
    while arrived := store.dispatch(1000):
        count += len(arrived)
    return count


def read_queue(store: MessageStore, topic: str = "orders", queue_id: int = 0) -> Iterator[Kept]:
    """Yield what a consumer that starts at the first message of a queue gets."""
    at, end = store.queue_offsets(topic, queue_id)
    while at < end:
        result = store.pull(topic, queue_id, at, 32)
        assert not result.cold
        for view in result.views:
            position = 0
            while position < len(view):
                record = decode_record(view, position)
                position += record.size
                assert (record.topic, record.queue_id) == (topic, queue_id)
                yield Kept(
                    topic,
                    queue_id,
                    record.queue_offset,
                    record.log_offset,
                    record.size,
                    bytes(record.body),
                    record.properties.get("TAGS", ""),
                )
        assert result.next_offset > at, result
        at = result.next_offset


def read_all(store: MessageStore) -> set[Kept]:
    """Return every message of every queue."""
    return {
        kept
        for topic in store.topics()
        for queue_id in store.queue_ids(topic)
        for kept in read_queue(store, topic, queue_id)
    }
