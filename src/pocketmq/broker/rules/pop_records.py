"""What the broker writes down of pops, in Apache's form: messages of the revive topic.

A check point lists what one pop took from one queue; an ack, or a batch of them, names the check
point and what is done with. Their bodies are JSON:

    ck     so start offset, d differences, n how many, bm bits of those settled, pt pop time, it
           invisible time, t topic, q queue, c group, bn broker, ro revive offset, rp how often
           putting a message again has failed
    ack    ao offset, so pt t q c bn as above
    bAck   the same with aol, a list of offsets, and ao -1

The timer keeps them until they matter: a check point until a second before its messages are to be
seen again, acks until that moment, so that a check point always comes back before its acks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pocketmq.broker.rules.placement import timer_tick
from pocketmq.message.properties import (
    REAL_QUEUE_ID,
    REAL_TOPIC,
    TAGS,
    TIMER_DELIVER_MS,
    TIMER_OUT_MS,
    UNIQUE_KEY,
)

REVIVE_GROUP: Final = "CID_RMQ_SYS_REVIVE_GROUP"
CHECK_POINT_TAG, ACK_TAG, BATCH_ACK_TAG = "ck", "ack", "bAck"
EARLY_MS: Final = 1000
"""A check point comes back that much before its acks."""
COUNT_MAX: Final = 32
"""Most messages of one check point: so many bits it has."""

NO_GAPS: Final = tuple(tuple(range(count)) for count in range(COUNT_MAX + 1))
"""The differences of so many messages that lie side by side."""
_ALL_BITS: Final = 0xFFFFFFFF  # a signed number in the record

FAILURE_DELAYS_SECONDS: Final = (
    10, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200
)  # fmt: skip
"""How much later a message that could not be put again is tried next."""

Key = tuple[str, str, int, int, int]
"""Topic, group, queue, start offset and pop time: which check point."""


class CheckPoint(NamedTuple):
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
    failures: int = 0

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

    def bits_of(self, offsets: Sequence[int]) -> int:
        """The bits of acknowledged offsets; those it never took have none."""
        bits = 0
        for offset in offsets:
            step = offset - self.start_offset
            if step in self.differences:
                bits |= 1 << self.differences.index(step)
        return bits

    @property
    def open_offsets(self) -> list[int]:
        """The offsets that are not settled."""
        return [
            self.start_offset + step
            for place, step in enumerate(self.differences)
            if not self.bits >> place & 1
        ]

    def failed(self, offset: int, now_ms: int) -> CheckPoint:
        """The check point of one message that could not be put again: it is tried later."""
        later = self._replace(
            start_offset=offset, differences=(0,), bits=0, failures=self.failures + 1
        )
        if self.due_ms > now_ms:
            return later
        wait = FAILURE_DELAYS_SECONDS[min(self.failures, len(FAILURE_DELAYS_SECONDS) - 1)]
        return later._replace(invisible_ms=self.invisible_ms + wait * 1000)

    def encode(self) -> bytes:
        """The body of its record."""
        bits = self.bits - (self.bits >> 31 << 32)
        failures = f'"rp":"{self.failures}",' if self.failures else ""
        return (
            f'{{"bm":{bits},"bn":{_quoted(self.broker)},"c":{_quoted(self.group)},'
            f'"d":[{_steps(self.differences)}],"it":{self.invisible_ms},'
            f'"n":{len(self.differences)},"pt":{self.pop_time_ms},"q":{self.queue_id},"ro":0,'
            f'{failures}"so":{self.start_offset},"t":{_quoted(self.topic)}}}'
        ).encode("utf-8", "surrogatepass")


def read_check_point(body: bytes | memoryview) -> CheckPoint:
    """Read a check point's body. Raise ValueError."""
    tree = _load(body)
    try:
        count = min(max(int(tree.get("n", 0)), 0), COUNT_MAX)
        steps = tree.get("d") or range(count)
        return CheckPoint(
            str(tree["t"]),
            str(tree["c"]),
            int(tree.get("q", 0)),
            int(tree.get("so", 0)),
            int(tree["pt"]),
            int(tree["it"]),
            tuple(int(step) for step in steps)[:COUNT_MAX],
            str(tree.get("bn") or ""),
            int(tree.get("bm") or 0) & _ALL_BITS,
            max(int(tree.get("rp") or 0), 0),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no check point: {error}") from None


def encode_acks(key: Key, offsets: Sequence[int], broker: str) -> bytes:
    """The body of the record of one ack, or of several of one check point."""
    topic, group, queue_id, start, pop_time_ms = key
    single = len(offsets) == 1
    which = f'"ao":{offsets[0]}' if single else f'"ao":-1,"aol":[{_listed(offsets)}]'
    return (
        f'{{{which},"bn":{_quoted(broker)},"c":{_quoted(group)},"pt":{pop_time_ms},'
        f'"q":{queue_id},"so":{start},"t":{_quoted(topic)}}}'
    ).encode("utf-8", "surrogatepass")


def ack_unique_key(key: Key, offsets: Sequence[int], broker: str) -> str:
    """The name of the record, for a batch that of its first ack.

    Apache names all batches of one check point alike. The timer takes records of one name and
    moment for copies of each other after a crash, so here they differ.
    """
    topic, group, queue_id, _, pop_time_ms = key
    return f"{topic}@{queue_id}@{offsets[0]}@{group}@{pop_time_ms}@{broker}@{ACK_TAG}"


def read_acks(body: bytes | memoryview) -> tuple[Key, list[int]]:
    """Which check point a record of acks is for, and the offsets. Raise ValueError."""
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


def timed_properties(
    tag: str, unique_key: str, deliver_ms: int, topic: str, queue_id: int, precision_ms: int
) -> bytes:
    """The properties of a record that the timer is to keep until `deliver_ms`.

    The same as `rules/placement.py` would make of it; written out as many are made.
    """
    return (
        f"{TAGS}\x01{tag}\x02{UNIQUE_KEY}\x01{unique_key}\x02{TIMER_DELIVER_MS}\x01{deliver_ms}\x02"
        f"{TIMER_OUT_MS}\x01{timer_tick(deliver_ms, precision_ms)}\x02{REAL_TOPIC}\x01{topic}\x02"
        f"{REAL_QUEUE_ID}\x01{queue_id}\x02"
    ).encode("utf-8", "surrogatepass")


def due_properties(tag: str, unique_key: str, deliver_ms: int) -> bytes:
    """The properties of a record that is due already: it goes to the revive topic at once."""
    return (
        f"{TAGS}\x01{tag}\x02{UNIQUE_KEY}\x01{unique_key}\x02{TIMER_DELIVER_MS}\x01{deliver_ms}\x02"
    ).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    """A name as JSON has it. The same ones come again and again."""
    return json.dumps(name, ensure_ascii=False)


@lru_cache(maxsize=1024)
def _steps(differences: tuple[int, ...]) -> str:
    """Nearly always those of `NO_GAPS`."""
    return _listed(differences)


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _load(body: bytes | memoryview) -> dict[str, Any]:
    tree = json.loads(bytes(body))
    if not isinstance(tree, dict):
        raise ValueError("the body is no JSON object")
    return tree
