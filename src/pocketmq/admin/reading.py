"""Reading queues as an operator does: in order of time, without moving any group.

Brokers are asked in the name of RocketMQ's own group of tools, which every broker has.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from pocketmq.admin.clusters import Clusters
from pocketmq.client.calls import Calls, refusal
from pocketmq.client.messages import MessageQueue, ReceivedMessage
from pocketmq.client.pulling import Pulled, pull
from pocketmq.client.subscriptions import Subscription, subscribe, wanted
from pocketmq.errors import BrokerRefused, NetError, NoRoute, PocketMQError
from pocketmq.message.topics import PERM_READ, TOOLS_GROUP
from pocketmq.protocol.codes import ResponseCode

PAGE_MESSAGES: Final = 32
TAIL_MESSAGES_MAX: Final = 256
TAIL_WAIT_MS: Final = 15_000
ROUTE_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 1.0
_PASSING: Final = frozenset((ResponseCode.SYSTEM_BUSY, ResponseCode.SERVICE_NOT_AVAILABLE))

Problem = Callable[[str], None]
"""Hears what goes wrong and is tried again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A queue that can be read, and the broker that answers for it."""

    queue: MessageQueue
    address: str


@dataclass(slots=True)
class _Stretch:
    """What is yet to be read of a queue: offsets from `at` up to `end`."""

    place: Place
    at: int
    end: int


class Reader:
    """Reads topics. What goes wrong is raised: NoRoute, BrokerRefused, NetError."""

    def __init__(self, calls: Calls, clusters: Clusters) -> None:
        self._calls = calls
        self._clusters = clusters

    async def places(self, topic: str) -> list[Place]:
        """The queues of a topic. Where a master is gone, a replica answers. Raise NoRoute."""
        route = await self._calls.route(topic)
        if route is None:
            raise NoRoute(topic, "it does not exist; `topic list` shows those that do")
        addresses = {
            data.broker_name: data.broker_addrs[min(data.broker_addrs)]
            for data in route.broker_datas
            if data.broker_addrs
        }
        return [
            Place(MessageQueue(topic, data.broker_name, number), addresses[data.broker_name])
            for data in sorted(route.queue_datas, key=lambda data: data.broker_name)
            if data.broker_name in addresses and data.perm & PERM_READ
            for number in range(data.read_queue_nums)
        ]

    async def place(self, queue: MessageQueue) -> Place:
        """The place of one queue. Raise NoRoute when the topic has no such queue."""
        for place in await self.places(queue.topic):
            if place.queue == queue:
                return place
        raise NoRoute(
            queue.topic,
            f"it has no readable queue {queue.queue_id} on {queue.broker_name}; "
            f"`topic show {queue.topic}` lists its queues",
        )

    async def page(
        self,
        place: Place,
        offset: int,
        subscription: Subscription | None = None,
        *,
        messages_max: int = PAGE_MESSAGES,
        wait_ms: int = 0,
    ) -> Pulled:
        """What one pull brings, tags compared."""
        chosen = subscription or subscribe(place.queue.topic, "*", 0)
        queue = place.queue
        try:
            found = await pull(
                self._calls,
                place.address,
                TOOLS_GROUP,
                queue,
                offset,
                chosen,
                messages_max=messages_max,
                wait_ms=wait_ms,
            )
        except BrokerRefused as error:
            step = f"reading queue {queue.queue_id} of {queue.topic} on {queue.broker_name}"
            raise refusal(step, error.address, error.code, error.remark) from None
        found.messages, _ = wanted(found.messages, chosen)
        return found

    async def between(
        self, topic: str, begin_ms: int = 0, end_ms: int | None = None, *, expression: str = "*"
    ) -> AsyncGenerator[ReceivedMessage, None]:
        """The messages of a topic that were stored in a time, oldest first.

        Those that come later than this began are left out. Memory holds a page of each queue.
        """
        subscription = subscribe(topic, expression, 0)
        places = await self.places(topic)
        stretches = await asyncio.gather(*(self._stretch(place, begin_ms) for place in places))
        pages = [self._pages(one, subscription, end_ms) for one in stretches]
        heads: list[tuple[int, int, list[ReceivedMessage]]] = []
        for number, found in enumerate(await asyncio.gather(*(_next(page) for page in pages))):
            if found:
                heads.append((found[-1].store_timestamp_ms, number, found))
        heapq.heapify(heads)
        while heads:
            _, number, found = heads[0]
            message = found.pop()
            if message.store_timestamp_ms >= begin_ms:
                yield message
            found = found or await _next(pages[number])
            if found:
                heapq.heapreplace(heads, (found[-1].store_timestamp_ms, number, found))
            else:
                heapq.heappop(heads)

    async def _stretch(self, place: Place, begin_ms: int) -> _Stretch:
        queue, address = place.queue, place.address
        end = await self._calls.max_offset(address, queue)
        if begin_ms > 0:
            first = await self._calls.offset_at(address, queue, begin_ms)
        else:
            first = await self._calls.min_offset(address, queue)
        return _Stretch(place, max(first, 0), end)

    async def _pages(
        self, stretch: _Stretch, subscription: Subscription, end_ms: int | None
    ) -> AsyncIterator[list[ReceivedMessage]]:
        """Pages of a queue, each from newest to oldest, so that the oldest can be popped."""
        while stretch.at < stretch.end:
            found = await self.page(stretch.place, stretch.at, subscription)
            if found.next_offset <= stretch.at:
                return
            stretch.at = found.next_offset
            page = [one for one in found.messages if one.queue_offset < stretch.end]
            if end_ms is not None and page and page[-1].store_timestamp_ms > end_ms:
                page = [one for one in page if one.store_timestamp_ms <= end_ms]
                stretch.at = stretch.end
            if page:
                yield page[::-1]

    async def latest(
        self, topic: str, count: int, *, before_ms: int | None = None, expression: str = "*"
    ) -> list[ReceivedMessage]:
        """The newest messages of a topic, or the newest stored before a moment; oldest first.

        With an expression, the newest `count` of each queue are looked at.
        """
        subscription = subscribe(topic, expression, 0)

        async def read(place: Place) -> list[ReceivedMessage]:
            stretch = await self._stretch(place, before_ms or 0)
            if before_ms is not None:
                stretch.end = min(stretch.end, stretch.at)
            first = await self._calls.min_offset(place.address, place.queue)
            stretch.at = max(first, stretch.end - count)
            pages = self._pages(stretch, subscription, None)
            return [one async for page in pages for one in reversed(page)]

        found = await asyncio.gather(*(read(place) for place in await self.places(topic)))
        all_of_them = [message for messages in found for message in messages]
        all_of_them.sort(key=lambda one: (one.store_timestamp_ms, one.queue_id, one.queue_offset))
        return all_of_them[-count:] if count > 0 else []

    async def tail(
        self,
        topic: str,
        *,
        begin_ms: int | None = None,
        expression: str = "*",
        on_problem: Problem | None = None,
    ) -> AsyncGenerator[ReceivedMessage, None]:
        """Messages as they come, and before them those stored since a moment; without end.

        A broker that does not answer is asked again and again, and `on_problem` hears of it.
        """
        inbox: asyncio.Queue[ReceivedMessage | PocketMQError] = asyncio.Queue(TAIL_MESSAGES_MAX)
        followers = _Followers(self, subscribe(topic, expression, 0), inbox, on_problem)
        await followers.begin(begin_ms)
        try:
            while True:
                found = await inbox.get()
                if isinstance(found, PocketMQError):
                    raise found
                yield found
        finally:
            await followers.end()

    async def first_offset(self, place: Place, begin_ms: int | None) -> int:
        """Where to begin for a moment; at the end without one."""
        if begin_ms is None:
            return await self._calls.max_offset(place.address, place.queue)
        if begin_ms <= 0:
            return await self._calls.min_offset(place.address, place.queue)
        return await self._calls.offset_at(place.address, place.queue, begin_ms)


class _Followers:
    """A task for each queue that is tailed, and one that looks for further queues."""

    def __init__(
        self,
        reader: Reader,
        subscription: Subscription,
        inbox: asyncio.Queue[ReceivedMessage | PocketMQError],
        on_problem: Problem | None,
    ) -> None:
        self._reader = reader
        self._subscription = subscription
        self._inbox = inbox
        self._on_problem = on_problem or (lambda problem: None)
        self._addresses: dict[MessageQueue, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, begin_ms: int | None) -> None:
        places = await self._reader.places(self._subscription.topic)
        firsts = await asyncio.gather(
            *(self._reader.first_offset(place, begin_ms) for place in places)
        )
        for place, first in zip(places, firsts, strict=True):
            self._follow(place, first)
        self._tasks.add(asyncio.ensure_future(self._look_for_more()))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _follow(self, place: Place, first: int) -> None:
        self._addresses[place.queue] = place.address
        self._tasks.add(asyncio.ensure_future(self._read(place.queue, max(first, 0))))

    async def _look_for_more(self) -> None:
        while True:
            await asyncio.sleep(ROUTE_SECONDS)
            try:
                places = await self._reader.places(self._subscription.topic)
            except PocketMQError as error:
                self._on_problem(str(error))
                continue
            for place in places:
                if place.queue in self._addresses:
                    self._addresses[place.queue] = place.address
                else:
                    self._follow(place, 0)

    async def _read(self, queue: MessageQueue, at: int) -> None:
        while True:
            place = Place(queue, self._addresses[queue])
            try:
                found = await self._reader.page(place, at, self._subscription, wait_ms=TAIL_WAIT_MS)
            except PocketMQError as error:
                if not _passes(error):
                    await self._inbox.put(error)
                    return
                self._on_problem(f"{error}; trying again")
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for message in found.messages:
                await self._inbox.put(message)
            at = found.next_offset


def _passes(error: PocketMQError) -> bool:
    return isinstance(error, NetError) or (
        isinstance(error, BrokerRefused) and error.code in _PASSING
    )


async def _next(pages: AsyncIterator[list[ReceivedMessage]]) -> list[ReceivedMessage]:
    """The next page, empty after the last one."""
    async for page in pages:
        return page
    return []
