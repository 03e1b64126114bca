"""Pop consumption as pure text: receipt handles, offset infos, check points and acks.

A pop hides messages for a time. What it handed out of one queue is one check point; the client
names it, and the message, by a receipt handle:

    ckOffset popTime invisibleTime reviveQueue retryFlag broker queue [messageOffset [...]]

Check points and acks are messages whose bodies are Apache's JSON; see `services/revive.py`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pocketmq.message import topics as names

NORMAL, RETRY_FIRST, RETRY_SECOND = 0, 1, 2
ORDERED_REVIVE_QUEUE: Final = 999
REVIVE_QUEUES: Final = 8
REVIVE_GROUP: Final = "CID_RMQ_SYS_REVIVE_GROUP"
EARLY_MS: Final = 1000
"""A check point comes back that much before its acks."""

CHECK_POINT_TAG, ACK_TAG, BATCH_ACK_TAG = "ck", "ack", "bAck"

_NUMBER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_LONG_MAX: Final = 2**63 - 1
_BITS_MAX: Final = 4096

Key = tuple[str, str, int, int, int]
"""Topic, group, queue, start offset and pop time: which check point."""


@dataclass(frozen=True, slots=True)
class Handle:
    """What a receipt handle says. `offset` is None in a short one."""

    start_offset: int
    pop_time_ms: int
    invisible_ms: int
    revive_queue: int
    retry_flag: int
    broker: str
    queue_id: int
    offset: int | None = None

    @property
    def due_ms(self) -> int:
        """When the message may be seen again."""
        return self.pop_time_ms + self.invisible_ms

    def encode(self) -> str:
        """The handle as clients keep it."""
        text = (
            f"{self.start_offset} {self.pop_time_ms} {self.invisible_ms} {self.revive_queue} "
            f"{self.retry_flag} {self.broker} {self.queue_id}"
        )
        return text if self.offset is None else f"{text} {self.offset}"


def parse_handle(text: str) -> Handle:
    """Read a handle. Raise ValueError when no broker can have made it."""
    parts = text.split(" ")
    if not 7 <= len(parts) <= 9:
        raise ValueError(f"the handle {text[:80]!r} has {len(parts)} fields, not 7 to 9")
    start, pop, invisible, revive, retry = (_whole(part, text) for part in parts[:5])
    queue = _whole(parts[6], text)
    offset = _whole(parts[7], text) if len(parts) > 7 else None
    if not 0 <= revive < REVIVE_QUEUES and revive != ORDERED_REVIVE_QUEUE:
        raise ValueError(f"the handle {text[:80]!r} names revive queue {revive}")
    if retry not in (NORMAL, RETRY_FIRST, RETRY_SECOND) or not parts[5]:
        raise ValueError(f"the handle {text[:80]!r} is no pop's")
    if pop + invisible > _LONG_MAX:
        raise ValueError(f"the handle {text[:80]!r} names a moment beyond all time")
    return Handle(start, pop, invisible, revive, retry, parts[5], queue, offset)


def _whole(part: str, text: str) -> int:
    if not _NUMBER.fullmatch(part) or not 0 <= int(part) <= _LONG_MAX:
        raise ValueError(f"the handle {text[:80]!r} has {part[:24]!r} for a number")
    return int(part)


def parse_bits(text: str) -> list[int]:
    """The positions of a batch ack's little-endian bit set. Raise ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the bit set {text[:40]!r} is not base64") from error
    number = int.from_bytes(data[: _BITS_MAX // 8], "little")
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]


@dataclass(frozen=True, slots=True)
class CheckPoint:
    """What one pop took from one queue: `differences` are offsets relative to the start."""

    topic: str
    group: str
    queue_id: int
    start_offset: int
    pop_time_ms: int
    invisible_ms: int
    differences: tuple[int, ...]
    broker: str
    bits: int = 0

    @property
    def key(self) -> Key:
        """What its acks name."""
        return (self.topic, self.group, self.queue_id, self.start_offset, self.pop_time_ms)

    @property
    def due_ms(self) -> int:
        """When what is not acknowledged is handed out again."""
        return self.pop_time_ms + self.invisible_ms

    @property
    def unique_key(self) -> str:
        """Apache's name for the record."""
        return (
            f"{self.topic}@{self.queue_id}@{self.start_offset}@{self.group}@{self.pop_time_ms}"
            f"@{self.broker}@{CHECK_POINT_TAG}"
        )

    def open_offsets(self, acknowledged: Iterable[int]) -> list[int]:
        """The offsets still to be handed out again."""
        done = set(acknowledged)
        return [
            self.start_offset + step
            for place, step in enumerate(self.differences)
            if not self.bits >> place & 1 and self.start_offset + step not in done
        ]

    def encode(self) -> bytes:
        """The body of its record."""
        tree = {
            "bm": self.bits,
            "bn": self.broker,
            "c": self.group,
            "d": list(self.differences),
            "it": self.invisible_ms,
            "n": len(self.differences),
            "pt": self.pop_time_ms,
            "q": self.queue_id,
            "ro": 0,
            "so": self.start_offset,
            "t": self.topic,
        }
        return _dump(tree)


def read_check_point(body: bytes | memoryview) -> CheckPoint:
    """Read a check point's body. Raise ValueError."""
    tree = _load(body)
    try:
        count = min(max(int(tree.get("n", 0)), 0), 32)
        steps = tree.get("d") or range(count)
        return CheckPoint(
            str(tree["t"]),
            str(tree["c"]),
            int(tree.get("q", 0)),
            int(tree.get("so", 0)),
            int(tree["pt"]),
            int(tree["it"]),
            tuple(int(step) for step in steps)[:32],
            str(tree.get("bn") or ""),
            int(tree.get("bm") or 0),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no check point: {error}") from None


def encode_ack(key: Key, offset: int, broker: str) -> bytes:
    """The body of an ack's record."""
    topic, group, queue_id, start, pop_time_ms = key
    tree = {
        "ao": offset,
        "bn": broker,
        "c": group,
        "pt": pop_time_ms,
        "q": queue_id,
        "so": start,
        "t": topic,
    }
    return _dump(tree)


def ack_unique_key(key: Key, offset: int, broker: str) -> str:
    """Apache's name for an ack's record."""
    topic, group, queue_id, _, pop_time_ms = key
    return f"{topic}@{queue_id}@{offset}@{group}@{pop_time_ms}@{broker}@{ACK_TAG}"


def read_ack(body: bytes | memoryview) -> tuple[Key, list[int]]:
    """Which check point an ack is for, and the offsets it settles. Raise ValueError."""
    tree = _load(body)
    try:
        key = (
            str(tree["t"]),
            str(tree["c"]),
            int(tree.get("q", 0)),
            int(tree["so"]),
            int(tree["pt"]),
        )
        several = tree.get("aol")
        offsets = [int(offset) for offset in several] if several else [int(tree["ao"])]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no ack: {error}") from None
    return key, offsets


def start_offset_info(retry_flag: int, queue_id: int, start: int) -> str:
    """One part of `startOffsetInfo`."""
    return f"{retry_flag} {queue_id} {start}"


def message_offset_info(retry_flag: int, queue_id: int, offsets: Sequence[int]) -> str:
    """One part of `msgOffsetInfo`."""
    return f"{retry_flag} {queue_id} {','.join(map(str, offsets))}"


def retry_flag_of(topic: str, group: str) -> int:
    """Which kind of topic this is to a group that pops."""
    if topic.startswith(f"{names.RETRY_PREFIX}{group}{names.POP_RETRY_SEPARATOR}"):
        return RETRY_SECOND
    return RETRY_FIRST if topic.startswith(names.RETRY_PREFIX) else NORMAL


def _dump(tree: object) -> bytes:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def _load(body: bytes | memoryview) -> dict[str, Any]:
    tree = json.loads(bytes(body))
    if not isinstance(tree, dict):
        raise ValueError("the body is no JSON object")
    return tree
