"""The life of a message as its broker knows it, in the words of a message trace.

Clients trace what they do; `RMQ_SYS_TRACE_TOPIC` keeps it. A broker adds two kinds of points, which
it does not store but computes for whoever asks:

    Pub                     the message lies here: group `store@broker`
    SubBefore, SubAfter     a group has gone past it in its queue: group `group@broker`

Fields are separated by 0x01, and each point ends with 0x02, as Apache's tools expect it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pocketmq.message.flags import (
    BORN_HOST_V6,
    STORE_HOST_V6,
    TRANSACTION_COMMIT,
    transaction_kind,
)
from pocketmq.message.ids import new_unique_key, offset_message_id, unpack_host
from pocketmq.message.properties import (
    DELAY,
    KEYS,
    MSG_REGION,
    SHARDING_KEY,
    TAGS,
    TIMER_OUT_MS,
    UNIQUE_KEY,
    encode_properties,
)
from pocketmq.message.record import (
    BLANK_BYTES_MIN,
    Record,
    decode_record,
    magic_of_topic,
    record_size,
    write_record,
)
from pocketmq.message.topics import HALF_TOPIC

FIELD: Final = "\x01"
END: Final = "\x02"
_NORMAL, _HALF, _COMMITTED, _DELAYED, _ORDERED = range(5)
_TOPICS_MAX: Final = 64
_V4_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Passed:
    """A group has gone past a message; when that was first seen."""

    group: str
    seen_ms: int


def stored_point(record: Record, properties: Mapping[str, str], broker: str) -> str:
    """The message lies in this broker's log."""
    host, port = unpack_host(record.store_host)
    return _point(
        "Pub",
        record.store_timestamp_ms,
        properties.get(MSG_REGION, ""),
        f"store@{broker}",
        record.topic,
        properties.get(UNIQUE_KEY, ""),
        properties.get(TAGS, ""),
        properties.get(KEYS, ""),
        f"{host}:{port}",
        len(record.body),
        max(record.store_timestamp_ms - record.born_timestamp_ms, 0),
        _kind(record, properties),
        offset_message_id(record.store_host, record.log_offset),
        "true",
    )


def passed_points(
    record: Record, properties: Mapping[str, str], passed: Passed, broker: str
) -> str:
    """A group has gone past the message: two points, which tools join by the request's id."""
    key, keys = properties.get(UNIQUE_KEY, ""), properties.get(KEYS, "")
    request = f"{record.topic}-{record.queue_id}-{record.queue_offset}-{passed.group}"
    group = f"{passed.group}@{broker}"
    before = _point(
        "SubBefore",
        passed.seen_ms,
        properties.get(MSG_REGION, ""),
        group,
        request,
        key,
        record.reconsume_times,
        keys,
    )
    return before + _point("SubAfter", request, key, 0, "true", keys, 0, passed.seen_ms, group)


def topics_in(traced: bytes) -> list[str]:
    """The topics that stored trace messages name, lying one behind the other."""
    found: dict[str, None] = {}
    at = 0
    while at < len(traced):
        record = decode_record(traced, at, verify_crc=False)
        at += record.size
        for point in str(record.body, "utf-8", "replace").split(END):
            fields = point.split(FIELD)
            if fields[0] in ("Pub", "EndTransaction", "Recall") and len(fields) > 5:
                found[fields[4]] = None
    return list(found)[:_TOPICS_MAX]


def trace_message(topic: str, key: str, points: str, now_ms: int, store_host: bytes) -> bytes:
    """A message of the trace topic that is stored nowhere: its record, for an answer."""
    body, name = points.encode("utf-8", "surrogatepass"), topic.encode()
    properties = {KEYS: key, UNIQUE_KEY: new_unique_key(now_ms)}
    raw = encode_properties(properties).encode("utf-8", "surrogatepass")
    magic, hosts = magic_of_topic(topic), 2 * len(store_host)
    size = record_size(magic, hosts, len(body), len(name), len(raw)) + BLANK_BYTES_MIN
    target = bytearray(size)
    flag = BORN_HOST_V6 | STORE_HOST_V6 if len(store_host) > _V4_BYTES else 0
    written = write_record(
        target, 0, size, 0, 0, now_ms, magic, 0, 0, flag, now_ms, store_host, store_host, 0, 0,
        body, zlib.crc32(body) & 0x7FFFFFFF, name, raw,
    )  # fmt: skip
    return bytes(target[:written])


def is_about(properties: Mapping[str, str], key: str) -> bool:
    """Whether a message has this id or key, and not only one with the same hash."""
    return properties.get(UNIQUE_KEY) == key or key in properties.get(KEYS, "").split(" ")


def _kind(record: Record, properties: Mapping[str, str]) -> int:
    if record.topic == HALF_TOPIC:
        return _HALF
    if transaction_kind(record.sys_flag) == TRANSACTION_COMMIT:
        return _COMMITTED
    if DELAY in properties or TIMER_OUT_MS in properties:
        return _DELAYED
    return _ORDERED if SHARDING_KEY in properties else _NORMAL


def _point(*fields: object) -> str:
    return FIELD.join(str(field) for field in fields) + END
