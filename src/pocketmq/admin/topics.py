"""Topics: what there is, where it lies, how much it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.errors import ConfigError, NoRoute
from pocketmq.message.topics import (
    AUTO_CREATE_TOPIC,
    DEAD_LETTER_PREFIX,
    PERM_READ_WRITE,
    RETRY_PREFIX,
    is_system_topic,
    topic_problem,
)
from pocketmq.protocol.bodies.stats import TopicStats
from pocketmq.protocol.bodies.topic_config import TopicList
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.routes import DeleteTopicInNameserverRequest
from pocketmq.protocol.requests.topics import CreateTopicRequest, TopicRequest


@dataclass(frozen=True, slots=True)
class TopicPart:
    """What one broker has of a topic."""

    broker: str
    address: str
    read_queues: int
    write_queues: int
    permission: int


@dataclass(frozen=True, slots=True)
class QueueExtent:
    """What one queue holds: offsets from `first` up to `end`; `updated_ms` 0: nothing."""

    broker: str
    queue_id: int
    first: int
    end: int
    updated_ms: int

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return self.end - self.first


class Topics:
    """What an operator does with topics."""

    def __init__(self, calls: Calls, clusters: Clusters) -> None:
        self._calls = calls
        self._clusters = clusters

    async def names(self, *, everything: bool = False) -> list[str]:
        """The names of all topics. `everything`: retry, dead letter and system topics too."""
        answer = await self._clusters.ask_name_server(
            RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER
        )
        names = set(TopicList.from_json(bytes(answer.body)).topic_list)
        if not everything:
            brokers = await self._clusters.brokers()
            own = {broker.name for broker in brokers} | {broker.cluster for broker in brokers}
            names = {name for name in names - own if not _is_hidden(name, own)}
        return sorted(names)

    async def parts(self, topic: str) -> list[TopicPart]:
        """Where a topic lies. Raise NoRoute when it does not exist."""
        route = await self._calls.route(topic)
        if route is None:
            raise NoRoute(topic, "it does not exist; `topic list` shows those that do")
        addresses = {data.broker_name: data.broker_addrs for data in route.broker_datas}
        return [
            TopicPart(
                data.broker_name,
                addresses.get(data.broker_name, {}).get(0, ""),
                data.read_queue_nums,
                data.write_queue_nums,
                data.perm,
            )
            for data in sorted(route.queue_datas, key=lambda data: data.broker_name)
        ]

    async def extents(self, topic: str) -> list[QueueExtent]:
        """How much each queue of a topic holds. Raise NoRoute when it does not exist."""

        async def ask(broker: Broker) -> TopicStats:
            code = RequestCode.GET_TOPIC_STATS_INFO
            answer = await self._calls.ask(broker.address, code, TopicRequest(topic))
            return TopicStats.from_json(bytes(answer.body))

        masters = await self._clusters.masters_of_topic(topic)
        found = [
            QueueExtent(
                broker.name,
                queue.queue_id,
                offsets.min_offset,
                offsets.max_offset,
                offsets.last_update_timestamp,
            )
            for broker, stats in await self._clusters.each(masters, ask)
            for queue, offsets in stats.offset_table.items()
        ]
        return sorted(found, key=lambda queue: (queue.broker, queue.queue_id))

    async def create(
        self,
        topic: str,
        *,
        queues: int = 8,
        permission: int = PERM_READ_WRITE,
        attributes: Mapping[str, str] | None = None,
        cluster: str | None = None,
    ) -> list[Broker]:
        """Create a topic on all masters, or change it; return them. Raise ConfigError."""
        problem = topic_problem(topic)
        if problem is not None:
            raise ConfigError(problem)
        changes = ",".join(f"+{name}={value}" for name, value in (attributes or {}).items())
        request = CreateTopicRequest(
            topic, AUTO_CREATE_TOPIC, queues, queues, permission, attributes=changes or None
        )
        return await self._tell_masters(cluster, RequestCode.UPDATE_AND_CREATE_TOPIC, request)

    async def delete(self, topic: str, *, cluster: str | None = None) -> list[Broker]:
        """Delete a topic and all it holds, on all masters and name servers; return the masters."""
        masters = await self._tell_masters(
            cluster, RequestCode.DELETE_TOPIC_IN_BROKER, TopicRequest(topic)
        )
        for address in self._calls.name_servers:
            request = DeleteTopicInNameserverRequest(topic, cluster)
            await self._calls.ask(address, RequestCode.DELETE_TOPIC_IN_NAMESRV, request)
        return masters

    async def _tell_masters(self, cluster: str | None, code: int, request: object) -> list[Broker]:
        masters = await self._clusters.masters(cluster)
        await self._clusters.each(
            masters, lambda broker: self._calls.ask(broker.address, code, request)
        )
        return masters


def _is_hidden(name: str, own: set[str]) -> bool:
    return (
        is_system_topic(name)
        or name.startswith((RETRY_PREFIX, DEAD_LETTER_PREFIX))
        or any(name == f"{one}_REPLY_TOPIC" for one in own)
    )
