"""What lies in the broker, read from its store as a test wants to see it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pocketmq.client.compression import decompress
from pocketmq.errors import BodyUndecodable
from pocketmq.message import flags, topics
from pocketmq.message.ids import offset_message_id
from pocketmq.message.properties import KEYS, RETRY_TOPIC, TAGS, UNIQUE_KEY
from pocketmq.message.record import Record
from pocketmq.store import MessageStore

Marks = Mapping[tuple[str, int], int]
"""Where each queue ended when the test began."""

_SHOWN_BYTES_MAX = 60


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the broker keeps it. `body` is what the producer gave, if it can be unpacked."""

    topic: str
    queue_id: int
    queue_offset: int
    log_offset: int
    body: bytes
    properties: Mapping[str, str]
    message_id: str
    retries: int
    born_ms: int
    stored_ms: int

    @property
    def tag(self) -> str | None:
        """Its tag."""
        return self.properties.get(TAGS)

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys."""
        return tuple(self.properties.get(KEYS, "").split())

    @property
    def text(self) -> str:
        """Its body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)

    @property
    def origin_topic(self) -> str:
        """Where it was sent, also when it lies in a retry or dead letter topic now."""
        return self.properties.get(RETRY_TOPIC, self.topic)

    @property
    def stored_at(self) -> datetime:
        """When it was stored, by the broker's clock."""
        return datetime.fromtimestamp(self.stored_ms / 1000, timezone.utc)

    def __str__(self) -> str:
        """Say what a person needs to recognise it."""
        parts = [f"queue {self.queue_id} offset {self.queue_offset}"]
        if self.tag is not None:
            parts.append(f"tag={self.tag}")
        if self.keys:
            parts.append(f"keys={' '.join(self.keys)}")
        return f"{'  '.join(parts)}  {show_body(self.body)}"


def show_body(body: bytes) -> str:
    """A body, or as much of it as fits in a line."""
    if len(body) <= _SHOWN_BYTES_MAX:
        return repr(body)
    return f"{body[:_SHOWN_BYTES_MAX]!r}... ({len(body)} bytes)"


def stored_message(record: Record) -> StoredMessage:
    """What a record holds."""
    properties = record.properties
    origin = offset_message_id(record.store_host, record.log_offset)
    return StoredMessage(
        record.topic,
        record.queue_id,
        record.queue_offset,
        record.log_offset,
        _unpacked(bytes(record.body), record.sys_flag),
        properties,
        properties.get(UNIQUE_KEY, origin),
        record.reconsume_times,
        record.born_timestamp_ms,
        record.store_timestamp_ms,
    )


def read_queue(
    store: MessageStore, topic: str, queue_id: int, first: int = 0, end: int | None = None
) -> Iterator[StoredMessage]:
    """The messages of a queue from `first` on, those that are still kept."""
    kept_first, kept_end = store.queue_offsets(topic, queue_id)
    for queue_offset in range(max(first, kept_first), kept_end if end is None else end):
        entry = store.entry_of(topic, queue_id, queue_offset)
        record = None if entry is None else store.decoded_record_at(entry[0])
        if record is not None:
            yield stored_message(record)


def read_topic(store: MessageStore, topic: str, marks: Marks) -> list[StoredMessage]:
    """The messages of a topic in the order they were stored."""
    found = [
        message
        for queue_id in store.queue_ids(topic)
        for message in read_queue(store, topic, queue_id, marks.get((topic, queue_id), 0))
    ]
    return sorted(found, key=lambda message: message.log_offset)


def marks_of(store: MessageStore) -> dict[tuple[str, int], int]:
    """Where all queues end now."""
    return {
        (topic, queue_id): store.queue_offsets(topic, queue_id)[1]
        for topic in store.topics()
        for queue_id in store.queue_ids(topic)
    }


def user_topics(store: MessageStore) -> list[str]:
    """The topics that hold something and belong to no part of the broker."""
    own = topics.broker_system_topics("DefaultCluster", "pocketmq")
    return sorted(t for t in store.topics() if t not in own and not topics.is_system_topic(t))


def _unpacked(body: bytes, sys_flag: int) -> bytes:
    """The body as it was before its producer compressed it; as it is, where that cannot be undone.

    A message with a broken body is something a test may want to look at.
    """
    if not sys_flag & flags.COMPRESSED:
        return body
    try:
        return decompress(body, sys_flag)
    except BodyUndecodable:
        return body
