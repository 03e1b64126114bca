"""Collects the facts: a bounded number of questions, a bounded time, no broker left to wait for.

What cannot be had is written down in a sentence and becomes a note of the diagnosis.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pocketmq.admin.admin import Admin
from pocketmq.admin.doctor.access_gaps import access_gaps
from pocketmq.admin.doctor.asking import Asking
from pocketmq.admin.doctor.checks.positions import stands_still
from pocketmq.admin.doctor.facts import (
    AccessGap,
    BrokerFacts,
    ClusterFacts,
    DeadLetterFacts,
    GroupFacts,
    NameServerFacts,
    TopicFacts,
    TopicPart,
)
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.doctor.membership import Membership
from pocketmq.admin.doctor.samples import Samples, Taken
from pocketmq.admin.explain.collecting import broker_now_ms
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import BrokerRefused, PocketMQError
from pocketmq.message.topics import DEAD_LETTER_PREFIX
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.route import ClusterTable, TopicRoute
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.bodies.topic_config import TopicList
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.routes import RouteRequest

T = TypeVar("T")
U = TypeVar("U")

Progress = Callable[[str, int, int], None]
"""Hears what is being looked at, how much of it is done, and of how much."""

AT_ONCE = 16
_ROUTE_CODES = frozenset((ResponseCode.SUCCESS, ResponseCode.TOPIC_NOT_EXIST))


class Collector:
    """Collects the facts of the clusters that some name servers know."""

    def __init__(
        self,
        admin: Admin,
        limits: Limits,
        progress: Progress | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._admin = admin
        self._servers = admin.calls.name_servers
        self._asking = Asking(admin.calls, limits)
        self._limits = limits
        self._progress = progress or (lambda stage, done, total: None)
        self._clock = clock or SystemClock()
        self._missing: list[str] = []
        self._name_servers: list[NameServerFacts] = []
        self._brokers: list[BrokerFacts] = []
        self._topics: list[TopicFacts] = []
        self._groups: list[GroupFacts] = []
        self._dead: list[DeadLetterFacts] = []
        self._gaps: tuple[AccessGap, ...] = ()
        self._apart_seconds = 0.0

    async def collect(self) -> ClusterFacts:
        """The facts, as far as they can be had in the time allowed."""
        try:
            await asyncio.wait_for(self._everything(), self._limits.total_seconds)
        except (asyncio.TimeoutError, TimeoutError):
            self._missing.append(
                f"Not all was looked at within {self._limits.total_seconds:g} s; allow more with "
                "--timeout"
            )
        return ClusterFacts(
            self._clock.now_ms(),
            self._servers[0].rpartition(":")[0],
            self._apart_seconds,
            tuple(self._name_servers),
            tuple(self._brokers),
            tuple(self._topics),
            tuple(self._groups),
            tuple(self._dead),
            self._gaps,
            tuple(dict.fromkeys(self._missing)),
        )

    async def _everything(self) -> None:
        self._name_servers = await self._each("name servers", self._servers, self._name_server)
        self._brokers = await self._each("brokers", self._known_brokers(), self._broker)
        try:
            self._gaps = await access_gaps(self._admin, self._brokers)
        except PocketMQError as error:
            self._missing.append(f"Users and rules were not compared: {_short(error)}")
        names = sorted(set().union(*(server.topics for server in self._name_servers)))
        found = await self._each("topics", names, self._topic)
        self._topics = [topic for topic in found if topic is not None]
        masters = [one for one in self._brokers if one.is_master and not one.problem]
        samples = Samples(self._asking, masters)
        dead = [name for name in names if name.startswith(DEAD_LETTER_PREFIX)]
        before = await samples.take(dead)
        began = self._clock.monotonic()
        self._groups = await self._members(masters, before)
        left = self._limits.apart_seconds - (self._clock.monotonic() - began)
        await self._wait(left)
        after = await samples.take(dead)
        self._apart_seconds = self._clock.monotonic() - began
        self._dead = after.dead_letters_since(before)
        self._groups = [
            replace(group, before=before.of(group.name), after=after.of(group.name))
            for group in self._groups
        ]
        self._missing += [*before.problems, *after.problems]
        await self._look_closely(samples)

    async def _wait(self, seconds: float) -> None:
        """Let the time between the two looks pass."""
        whole, done = max(seconds, 0.0), 0.0
        while done < whole:
            step = min(0.5, whole - done)
            self._progress("lag", round(done * 10), round(whole * 10))
            await asyncio.sleep(step)
            done += step

    # -- name servers and brokers -----------------------------------------------------------

    async def _name_server(self, address: str) -> NameServerFacts:
        try:
            clusters = await self._asking.ask(address, RequestCode.GET_BROKER_CLUSTER_INFO)
            topics = await self._asking.ask(address, RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
            table = ClusterTable.from_json(bytes(clusters.body))
            names = TopicList.from_json(bytes(topics.body)).topic_list
        except PocketMQError as error:
            return NameServerFacts(address, _short(error))
        brokers = {
            f"{data.cluster}/{name}/{number}": place
            for name, data in table.broker_addr_table.items()
            for number, place in data.broker_addrs.items()
        }
        return NameServerFacts(address, "", brokers, frozenset(names))

    def _known_brokers(self) -> list[BrokerFacts]:
        """Every address that any name server tells."""
        found = {
            (place, address): None
            for server in self._name_servers
            for place, address in server.brokers.items()
        }
        brokers = []
        for place, address in found:
            cluster, name, number = place.rsplit("/", 2)
            brokers.append(BrokerFacts(cluster, name, int(number), address))
        return sorted(brokers, key=lambda one: (one.cluster, one.name, one.id, one.address))

    async def _broker(self, broker: BrokerFacts) -> BrokerFacts:
        began = self._clock.monotonic()
        try:
            answer = await self._asking.ask(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)
            runtime = KvTable.from_json(bytes(answer.body)).table
        except BrokerRefused as error:
            self._missing.append(f"Broker {broker.name} did not tell how it is: {_short(error)}")
            return broker
        except PocketMQError as error:
            return replace(broker, problem=_short(error))
        took_ms = round((self._clock.monotonic() - began) * 1000)
        asked_ms = self._clock.now_ms()
        told = replace(
            broker,
            took_ms=took_ms,
            now_ms=broker_now_ms(runtime),
            asked_ms=asked_ms,
            runtime=runtime,
        )
        try:
            answer = await self._asking.ask(broker.address, RequestCode.GET_BROKER_CONFIG)
            return replace(told, config=parse_properties(bytes(answer.body)))
        except PocketMQError as error:
            self._missing.append(f"Broker {broker.name} did not tell its settings: {_short(error)}")
            return told

    # -- topics -----------------------------------------------------------------------------

    async def _topic(self, name: str) -> TopicFacts | None:
        """A topic by the first name server that has a route; None when one did not tell."""
        is_told = True
        for server in self._name_servers:
            if server.problem or name not in server.topics:
                continue
            try:
                answer = await self._asking.ask(
                    server.address,
                    RequestCode.GET_ROUTEINFO_BY_TOPIC,
                    RouteRequest(name, accept_standard_json_only=True),
                    accept=_ROUTE_CODES,
                )
                if answer.code != ResponseCode.SUCCESS or not len(answer.body):
                    continue
                route = TopicRoute.from_json(bytes(answer.body))
            except PocketMQError as error:
                self._missing.append(f"The routes of some topics are not known: {_short(error)}")
                is_told = False
                continue
            parts = [
                TopicPart(data.broker_name, data.read_queue_nums, data.write_queue_nums, data.perm)
                for data in sorted(route.queue_datas, key=lambda data: data.broker_name)
            ]
            if parts:
                return TopicFacts(name, tuple(parts))
        return TopicFacts(name) if is_told else None

    # -- groups -----------------------------------------------------------------------------

    async def _members(self, masters: Sequence[BrokerFacts], before: Taken) -> list[GroupFacts]:
        membership = Membership(self._asking, masters, self._limits)
        names = await membership.group_names()
        groups = await self._each("groups", sorted(names | before.groups), membership.group)
        self._missing += membership.problems
        return groups

    async def _look_closely(self, samples: Samples) -> None:
        """For how long the messages wait that are next in queues that stand still."""
        places = [
            (number, queue)
            for number, group in enumerate(self._groups)
            if not group.is_broadcast
            for queue in sorted(group.after)
            if stands_still(group, queue)
        ]
        if len(places) > self._limits.queues_asked_max:
            self._missing.append(
                f"Of {len(places)} queues that stand still, {self._limits.queues_asked_max} were "
                "looked at closely"
            )
        chosen = places[: self._limits.queues_asked_max]
        topics = sorted({(number, queue[0]) for number, queue in chosen})
        spans = await self._each(
            "queues",
            topics,
            lambda place: samples.waiting_ms(self._groups[place[0]].name, place[1]),
        )
        self._missing += samples.problems
        for (number, _), found in zip(topics, spans, strict=True):
            group = self._groups[number]
            self._groups[number] = replace(group, waiting_ms={**group.waiting_ms, **found})

    # -- inside -----------------------------------------------------------------------------

    async def _each(
        self, stage: str, items: Iterable[U], ask: Callable[[U], Awaitable[T]]
    ) -> list[T]:
        """The answers for many things, a few at a time, with progress told."""
        wanted = list(items)
        turns, done = asyncio.Semaphore(AT_ONCE), 0
        self._progress(stage, 0, len(wanted))

        async def one(item: U) -> T:
            nonlocal done
            async with turns:
                answer = await ask(item)
            done += 1
            self._progress(stage, done, len(wanted))
            return answer

        tasks = [asyncio.ensure_future(one(item)) for item in wanted]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _short(error: PocketMQError) -> str:
    """What went wrong, in few words and without a full stop."""
    cause = error.__context__
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text[:300]}…" if len(text) > 300 else text
