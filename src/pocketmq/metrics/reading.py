"""What one broker tells in one scrape, and how a PocketMQ broker is asked: in bulk.

The sections are asked for at once over one connection; the broker works on them one after
the other. A broker that does not know the request is one of Apache's: see apache_reading.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused
from pocketmq.protocol.bodies.figures import (
    ConsumerFigures,
    Count,
    DeliveryFigures,
    Fact,
    Number,
    ProducerFigures,
    ProgressFigures,
    SizeFigures,
    TopicFigures,
    decode_page,
)
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.admin import FiguresRequest

ROWS_MAX: Final = 500_000

Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(slots=True)
class Reading:
    """One broker at one moment. `protocol/bodies/figures.py` tells what the tables hold."""

    facts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    counts: list[Count] = field(default_factory=list)
    topics: list[TopicFigures] = field(default_factory=list)
    sizes: list[SizeFigures] = field(default_factory=list)
    deliveries: list[DeliveryFigures] = field(default_factory=list)
    progress: list[ProgressFigures] = field(default_factory=list)
    consumers: list[ConsumerFigures] = field(default_factory=list)
    producers: list[ProducerFigures] = field(default_factory=list)


async def read_figures(calls: Calls, address: str) -> Reading | None:
    """What a PocketMQ broker tells; None when the broker does not know the question.

    Raise NetError, BrokerRefused, MalformedBody.
    """
    try:
        facts = await _section(calls, address, "facts", Fact)
    except BrokerRefused as error:
        if error.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
            return None
        raise
    rest = asyncio.gather(
        _section(calls, address, "numbers", Number),
        _section(calls, address, "consumers", ConsumerFigures),
        _section(calls, address, "producers", ProducerFigures),
        _section(calls, address, "sizes", SizeFigures),
    )
    counts, topics, deliveries, progress = await asyncio.gather(
        _section(calls, address, "counts", Count),
        _section(calls, address, "topics", TopicFigures),
        _section(calls, address, "deliveries", DeliveryFigures),
        _section(calls, address, "progress", ProgressFigures),
    )
    numbers, consumers, producers, sizes = await rest
    return Reading(
        {fact.name: fact.text for fact in facts},
        {number.name: number.value for number in numbers},
        counts,
        topics,
        sizes,
        deliveries,
        progress,
        consumers,
        producers,
    )


async def _section(calls: Calls, address: str, name: str, kind: type[Row]) -> list[Row]:
    rows: list[Row] = []
    start = 0
    while len(rows) < ROWS_MAX:
        header = FiguresRequest(name, start)
        answer = await calls.ask(address, RequestCode.COLLECT_FIGURES, header)
        page, following = decode_page(kind, bytes(answer.body))
        rows += page
        if following <= start:
            break
        start = following
    return rows
