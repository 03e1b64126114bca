"""What becomes of a timed message when its moment has come.

It goes to REAL_TOPIC and REAL_QID as it came, with two more properties: TIMER_ENQUEUE_MS, when it
entered the timer, and TIMER_DEQUEUE_MS, when it left. TIMER_OUT_MS stays, as it keeps the message
from being delayed again, and so do REAL_TOPIC and REAL_QID. One whose moment is further away than
the wheel reaches is written into the timer's queue again, with TIMER_ROLL_TIMES counted up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pocketmq.message import topics as names
from pocketmq.message.properties import (
    CRC32,
    REAL_QUEUE_ID,
    REAL_TOPIC,
    TIMER_DEL_UNIQKEY,
    TIMER_DEQUEUE_MS,
    TIMER_ENQUEUE_MS,
    TIMER_OUT_MS,
    TIMER_ROLL_TIMES,
    UNIQUE_KEY,
    encode_properties,
)
from pocketmq.message.record import Record

NEVER_ENROLLED_MS: Final = 2**63 - 1
"""TIMER_ENQUEUE_MS of a message that was due when the timer saw it first."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to be stored, but for the moment it left the timer."""

    topic: str
    queue_id: int
    flag: int
    sys_flag: int
    born_timestamp_ms: int
    born_host: bytes
    reconsume_times: int
    body: memoryview
    properties: bytes
    real_topic: str


def delivery_of(record: Record, enrolled_ms: int, *, roll: bool) -> Delivery:
    """Where a message of the timer's queue goes; with `roll`, into that queue again."""
    properties = record.properties
    real_topic = properties.get(REAL_TOPIC, "")
    for name in (CRC32, TIMER_DEQUEUE_MS, TIMER_ENQUEUE_MS):
        properties.pop(name, None)
    properties[TIMER_ENQUEUE_MS] = str(enrolled_ms)
    if roll:
        properties[TIMER_ROLL_TIMES] = str(_count(properties.get(TIMER_ROLL_TIMES, "")) + 1)
    return Delivery(
        names.TIMER_TOPIC if roll else real_topic,
        0 if roll else _count(properties.get(REAL_QUEUE_ID, "")),
        record.flag,
        record.sys_flag,
        record.born_timestamp_ms,
        record.born_host,
        record.reconsume_times,
        record.body,
        encode_properties(properties).encode("utf-8", "surrogatepass"),
        real_topic,
    )


def stamped(properties: bytes, now_ms: int) -> bytes:
    """Properties with the moment of leaving the timer."""
    return b"%b%b\x01%d\x02" % (properties, _DEQUEUE, now_ms)


def is_recall(record: Record) -> bool:
    """Whether a message is an order to recall another; that is never delivered."""
    return TIMER_DEL_UNIQKEY in record.properties


def target_of(properties: Mapping[str, str], *, roll: bool) -> tuple[str, str]:
    """Under which topic and key the delivered message is found in the index."""
    topic = names.TIMER_TOPIC if roll else properties.get(REAL_TOPIC, "")
    return topic, properties.get(UNIQUE_KEY, "")


def is_same_delivery(original: Mapping[str, str], found: Mapping[str, str], *, roll: bool) -> bool:
    """Whether a message found under the same key is `original` after its delivery."""
    if TIMER_DEQUEUE_MS not in found:
        return False
    if any(original.get(name) != found.get(name) for name in (UNIQUE_KEY, TIMER_OUT_MS)):
        return False
    times = _count(original.get(TIMER_ROLL_TIMES, "")) + roll
    return _count(found.get(TIMER_ROLL_TIMES, "")) == times


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


_DEQUEUE: Final = TIMER_DEQUEUE_MS.encode()
