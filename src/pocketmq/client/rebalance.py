"""Keeps the queues shared among the members of a group.

Every member looks at the same two lists, the topic's queues and the group's client ids, and takes
what the strategy gives it. It looks every 20 s, and at once when a broker says that members have
changed (40), when a route has changed, and a second after a round that was not completed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from pocketmq.client.allocation import AllocationStrategy, allocate, sort_queues
from pocketmq.client.assigned import GroupSession
from pocketmq.client.bell import Bell
from pocketmq.client.messages import MessageQueue
from pocketmq.client.routes import Route
from pocketmq.errors import ClientError, NetError, NoRoute, PocketMQError
from pocketmq.message.topics import is_retry_topic

_log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 1.0
RETRY_TOPIC_ROUNDS: Final = 8
"""For how many rounds a retry topic without a route is looked for every second."""

Update = Callable[[str, list[MessageQueue]], Awaitable[tuple[bool, bool]]]


class Rebalance:
    """The rounds of one consumer. `update` is told the queues of each topic."""

    def __init__(
        self,
        session: GroupSession,
        strategy: AllocationStrategy,
        update: Update,
        *,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._session = session
        self._strategy = strategy
        self._update = update
        self._changed = changed
        self._wanted = Bell()
        self._task: asyncio.Task[None] | None = None
        self._listening: set[str] = set()
        self.rounds = 0
        self.problems: dict[str, str] = {}
        """Topic -> why it could not be shared out in the last round."""

    def start(self) -> None:
        """Begin, with a round at once."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End."""
        routes = self._session.instance.routes
        for topic in self._listening:
            routes.unlisten(topic, self._route_changed)
        self._listening.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def soon(self) -> None:
        """Look again in a moment."""
        self._wanted.ring()

    def _route_changed(self, route: Route) -> None:
        self.soon()

    async def _run(self) -> None:
        interval = self._session.options.rebalance_interval_ms / 1000
        while True:
            wait = interval
            if not await self.round():
                wait = min(wait, AGAIN_SECONDS)
            await self._wanted.wait(wait)

    async def round(self) -> bool:
        """Share out every topic once. Return whether everything went well."""
        complete = True
        changed = False
        for topic in list(self._session.subscriptions):
            if topic not in self._listening:
                self._listening.add(topic)
                self._session.instance.routes.listen(topic, self._route_changed)
            try:
                queues = await self._mine(topic)
                moved, all_taken = await self._update(topic, queues)
            except NoRoute as error:
                # A retry topic comes to be with the group's first heartbeat, some never do.
                if not is_retry_topic(topic):
                    complete = False
                    self._note(topic, error)
                elif self.rounds < RETRY_TOPIC_ROUNDS:
                    complete = False
                continue
            except PocketMQError as error:
                complete = False
                self._note(topic, error)
                continue
            self.problems.pop(topic, None)
            changed = changed or moved
            complete = complete and all_taken
        self.rounds += 1
        if changed and self._changed is not None:
            self._changed()
        return complete

    def _note(self, topic: str, error: PocketMQError) -> None:
        if topic not in self.problems:
            _log.warning("not rebalanced group=%s topic=%s: %s", self._session.group, topic, error)
        self.problems[topic] = str(error)

    async def _mine(self, topic: str) -> list[MessageQueue]:
        """The queues of a topic that this consumer is to have."""
        session = self._session
        route = await session.instance.routes.get(topic)
        if session.broadcast:
            return sort_queues(route.read_queues)
        members = await self._members(route)
        return allocate(self._strategy, session.instance.client_id, route.read_queues, members)

    async def _members(self, route: Route) -> list[str]:
        """The client ids of the group, from the first broker of the topic that tells.

        We tell it of ourselves first, else it would leave us out.
        """
        problem: PocketMQError | None = None
        for name in sorted(route.brokers):
            address = route.address(name)
            if address is None:
                continue
            try:
                return await self._ask_members(address)
            except (NetError, ClientError) as error:
                problem = error
        raise problem or NoRoute(route.topic, "none of its brokers has an address")

    async def _ask_members(self, address: str) -> list[str]:
        instance, group = self._session.instance, self._session.group
        await instance.heartbeats.ensure(address)
        members = await instance.calls.consumer_ids(address, group)
        if instance.client_id not in members:
            # The broker has forgotten us, or has just heard a goodbye from this client.
            await instance.heartbeats.beat(address)
            members = await instance.calls.consumer_ids(address, group)
        if not members:
            raise ClientError(
                f"{address} knows no member of group {group}; if this goes on, see whether the "
                "group exists there and may consume"
            )
        return members
