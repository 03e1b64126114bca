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
from typing import Any, Final, Protocol

from pocketmq.broker.handlers.admin.figure_sources import BrokerFigures
from pocketmq.broker.state.tables import Tables
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.figures import DeliveryFigures, encode_page, encode_rows
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.admin import FiguresRequest

ROWS_PER_PAGE: Final = 500
_ROWS_PER_STEP: Final = 100

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """A table: what it is made of, and the rows of some of that. Both are read without a pause."""

    each: Callable[[], Iterable[Any]]
    rows: Callable[[list[Any]], Rows] = list


class Stepwise(Protocol):
    """A table whose rows take some work each: `keys_per_step` of them in one step."""

    keys_per_step: int

    def keys(self, start: int, count: int) -> list[Any]:
        """What some rows are made of."""
        ...

    async def row(self, key: Any) -> tuple[Any, ...] | None:
        """One row; None for one that is left out."""
        ...


class FiguresHandler:
    """Hands out pages."""

    def __init__(
        self,
        figures: BrokerFigures,
        sections: Mapping[str, Section],
        stepwise: Mapping[str, Stepwise],
    ) -> None:
        self._figures = figures
        self._sections = sections
        self._stepwise = stepwise
        self._turn = asyncio.Lock()

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {RequestCode.COLLECT_FIGURES: self.collect}

    def collect(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """A page of a section. Raise Refused when there is no such section."""
        request = decode_fields(FiguresRequest, command.fields)
        if request.section not in self._sections and request.section not in self._stepwise:
            known = ", ".join(sorted((*self._sections, *self._stepwise)))
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"there is no section {request.section[:40]!r} of figures; ask for one of {known}",
            )
        if request.start < 0:
            raise Refused(ResponseCode.INVALID_PARAMETER, "start counts rows, so it is 0 or more")
        return self._answer(command, request.section, request.start)

    async def _answer(self, command: Command, name: str, start: int) -> Command:
        async with self._turn:
            if name in self._stepwise:
                page = await self._stepwise_page(self._stepwise[name], start)
                return command.reply(body=page)
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

    async def _stepwise_page(self, section: Stepwise, start: int) -> bytes:
        keys = section.keys(start, ROWS_PER_PAGE)
        parts = []
        for at in range(0, len(keys), section.keys_per_step):
            found = [await section.row(key) for key in keys[at : at + section.keys_per_step]]
            parts.append(encode_rows([row for row in found if row is not None]))
            await asyncio.sleep(0)
        return encode_page(parts, _following(start, len(keys)))


def _following(start: int, count: int) -> int:
    return start + count if count == ROWS_PER_PAGE else 0


def sections_of(figures: BrokerFigures, tables: Tables) -> dict[str, Section]:
    """The sections that take no work."""
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
