"""How far groups are, for the section `progress` of the figures.

When the oldest message that waits was stored is known only from the message itself, which may lie
on the disk alone. What was found is remembered, as many groups stand at the same place and a group
that is stuck stays there, and a page has only so many messages read from the disk for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import NotInMemory
from pocketmq.protocol.bodies.figures import ProgressFigures
from pocketmq.store import MessageStore, all_of

REMEMBERED_MAX: Final = 50_000
COLD_ROWS_MAX: Final = 100

Place = tuple[str, int, int]
"""Topic, queue id, queue offset."""


class _Extent(NamedTuple):
    """What waits for a group, and where in each queue the first of that is."""

    lag: int
    ready: int
    consumed: list[Place]
    fetched: list[Place]


class ProgressSource:
    """Puts rows together. `popped` counts the messages of a queue that a group has popped."""

    def __init__(
        self,
        topics: TopicTable,
        offsets: OffsetTable,
        clients: ClientTable,
        store: MessageStore,
        cold_reads: ColdReadService,
        popped: Callable[[str, str, int], int],
    ) -> None:
        self._topics = topics
        self._offsets = offsets
        self._clients = clients
        self._store = store
        self._cold_reads = cold_reads
        self._popped = popped
        self._moments: dict[Place, int] = {}
        self._cold_rows = 0
        topics.on_change(self._forget)

    def pairs(self, start: int, count: int) -> list[tuple[str, str]]:
        """Some groups and topics; begins a page."""
        self._cold_rows = 0
        return list(islice(self._offsets.pairs(), start, start + count))

    async def row(self, group: str, topic: str) -> ProgressFigures | None:
        """How far a group is, or None when that means nothing any more.

        As for Apache's tools, a topic counts while the group's members, if there are any, want it.
        """
        extent = self._extent(group, topic)
        if extent is None:
            return None
        lag, ready, consumed, fetched = extent
        moments: tuple[int, int] = (0, 0)
        look = partial(self._moments_of, consumed, fetched)
        try:
            moments = look()
        except NotInMemory:
            self._cold_rows += 1
            if self._cold_rows <= COLD_ROWS_MAX:
                moments = await self._cold_reads.look_up(look)
        return ProgressFigures(group, topic, lag, lag - ready, ready, *moments)

    def _extent(self, group: str, topic: str) -> _Extent | None:
        if self._topics.find(topic) is None:
            return None
        members = self._clients.consumer_group(group)
        if members is not None and members.subscriptions and topic not in members.subscriptions:
            return None
        extent, pulled = self._store.queue_offsets, self._offsets.pulled_of(group, topic)
        lag = ready = 0
        consumed: list[Place] = []
        fetched: list[Place] = []
        for queue_id, committed in self._offsets.of(group, topic).items():
            first, end = extent(topic, queue_id)
            done = max(committed - self._popped(topic, group, queue_id), 0)
            if done >= end:
                continue
            lag += end - done
            consumed.append((topic, queue_id, max(done, first)))
            seen = max(pulled.get(queue_id, 0), committed)
            if seen < end:
                ready += end - seen
                fetched.append((topic, queue_id, max(seen, first)))
        return _Extent(lag, ready, consumed, fetched)

    def _moments_of(self, consumed: list[Place], fetched: list[Place]) -> tuple[int, int]:
        """When the oldest of each was stored, 0 when none is known. Raise NotInMemory."""
        known = self._moments
        unknown = {place for place in (*consumed, *fetched) if place not in known}
        if len(known) + len(unknown) > REMEMBERED_MAX:
            known.clear()
            unknown.update(consumed, fetched)
        if unknown:
            look = self._store.in_memory.store_time_of
            places = list(unknown)
            times = all_of(partial(look, *place) for place in places)
            known.update(zip(places, times, strict=True))
        return (
            min((known[place] for place in consumed if known[place] > 0), default=0),
            min((known[place] for place in fetched if known[place] > 0), default=0),
        )

    def _forget(self, names: Iterable[str]) -> None:
        """A topic that was made anew begins at the same offsets again."""
        self._moments.clear()
