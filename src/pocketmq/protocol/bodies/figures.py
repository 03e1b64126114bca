"""What a broker counts, in bulk: bodies of the answers to COLLECT_FIGURES (990001).

A section is a table that is handed out in pages. A page is strict JSON,

    {"next": 2000, "rows": [["orders", "normal", 17, 20400, 0], ...]}

whose rows are one of the tuples below, and whose `next` is how many rows to pass over to read on, 0
at the end. Rows may come or go between two pages, so that one may be seen twice or not at all.

    section      rows                what of
    facts        Fact                the broker: names and texts
    numbers      Number              the broker: names and numbers
    counts       Count               topics, groups or classes, by the name of what is counted
    topics       TopicFigures        each topic
    sizes        SizeFigures         each topic
    deliveries   DeliveryFigures     each group and topic that messages left for
    progress     ProgressFigures     each group and topic with committed offsets
    consumers    ConsumerFigures     each consumer group that has members
    producers    ProducerFigures     producers by language and version
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar, get_type_hints

from pocketmq.errors import MalformedBody


class Fact(NamedTuple):
    """Something about the broker, in words."""

    name: str
    text: str


class Number(NamedTuple):
    """Something about the broker, measured."""

    name: str
    value: float


class Count(NamedTuple):
    """How often something happened, or how much there is of it, for one key."""

    name: str
    key: str
    value: int


class TopicFigures(NamedTuple):
    """What went into a topic since the broker started."""

    topic: str
    message_type: str
    messages_in: int
    bytes_in: int


class SizeFigures(NamedTuple):
    """How large a topic's messages are: how many up to each of SIZE_LIMITS and beyond, and in all.

    Counted since the first question; of a queue, at most the newest few thousand each time.
    """

    topic: str
    message_type: str
    up_to_1k: int
    up_to_4k: int
    up_to_512k: int
    up_to_1m: int
    up_to_2m: int
    up_to_4m: int
    more: int
    bytes: int


class DeliveryFigures(NamedTuple):
    """What left a topic for a group since the broker started."""

    group: str
    topic: str
    messages_out: int
    bytes_out: int


class ProgressFigures(NamedTuple):
    """How far a group is in a topic, all queues together.

    `lag` is not consumed, `in_flight` of it with consumers, `ready` not even fetched. The moments
    tell when the oldest message of `lag` and of `ready` was stored; 0 for none or unknown.
    """

    group: str
    topic: str
    lag: int
    in_flight: int
    ready: int
    lag_since_ms: int
    ready_since_ms: int


class ConsumerFigures(NamedTuple):
    """How many members of a consumer group speak a language at a version."""

    group: str
    language: int
    version: int
    consume_type: str
    members: int


class ProducerFigures(NamedTuple):
    """How many producers speak a language at a version."""

    language: int
    version: int
    members: int


SIZE_LIMITS: Final = (1 << 10, 4 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20)
"""Bytes: the upper ends of the classes of `SizeFigures`, which are Apache's."""

Row = TypeVar("Row", bound=tuple[Any, ...])

_KINDS: Final[dict[type, tuple[type, ...]]] = {str: (str,), int: (int,), float: (int, float)}


def encode_rows(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows as they stand in a page, without the brackets around them."""
    return json.dumps(rows, separators=(",", ":")).encode()[1:-1]


def encode_page(parts: Sequence[bytes], following: int) -> bytes:
    """A page of rows that `encode_rows` has encoded in parts."""
    return b'{"next":%d,"rows":[%b]}' % (following, b",".join([part for part in parts if part]))


def decode_page(kind: type[Row], body: bytes) -> tuple[list[Row], int]:
    """The rows of a page and where to read on. Raise MalformedBody."""
    try:
        page = json.loads(body)
        rows, following = page["rows"], page["next"]
        kinds = [_KINDS[hint] for hint in get_type_hints(kind).values()]
        if type(following) is not int or not isinstance(rows, list):
            raise TypeError("no rows, or no number of the next one")
        for row in rows:
            # A later version may have more columns.
            del row[len(kinds) :]
            for value, allowed in zip(row, kinds, strict=True):
                if type(value) not in allowed:
                    raise TypeError(f"{value!r} is out of place")
        return [kind(*row) for row in rows], following
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedBody(f"a page of {kind.__name__} cannot be read: {error}") from None
