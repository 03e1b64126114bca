"""Pop consumption as pure text: receipt handles and offset infos.

A pop hides messages for a time. What it handed out of one queue is one check point; the client
names it, and the message, by a receipt handle:

    ckOffset popTime invisibleTime reviveQueue retryFlag broker queue [messageOffset [...]]

Check points and acks are messages whose bodies are Apache's JSON; see `rules/pop_records.py`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, NamedTuple

from pocketmq.message import topics as names

NORMAL, RETRY_FIRST, RETRY_SECOND = 0, 1, 2
ORDERED_REVIVE_QUEUE: Final = 999

_LONG_MAX: Final = 2**63 - 1
_BITS_MAX: Final = 4096


class Handle(NamedTuple):
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


def parse_handle(text: str, revive_queues: int = 8) -> Handle:
    """Read a handle. Raise ValueError when no broker with so many queues can have made it."""
    parts = text.split(" ")
    if not 7 <= len(parts) <= 9:
        raise ValueError(f"the handle {text[:80]!r} has {len(parts)} fields, not 7 to 9")
    start, pop, invisible, revive, retry = (_whole(part, text) for part in parts[:5])
    queue = _whole(parts[6], text)
    offset = _whole(parts[7], text) if len(parts) > 7 else None
    if not 0 <= revive < revive_queues and revive != ORDERED_REVIVE_QUEUE:
        raise ValueError(f"the handle {text[:80]!r} names revive queue {revive}")
    if retry not in (NORMAL, RETRY_FIRST, RETRY_SECOND) or not parts[5]:
        raise ValueError(f"the handle {text[:80]!r} is no pop's")
    if pop + invisible > _LONG_MAX:
        raise ValueError(f"the handle {text[:80]!r} names a moment beyond all time")
    return Handle(start, pop, invisible, revive, retry, parts[5], queue, offset)


def _whole(part: str, text: str) -> int:
    number = int(part) if part.isdigit() and part.isascii() and len(part) < 20 else _LONG_MAX + 1
    if number > _LONG_MAX:
        raise ValueError(f"the handle {text[:80]!r} has {part[:24]!r} for a number")
    return number


def parse_bits(text: str) -> list[int]:
    """The positions of a batch ack's little-endian bit set. Raise ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the bit set {text[:40]!r} is not base64") from error
    number = int.from_bytes(data[: _BITS_MAX // 8], "little")
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]


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
