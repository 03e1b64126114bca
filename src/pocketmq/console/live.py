"""Live figures: one poller for all who look, and none when nobody does.

Somebody looks while a stream is open, and for a little while after the overview was asked for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from pocketmq.admin import Admin, Broker
from pocketmq.admin.clients import Client, Clients, Connections
from pocketmq.admin.dead_letters import DeadLetterQueue
from pocketmq.admin.rates import Rates
from pocketmq.clock import Clock
from pocketmq.console.aged import Aged
from pocketmq.console.overview import (
    BrokerNow,
    History,
    Overview,
    Point,
    TopGroup,
    TopTopic,
    Totals,
    total,
    whole_total,
)
from pocketmq.console.picture import Picture
from pocketmq.console.problems import Problem
from pocketmq.console.rounds import Rounds
from pocketmq.console.shapes import plain
from pocketmq.errors import BrokerRefused, NetError, PocketMQError
from pocketmq.protocol.bodies.running import ConsumerRunning

_log = logging.getLogger(__name__)

POINTS_MAX = 450
TOP = 10
_WAITING_MAX = 32
_ALIVE_SECONDS = 15.0
_STAY_SECONDS = 12.0
_NAMES_SECONDS = 10.0
_CLIENTS_SECONDS = 10.0
_WAITING_SECONDS = 30.0
_ASKED_MAX = 16


class Live:
    """Looks at the cluster while somebody looks at it."""

    def __init__(
        self,
        admin: Admin,
        picture: Picture,
        clock: Clock,
        *,
        interval_seconds: float,
        viewers_max: int,
    ) -> None:
        self.rates = Rates(admin.calls)
        self.clients = Clients(admin.calls)
        self.polls = 0
        """How often brokers were asked."""
        self._admin = admin
        self._picture = picture
        self._clock = clock
        self._interval = interval_seconds
        self._viewers_max = viewers_max
        self._rounds = Rounds(self.rates, self.clients, picture.masters)
        self._points: deque[Point] = deque(maxlen=POINTS_MAX)
        self._viewers: set[Viewer] = set()
        self._newest: Overview | None = None
        self._looked_at = 0.0
        self._names_at = 0.0
        self._topic_names: list[str] = []
        self._group_names: list[str] = []
        self._counts: tuple[int, int] = (0, 0)
        self._producers: list[Client] = []
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self._clients: Aged[list[Client]] = Aged(clock, _CLIENTS_SECONDS)
        self._dead: Aged[list[DeadLetterQueue]] = Aged(clock, _CLIENTS_SECONDS)
        self._waiting: tuple[float, int, int | None] = (0.0, 0, None)
        """When it was asked, of how many dead letters, how many were not sent back."""
        self._said: Aged[dict[str, ConsumerRunning]] = Aged(clock, _CLIENTS_SECONDS, 100)
        self._number = 0

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks now."""
        recently = self._clock.monotonic() - self._looked_at < _STAY_SECONDS
        return bool(self._viewers) or (self._looked_at > 0 and recently)

    @property
    def is_watched_now(self) -> bool:
        """Whether a stream is open."""
        return bool(self._viewers)

    async def overview(self) -> Overview:
        """What was seen last; looked at now if that was long ago. Raises PocketMQError."""
        self._looked_at = self._clock.monotonic()
        newest = self._newest
        if newest is None or self._clock.now_ms() - newest.at_ms > self._interval * 2000:
            newest = await self._look(hurried=True)
        self._start()
        return replace(newest, history=History(self._step_ms, tuple(self._points)))

    def watch(self) -> Viewer:
        """A stream for one more viewer. Raise Problem (429) when there are too many."""
        if len(self._viewers) >= self._viewers_max:
            raise Problem(
                429,
                "too_many",
                f"{self._viewers_max} streams are open; close a page",
                headers={"Retry-After": "10"},
            )
        viewer = Viewer(self._viewers.discard)
        self._viewers.add(viewer)
        if self._newest is not None:
            viewer.put(self._event("overview", plain(self._newest)))
        self._start()
        return viewer

    def tell(self, event: str, data: Any) -> None:
        """Send an event to all viewers."""
        if self._viewers:
            text = self._event(event, data)
            for viewer in self._viewers:
                viewer.put(text)

    async def broker_now(self, broker: Broker) -> tuple[BrokerNow, dict[str, str]]:
        """How a broker does, and everything it says of itself."""
        started = self._clock.monotonic()
        state = await self._admin.brokers.state(broker)
        return BrokerNow.of(state, (self._clock.monotonic() - started) * 1000), state.figures

    async def all_clients(self) -> list[Client]:
        """All connected clients, as they were a few seconds ago at most."""

        async def find() -> list[Client]:
            groups = await self._picture.groups()
            return await self.clients.all(await self._picture.masters(), groups)

        return await self._clients.get("", find)

    async def said_by_members(self, group: str, found: Connections) -> dict[str, ConsumerRunning]:
        """What each of a group's first members says of itself, a few seconds ago at most.

        Those that do not answer are left out.
        """
        masters = await self._picture.masters()

        async def ask(client_id: str) -> tuple[str, ConsumerRunning | None]:
            try:
                return client_id, await self.clients.running(group, client_id, masters)
            except PocketMQError:
                return client_id, None

        async def find() -> dict[str, ConsumerRunning]:
            ids = [one.client_id for one in found.members[:_ASKED_MAX]]
            answers = await asyncio.gather(*(ask(client_id) for client_id in ids))
            return {client_id: said for client_id, said in answers if said is not None}

        return await self._said.get(group, find)

    async def owners(self, group: str, masters: list[Broker]) -> dict[tuple[str, str, int], str]:
        """Who has which queue, from what members say."""
        found = await self.clients.connections(group, masters)
        said = await self.said_by_members(group, found)
        return {
            (queue.topic, queue.broker_name, queue.queue_id): client_id
            for client_id, running in said.items()
            for queue in running.mq_table
        }

    async def dead_letters(self) -> list[DeadLetterQueue]:
        """The groups that have dead letters, as they were a few seconds ago at most."""
        return await self._dead.get("", self._admin.dead_letters.queues)

    def forget_dead_letters(self) -> None:
        """Ask for them anew: some were given back."""
        self._dead.forget()
        self._waiting = (0.0, 0, None)

    async def close(self) -> None:
        """Stop looking, and end all streams."""
        await self._dead.close()
        await self._clients.close()
        await self._said.close()
        for viewer in list(self._viewers):
            viewer.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def _step_ms(self) -> int:
        return round(self._interval * 1000)

    def _event(self, event: str, data: Any) -> bytes:
        self._number += 1
        text = json.dumps(data, separators=(",", ":"))
        return f"id: {self._number}\nevent: {event}\ndata: {text}\n\n".encode()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._poll())

    async def _poll(self) -> None:
        """Look again and again while somebody looks."""
        while self.is_watched:
            newest = self._newest
            if newest is None or self._clock.now_ms() - newest.at_ms >= self._step_ms // 2:
                try:
                    await self._look()
                except PocketMQError as error:
                    self.tell("problem", {"message": str(error)})
                except Exception:  # noqa: BLE001 - the edge of a loop
                    _log.exception("looking at the cluster failed")
            await asyncio.sleep(self._interval)

    async def _look(self, *, hurried: bool = False) -> Overview:
        async with self._looking:
            seen = await self._seen(hurried=hurried)
        self._newest = seen
        self._points.append(seen.history.points[0])
        self.tell("overview", plain(seen))
        return seen

    async def _seen(self, *, hurried: bool) -> Overview:
        """Look now. Hurried, as somebody waits, long rounds go on at the next look."""
        self.polls += 1
        brokers = await self._picture.brokers()
        found = await asyncio.gather(*(self.broker_now(one) for one in brokers))
        states = [now for now, _ in found]
        await self._names()
        rounds = self._rounds
        if not (hurried and rounds.topics.is_long(self._topic_names)):
            await rounds.topics.step(self._topic_names)
        if not (hurried and rounds.groups.is_long(self._group_names)):
            await rounds.groups.step(self._group_names)
        seen = Overview(
            self._clock.now_ms(),
            self._totals(states, await self._dead_waiting(hurried=hurried)),
            tuple(states),
            self._top_topics(),
            self._top_groups(),
            History(self._step_ms, ()),
        )
        return replace(seen, history=History(self._step_ms, (seen.point(),)))

    async def _names(self) -> None:
        """Topics, groups and producers change slowly, so they are asked for rarely."""
        now = self._clock.monotonic()
        if self._names_at and now - self._names_at < _NAMES_SECONDS:
            return
        topics, groups = await self._picture.topics(), await self._picture.groups()
        self._topic_names = [
            facts.name
            for facts in topics.by_name.values()
            if facts.is_user or facts.kind == "dead_letter"
        ]
        self._group_names = [facts.name for facts in groups.values() if facts.kind == "user"]
        users = sum(facts.is_user for facts in topics.by_name.values())
        self._counts = (users, len(self._group_names))
        try:
            self._producers = await self.clients.producers(await self._picture.masters())
        except (NetError, BrokerRefused) as error:
            _log.debug("producers cannot be asked for: %s", error)
        self._names_at = now

    def _dead_counts(self) -> list[int]:
        known = self._rounds.topics.known
        return [rate.messages for name, rate in known.items() if _is_dead(name)]

    async def _dead_waiting(self, *, hurried: bool) -> int | None:
        """How many dead letters were not sent back. Hurried: what was known last, if anything."""
        count = sum(self._dead_counts())
        if not self._rounds.topics.complete:
            return None
        asked_at, of, waiting = self._waiting
        is_old = self._clock.monotonic() - asked_at > _WAITING_SECONDS
        if not count:
            waiting = 0
        elif not hurried and (waiting is None or of != count or is_old):
            try:
                waiting = sum(queue.waiting for queue in await self.dead_letters())
            except PocketMQError as error:
                _log.debug("dead letters cannot be asked for: %s", error)
                waiting = None
            self._waiting = (self._clock.monotonic(), count, waiting)
        return waiting

    def _totals(self, states: list[BrokerNow], waiting: int | None) -> Totals:
        rounds = self._rounds
        groups = rounds.groups.known.values() if rounds.groups.complete else None
        clients = {one.client_id for one in self._producers}
        if groups is not None:
            clients.update(client for group in groups for client in group.client_ids)
        dead = self._dead_counts()
        topics, group_count = self._counts
        return Totals(
            total(one.put_tps for one in states),
            total(one.get_tps for one in states),
            whole_total(one.put_today for one in states),
            whole_total(one.get_today for one in states),
            topics,
            group_count,
            len(clients) if groups is not None else None,
            sum(group.rate.lag for group in groups) if groups is not None else None,
            sum(dead) if rounds.topics.complete else None,
            waiting,
            max((one.disk_ratio for one in states if one.disk_ratio is not None), default=None),
        )

    def _top_topics(self) -> tuple[TopTopic, ...]:
        known = [rate for name, rate in self._rounds.topics.known.items() if not _is_dead(name)]
        known.sort(key=lambda rate: (-rate.per_second, -rate.messages, rate.topic))
        return tuple(
            TopTopic(rate.topic, round(rate.per_second, 2), rate.messages) for rate in known[:TOP]
        )

    def _top_groups(self) -> tuple[TopGroup, ...]:
        known = sorted(self._rounds.groups.known.items(), key=lambda item: -item[1].rate.lag)
        return tuple(TopGroup(name, now.rate.lag, len(now.client_ids)) for name, now in known[:TOP])


def _is_dead(topic: str) -> bool:
    return topic.startswith("%DLQ%")


class Viewer:
    """One open stream. A viewer too slow to read loses the oldest events."""

    def __init__(self, on_end: Callable[[Viewer], object]) -> None:
        self._on_end = on_end
        self._waiting: deque[bytes] = deque(maxlen=_WAITING_MAX)
        self._bell = asyncio.Event()
        self._ended = False

    def put(self, event: bytes) -> None:
        """Queue an event."""
        self._waiting.append(event)
        self._bell.set()

    def end(self) -> None:
        """Let the stream finish."""
        self._ended = True
        self._bell.set()

    async def events(self, is_allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The stream's bytes, until it is ended or nobody is allowed to read it any more."""
        try:
            yield b"retry: 2000\n\n"
            while not self._ended and is_allowed():
                while self._waiting:
                    yield self._waiting.popleft()
                self._bell.clear()
                if not await self._rings():
                    yield b": alive\n\n"
        finally:
            self._on_end(self)

    async def _rings(self) -> bool:
        """Wait for something to send or the end; False when nothing came for long."""
        if self._ended:
            return True
        try:
            await asyncio.wait_for(self._bell.wait(), _ALIVE_SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            return False
        return True
