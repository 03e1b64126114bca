"""What this broker counts, in bulk, for whoever measures it: COLLECT_FIGURES (990001).

A thousand topics and as many groups are thousands of figures. They are put together in steps of a
fraction of a millisecond, one step in a turn of the event loop however many ask at once, so that
sends go on in between. `protocol/bodies/figures.py` tells what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from pocketmq.broker.handlers.admin.figure_sources import BrokerFigures
from pocketmq.broker.handlers.admin.progress_figures import ProgressSource
from pocketmq.broker.state.tables import Tables
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.figures import DeliveryFigures, encode_page, encode_rows
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.admin import FiguresRequest

PROGRESS: Final = "progress"
ROWS_PER_PAGE: Final = 500
_ROWS_PER_STEP: Final = 100
_PAIRS_PER_STEP: Final = 16

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """A table: what it is made of, and the rows of some of that. Both are read without a pause."""

    each: Callable[[], Iterable[Any]]
    rows: Callable[[list[Any]], Rows] = list


class FiguresHandler:
    """Hands out pages."""

    def __init__(
        self, sections: Mapping[str, Section], figures: BrokerFigures, progress: ProgressSource
    ) -> None:
        self._sections = sections
        self._figures = figures
        self._progress = progress
        self._turn = asyncio.Lock()

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {RequestCode.COLLECT_FIGURES: self.collect}

    def collect(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """A page of a section. Raise Refused when there is no such section."""
        request = decode_fields(FiguresRequest, command.fields)
        if request.section != PROGRESS and request.section not in self._sections:
            known = ", ".join(sorted((*self._sections, PROGRESS)))
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"there is no section {request.section[:40]!r} of figures; ask for one of {known}",
            )
        if request.start < 0:
            raise Refused(ResponseCode.INVALID_PARAMETER, "start counts rows, so it is 0 or more")
        return self._answer(command, request.section, request.start)

    async def _answer(self, command: Command, name: str, start: int) -> Command:
        async with self._turn:
            if name == PROGRESS:
                return command.reply(body=await self._progress_page(start))
            if name == "numbers":
                await self._figures.prepare()
            section = self._sections[name]
            found = list(islice(section.each(), start, start + ROWS_PER_PAGE))
            rows = section.rows(found)
            parts = []
            for at in range(0, len(rows), _ROWS_PER_STEP):
                parts.append(encode_rows(rows[at : at + _ROWS_PER_STEP]))
                await asyncio.sleep(0)
        return command.reply(body=encode_page(parts, _following(start, len(found))))

    async def _progress_page(self, start: int) -> bytes:
        source = self._progress
        pairs = source.pairs(start, ROWS_PER_PAGE)
        parts = []
        for at in range(0, len(pairs), _PAIRS_PER_STEP):
            found = []
            for group, topic in pairs[at : at + _PAIRS_PER_STEP]:
                row = await source.row(group, topic)
                if row is not None:
                    found.append(row)
            parts.append(encode_rows(found))
            await asyncio.sleep(0)
        return encode_page(parts, _following(start, len(pairs)))


def _following(start: int, count: int) -> int:
    return start + count if count == ROWS_PER_PAGE else 0


def sections_of(figures: BrokerFigures, tables: Tables) -> dict[str, Section]:
    """All sections but `progress`."""
    return {
        "facts": Section(figures.facts),
        "numbers": Section(figures.numbers),
        "counts": Section(figures.counts),
        "topics": Section(tables.topics.each, lambda found: list(map(figures.topic, found))),
        "deliveries": Section(
            tables.statistics.got_each,
            lambda found: [
                DeliveryFigures(pair[0], pair[1], counter.messages, counter.bytes)
                for pair, counter in found
            ],
        ),
        "consumers": Section(
            lambda: tables.clients.consumer_groups,
            lambda found: list(chain.from_iterable(map(figures.consumers, found))),
        ),
        "producers": Section(figures.producers),
    }
