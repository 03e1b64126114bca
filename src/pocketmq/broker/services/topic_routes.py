"""All queues of a topic, on this broker and on others, as the name servers know them.

A broker that shares queues out among a group's members has to know them all, or the members would
never be sent to the other brokers. Answers are kept for a while. Without a name server that answers
there is what this broker has itself.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from pocketmq.broker.rules import permission
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import NetError, ProtocolError
from pocketmq.net import RpcClient
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.route import TopicRoute
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.routes import RouteRequest

_log = logging.getLogger(__name__)

_KEPT_SECONDS: Final = 30.0
_TOPICS_MAX: Final = 10_000
_TIMEOUT_MS: Final = 3000


class TopicRoutes:
    """Asks name servers. `name_servers` says which there are now."""

    def __init__(
        self,
        name_servers: Callable[[], Sequence[str]],
        topics: TopicTable,
        clock: Clock,
        broker: str,
    ) -> None:
        self._name_servers = name_servers
        self._topics = topics
        self._clock = clock
        self._broker = broker
        self._client = RpcClient()
        self._known: OrderedDict[str, tuple[float, list[MessageQueue]]] = OrderedDict()

    def start(self) -> None:
        """Nothing begins before the first question."""

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def queues(self, topic: str) -> list[MessageQueue] | None:
        """The readable queues of a topic, in order; None when nobody knows the topic."""
        now = self._clock.monotonic()
        known = self._known.get(topic)
        if known is not None and now - known[0] < _KEPT_SECONDS:
            return known[1]
        found = await self._ask(topic)
        if found is None:
            # Better an old answer than one that leaves the other brokers out.
            return known[1] if known is not None else self._own(topic)
        self._known[topic] = (now, found)
        self._known.move_to_end(topic)
        if len(self._known) > _TOPICS_MAX:
            self._known.popitem(last=False)
        return found

    async def _ask(self, topic: str) -> list[MessageQueue] | None:
        for address in self._name_servers():
            request = Command.request(
                RequestCode.GET_ROUTEINFO_BY_TOPIC, encode_fields(RouteRequest(topic, True))
            )
            try:
                answer = await self._client.call(address, request, _TIMEOUT_MS)
                if answer.code == ResponseCode.SUCCESS:
                    return _queues_of(topic, TopicRoute.from_json(answer.body))
            except (NetError, ProtocolError) as error:
                _log.warning("no route of topic=%s from name_server=%s: %s", topic, address, error)
        return None

    def _own(self, topic: str) -> list[MessageQueue] | None:
        config = self._topics.find(topic)
        if config is None or not permission.readable(config.perm):
            return None
        return [MessageQueue(topic, self._broker, each) for each in range(config.read_queue_nums)]


def _queues_of(topic: str, route: TopicRoute) -> list[MessageQueue]:
    return sorted(
        MessageQueue(topic, offered.broker_name, each)
        for offered in route.queue_datas
        if permission.readable(offered.perm)
        for each in range(offered.read_queue_nums)
    )
