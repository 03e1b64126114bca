"""Going round: figures of topics and groups, a few at each step, so that brokers hardly notice.

With a thousand topics and five hundred groups one step asks for some of them; after a while all are
known, and from then on each is as old as one round takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pocketmq.admin import Broker
from pocketmq.admin.clients import Clients
from pocketmq.admin.rates import GroupRate, Rates, TopicRate
from pocketmq.errors import BrokerRefused, NetError

T = TypeVar("T")

FIRST_ROUND_STEP = 100
LATER_STEP = 20


@dataclass(frozen=True, slots=True)
class GroupNow:
    """A group's figures and who is in it."""

    rate: GroupRate
    client_ids: tuple[str, ...]


class Round(Generic[T]):
    """Asks about names in turn, and keeps what was last heard about each."""

    def __init__(self, ask: Callable[[str], Awaitable[T]]) -> None:
        self._ask = ask
        self._names: list[str] = []
        self._at = 0
        self.known: dict[str, T] = {}
        self.complete = False
        """Whether every name has been asked about."""

    async def step(self, names: Iterable[str]) -> None:
        """Ask about the next few of these names."""
        wanted = list(names)
        for gone in self.known.keys() - set(wanted):
            del self.known[gone]
        if self._at >= len(self._names):
            self._names, self._at = wanted, 0
        count = self._step_count
        now = self._names[self._at : self._at + count]
        self._at += count
        current = set(wanted)
        await asyncio.gather(*(self._one(name) for name in now if name in current))
        if self._at >= len(self._names):
            self.complete = True

    def is_long(self, names: Sequence[str]) -> bool:
        """Whether a step asks about some of these only, so that one less changes little."""
        return len(names) > self._step_count

    @property
    def _step_count(self) -> int:
        return LATER_STEP if self.complete else FIRST_ROUND_STEP

    async def _one(self, name: str) -> None:
        try:
            self.known[name] = await self._ask(name)
        except (NetError, BrokerRefused):
            self.known.pop(name, None)  # the next round asks again


class Rounds:
    """The round of topics and that of groups."""

    def __init__(
        self,
        rates: Rates,
        clients: Clients,
        masters: Callable[[], Awaitable[list[Broker]]],
    ) -> None:
        async def topic(name: str) -> TopicRate:
            return await rates.topic(name, await masters())

        async def group(name: str) -> GroupNow:
            brokers = await masters()
            rate, found = await asyncio.gather(
                rates.group(name, brokers), clients.connections(name, brokers)
            )
            return GroupNow(rate, tuple(one.client_id for one in found.members))

        self.topics = Round(topic)
        self.groups = Round(group)
