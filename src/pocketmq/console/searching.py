"""Messages of a time or a place, page by page.

A page is made of the newest (or oldest) messages of all queues together. The cursor says for each
queue what is left: offsets from `low` up to `high`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pocketmq.admin.reading import Place, Reader
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.console.problems import bad_request

QUEUES_MAX = 2000
_AT_ONCE = 16
_PULL_MAX = 32
_CURSOR_CHARS_MAX = 64 * 1024


@dataclass(slots=True)
class Stretch:
    """What is left of a queue: offsets from `low` up to `high`."""

    place: Place
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page, and how to go on."""

    messages: list[ReceivedMessage]
    next: str | None


async def by_time(
    reader: Reader,
    topic: str,
    from_ms: int,
    to_ms: int | None,
    *,
    queue: tuple[str, int] | None = None,
    cursor: str | None = None,
    limit: int,
    newest: bool,
) -> Found:
    """The next messages stored in a time, in order of that time. Raise NoRoute, Problem (400)."""
    places = await reader.places(topic)
    if queue is not None:
        places = [one for one in places if (one.queue.broker_name, one.queue.queue_id) == queue]
    if len(places) > QUEUES_MAX:
        raise bad_request(f"{topic} has {len(places)} queues; look at one with queue=", "queue")
    if cursor is not None:
        stretches = _read_cursor(cursor, places)
    else:
        bounds = asyncio.Semaphore(_AT_ONCE)

        async def stretch(place: Place) -> Stretch:
            async with bounds:
                low = await reader.first_offset(place, from_ms)
                high = await reader.first_offset(place, None)
                if to_ms is not None:
                    high = min(high, await reader.first_offset(place, to_ms + 1))
                return Stretch(place, max(low, 0), high)

        stretches = list(await asyncio.gather(*(stretch(place) for place in places)))
    return await _page(reader, stretches, limit, newest=newest)


async def page_of_stretches(
    reader: Reader,
    known: Sequence[tuple[Place, int, int]],
    *,
    cursor: str | None,
    limit: int,
    newest: bool,
) -> Found:
    """The next messages of stretches that are known: places, first offsets and ends."""
    if cursor is not None:
        stretches = _read_cursor(cursor, [place for place, _, _ in known])
    else:
        stretches = [Stretch(place, first, end) for place, first, end in known]
    return await _page(reader, stretches, limit, newest=newest)


async def _page(reader: Reader, stretches: list[Stretch], limit: int, *, newest: bool) -> Found:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def read(stretch: Stretch) -> list[ReceivedMessage]:
        async with turns:
            return await _end_of(reader, stretch, limit, newest=newest)

    left = [stretch for stretch in stretches if stretch.low < stretch.high]
    answers = await asyncio.gather(*(read(stretch) for stretch in left))
    everything = [
        (message, stretch)
        for found, stretch in zip(answers, left, strict=True)
        for message in found
    ]
    everything.sort(key=lambda one: _when(one[0]), reverse=newest)
    chosen = everything[:limit]
    for message, stretch in chosen:
        if newest:
            stretch.high = min(stretch.high, message.queue_offset)
        else:
            stretch.low = max(stretch.low, message.queue_offset + 1)
    left = [stretch for stretch in left if stretch.low < stretch.high]
    more = len(everything) > len(chosen) or len(chosen) == limit
    return Found([message for message, _ in chosen], _cursor(left) if left and more else None)


async def _end_of(
    reader: Reader, stretch: Stretch, limit: int, *, newest: bool
) -> list[ReceivedMessage]:
    """Up to `limit` messages from the end of a stretch that is shown first."""
    at = max(stretch.low, stretch.high - limit) if newest else stretch.low
    found: list[ReceivedMessage] = []
    while at < stretch.high and len(found) < limit:
        page = await reader.page(stretch.place, at, messages_max=min(limit, _PULL_MAX))
        found += [one for one in page.messages if at <= one.queue_offset < stretch.high]
        if page.next_offset <= at:
            break
        at = page.next_offset
    return found


def _when(message: ReceivedMessage) -> tuple[int, str, int, int]:
    return (
        message.store_timestamp_ms,
        message.broker_name,
        message.queue_id,
        message.queue_offset,
    )


def _cursor(stretches: Sequence[Stretch]) -> str:
    rows = [
        [one.place.queue.broker_name, one.place.queue.queue_id, one.low, one.high]
        for one in stretches
    ]
    text = json.dumps(rows, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(text)).decode().rstrip("=")


def _read_cursor(cursor: str, places: Sequence[Place]) -> list[Stretch]:
    known = {(one.queue.broker_name, one.queue.queue_id): one for one in places}
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        text = zlib.decompressobj().decompress(packed, QUEUES_MAX * 200)
        rows = [(str(b), int(q), int(low), int(high)) for b, q, low, high in json.loads(text)]
    except (ValueError, TypeError, zlib.error, RecursionError):
        raise bad_request(
            "the cursor is not one of ours; begin anew without it", "cursor"
        ) from None
    return [
        Stretch(known[broker, queue_id], max(low, 0), high)
        for broker, queue_id, low, high in rows
        if (broker, queue_id) in known
    ]


def read_queue(text: str) -> tuple[str, int]:
    """`broker:3` as broker and queue. Raise Problem (400)."""
    broker, colon, number = text.rpartition(":")
    if not colon or not (number.isascii() and number.isdigit() and len(number) < 10):
        raise bad_request("write the queue as broker:number", "queue")
    return broker, int(number)


def queue_of(topic: str, text: str) -> MessageQueue:
    """The same as a queue of a topic."""
    return MessageQueue(topic, *read_queue(text))
