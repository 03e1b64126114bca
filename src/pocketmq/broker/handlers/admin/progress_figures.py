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


CountPopped = Callable[[int], int]


class _Extent(NamedTuple):
    """What waits for a group, and where in each queue the first of that is."""

    lag: int
    ready: int
    consumed: list[Place]
    fetched: list[Place]


class ProgressSource:
    """Puts rows together. `popped` tells how to count what a group has popped from a topic's queues
    and not settled, None when there is nothing."""

    keys_per_step = 8

    def __init__(
        self,
        topics: TopicTable,
        offsets: OffsetTable,
        clients: ClientTable,
        store: MessageStore,
        cold_reads: ColdReadService,
        popped: Callable[[str, str], CountPopped | None],
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

    def keys(self, start: int, count: int) -> list[tuple[str, str]]:
        """Some groups and topics; begins a page."""
        self._cold_rows = 0
        return list(islice(self._offsets.pairs(), start, start + count))

    async def row(self, pair: tuple[str, str]) -> ProgressFigures | None:
        """How far a group is, or None when that means nothing any more.

        As for Apache's tools, a topic counts while the group's members, if there are any, want it.
        """
        group, topic = pair
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
        ends = self._store.queue_ends(topic)
        pulled, popped = self._offsets.pulled_of(group, topic), self._popped(topic, group)
        lag = ready = 0
        consumed: list[Place] = []
        fetched: list[Place] = []
        for queue_id, committed in self._offsets.of(group, topic).items():
            end = ends[queue_id] if queue_id < len(ends) else 0
            done = committed - popped(queue_id) if popped is not None else committed
            if done >= end:
                continue
            done = max(done, 0)
            lag += end - done
            consumed.append((topic, queue_id, done))
            seen = max(pulled.get(queue_id, 0), committed, 0)
            if seen < end:
                ready += end - seen
                fetched.append((topic, queue_id, seen))
        return _Extent(lag, ready, consumed, fetched)

    def _moments_of(self, consumed: list[Place], fetched: list[Place]) -> tuple[int, int]:
        """When the oldest of each was stored, 0 when none is known. Raise NotInMemory."""
        known = self._moments
        unknown = {place for place in (*consumed, *fetched) if place not in known}
        if len(known) + len(unknown) > REMEMBERED_MAX:
            known.clear()
            unknown.update(consumed, fetched)
        if unknown:
            places = list(unknown)
            times = all_of(partial(self._stored_ms, *place) for place in places)
            known.update(zip(places, times, strict=True))
        return (
            min((known[place] for place in consumed if known[place] > 0), default=0),
            min((known[place] for place in fetched if known[place] > 0), default=0),
        )

    def _stored_ms(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """When a message was stored, or else the first that is kept. Raise NotInMemory."""
        stored_ms = self._store.in_memory.store_time_of(topic, queue_id, queue_offset)
        if stored_ms < 0:
            first, end = self._store.queue_offsets(topic, queue_id)
            if queue_offset < first < end:
                return self._store.in_memory.store_time_of(topic, queue_id, first)
        return stored_ms

    def _forget(self, names: Iterable[str]) -> None:
        """A topic that was made anew begins at the same offsets again."""
        self._moments.clear()
