"""Which brokers have which topic, as the name servers tell; kept fresh.

A route is asked for when a topic is first used and again every half minute while it is in use.
Listeners hear of a change. A name server that does not answer is left for the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pocketmq.client.calls import Calls
from pocketmq.errors import (
    ClientError,
    NameServersUnreachable,
    NetError,
    NoRoute,
    ProtocolError,
)
from pocketmq.message.topics import PERM_READ, PERM_WRITE
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.route import MASTER_ID, TopicRoute

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where one topic is. Compared by value: an equal route is no change."""

    topic: str
    brokers: dict[str, dict[int, str]]
    """Broker name -> replica id -> address; id 0 is the master."""
    write_queues: tuple[MessageQueue, ...]
    """The queues that can be sent to: writable, and their master is known."""
    read_queues: tuple[MessageQueue, ...]
    """The queues that can be consumed."""
    clusters: dict[str, str]
    """Broker name -> cluster."""
    is_ordered: bool = False
    """True for a topic whose queues are pinned by an order configuration."""

    def master(self, broker_name: str) -> str | None:
        """The address of a broker's master, if it is known."""
        return self.brokers.get(broker_name, {}).get(MASTER_ID)

    def address(self, broker_name: str, broker_id: int = MASTER_ID) -> str | None:
        """The address of a replica, or of any other when that one is unknown."""
        replicas = self.brokers.get(broker_name)
        if not replicas:
            return None
        return replicas.get(broker_id) or replicas.get(MASTER_ID) or next(iter(replicas.values()))


def route_of(topic: str, document: TopicRoute) -> Route:
    """The route in a name server's answer."""
    brokers = {data.broker_name: dict(data.broker_addrs) for data in document.broker_datas}
    clusters = {data.broker_name: data.cluster for data in document.broker_datas}
    write: list[MessageQueue] = []
    read: list[MessageQueue] = []
    pinned = _pinned_queues(document.order_topic_conf)
    for data in sorted(document.queue_datas, key=lambda item: item.broker_name):
        name = data.broker_name
        if not brokers.get(name):
            continue
        if data.perm & PERM_WRITE and MASTER_ID in brokers[name]:
            count = pinned.get(name, 0) if pinned else data.write_queue_nums
            write += [MessageQueue(topic, name, number) for number in range(count)]
        if data.perm & PERM_READ:
            read += [MessageQueue(topic, name, number) for number in range(data.read_queue_nums)]
    return Route(topic, brokers, tuple(write), tuple(read), clusters, bool(pinned))


def _pinned_queues(conf: str | None) -> dict[str, int]:
    """The queues of `broker-a:8;broker-b:8`."""
    pinned = {}
    for part in (conf or "").split(";"):
        name, colon, count = part.strip().rpartition(":")
        if colon and count.isdigit():
            pinned[name] = int(count)
    return pinned


RouteListener = Callable[[Route], None]


class RouteTable:
    """The routes of all topics a client uses."""

    def __init__(self, calls: Calls, routes_max: int) -> None:
        self._calls = calls
        self._routes_max = routes_max
        self._routes: dict[str, Route] = {}
        self._asking: dict[str, asyncio.Task[Route]] = {}
        self._listeners: dict[str, list[RouteListener]] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}

    def known(self, topic: str) -> Route | None:
        """The route as last heard, without asking."""
        return self._routes.get(topic)

    def all(self) -> list[Route]:
        """All routes as last heard."""
        return list(self._routes.values())

    async def get(self, topic: str) -> Route:
        """The route of a topic, asked for when it is unknown.

        Raise NoRoute when it does not exist, NameServersUnreachable when nobody can tell.
        """
        return self._routes.get(topic) or await self.refresh(topic)

    async def refresh(self, topic: str) -> Route:
        """Ask for a route anew. Many who ask at once share one question. Raises as `get`."""
        asking = self._asking.get(topic)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(topic))
            self._asking[topic] = asking
            asking.add_done_callback(lambda task: self._asked(topic, task))
        return await asyncio.shield(asking)

    def refresh_later(self, topic: str, seconds: float) -> None:
        """Ask for a route anew in a while, for a topic that is just being created."""
        if topic not in self._later:
            loop = asyncio.get_running_loop()
            self._later[topic] = loop.call_later(seconds, self._begin_refresh, topic)

    def _begin_refresh(self, topic: str) -> None:
        self._later.pop(topic, None)
        if topic not in self._asking:
            asking = self._asking[topic] = asyncio.ensure_future(self._ask(topic))
            asking.add_done_callback(lambda task: self._asked(topic, task))

    def _asked(self, topic: str, task: asyncio.Task[Route]) -> None:
        self._asking.pop(topic, None)
        if not task.cancelled():
            task.exception()  # those who wait have it

    async def _ask(self, topic: str) -> Route:
        document = await self._calls.route(topic)
        if document is None:
            self._routes.pop(topic, None)
            raise NoRoute(
                topic,
                f"it does not exist, or no broker that has it is up; {how_to_create(topic)}",
            )
        route = route_of(topic, document)
        known = self._routes.pop(topic, None)
        self._routes[topic] = route
        while len(self._routes) > self._routes_max:
            self._routes.pop(next(iter(self._routes)))
        if route != known:
            for listener in list(self._listeners.get(topic, ())):
                listener(route)
        return route

    def forget(self, topic: str) -> None:
        """Ask again the next time a route is wanted."""
        self._routes.pop(topic, None)

    def listen(self, topic: str, listener: RouteListener) -> None:
        """Call `listener` with each new route of a topic, also with the first."""
        self._listeners.setdefault(topic, []).append(listener)

    def unlisten(self, topic: str, listener: RouteListener) -> None:
        """Call it no more."""
        listeners = self._listeners.get(topic, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(topic, None)

    async def refresh_all(self, topics: Iterable[str]) -> None:
        """Ask for the routes of these topics anew; what cannot be had stays as it is."""
        for topic in topics:
            try:
                await self.refresh(topic)
            except NameServersUnreachable as error:
                _log.info("routes not refreshed: %s", error)
                return
            except (ClientError, NetError, ProtocolError) as error:
                _log.debug("route not refreshed topic=%s: %s", topic, error)

    def addresses(self, *, replicas: bool) -> dict[str, str]:
        """The addresses of all brokers in known routes -> broker name; masters alone or all."""
        found = {}
        for route in self._routes.values():
            for name, addresses in route.brokers.items():
                for broker_id, address in addresses.items():
                    if replicas or broker_id == MASTER_ID:
                        found[address] = name
        return found

    def broker_name(self, address: str) -> str:
        """Whose address this is; empty when no known route has it."""
        return self.addresses(replicas=True).get(address, "")

    async def close(self) -> None:
        """Stop asking."""
        for timer in self._later.values():
            timer.cancel()
        self._later.clear()
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)


def how_to_create(topic: str) -> str:
    """What to do about a topic that does not exist."""
    return f"create it, for example with `pocketmq topic create {topic} -n <name server>`"
