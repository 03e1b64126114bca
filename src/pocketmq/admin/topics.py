"""Topics: what there is, where it lies, how much it holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, ConfigError, NoRoute
from pocketmq.message.topics import (
    AUTO_CREATE_TOPIC,
    DEAD_LETTER_PREFIX,
    PERM_READ_WRITE,
    RETRY_PREFIX,
    is_system_topic,
    topic_problem,
)
from pocketmq.protocol.bodies.topic_config import TopicConfig, TopicConfigTable, TopicList
from pocketmq.protocol.codes import RequestCode, ResponseCode
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

        from pocketmq.protocol.bodies.stats import TopicStats

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

    async def setups(self, topic: str) -> list[tuple[Broker, TopicConfig]]:
        """How each master has set a topic up. Raise NoRoute when it does not exist."""

        async def ask(broker: Broker) -> TopicConfig:
            code = RequestCode.GET_TOPIC_CONFIG
            try:
                answer = await self._calls.ask(broker.address, code, TopicRequest(topic))
            except BrokerRefused as error:
                if error.code != ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
                    raise
                # Brokers before version 5 tell of all topics at once or of none.
                return (await self._table(broker)).topic_config_table[topic]
            return TopicConfig.from_json(bytes(answer.body))

        return await self._clusters.each(await self._clusters.masters_of_topic(topic), ask)

    async def _table(self, broker: Broker) -> TopicConfigTable:
        answer = await self._calls.ask(broker.address, RequestCode.GET_ALL_TOPIC_CONFIG)
        return TopicConfigTable.from_json(bytes(answer.body))

    async def all_setups(
        self, *, everything: bool = False
    ) -> dict[str, list[tuple[Broker, TopicConfig]]]:
        """Topic -> how each master that has it has set it up."""
        names = await self.names(everything=everything)
        found: dict[str, list[tuple[Broker, TopicConfig]]] = {name: [] for name in names}
        for broker, table in await self._clusters.each(await self._clusters.masters(), self._table):
            for name, config in table.topic_config_table.items():
                if name in found:
                    found[name].append((broker, config))
        return found

    async def groups(self, topic: str) -> list[str]:
        """The groups that consume a topic or have done so. Raise NoRoute."""

        from pocketmq.protocol.bodies.subscription_group import GroupList

        async def ask(broker: Broker) -> GroupList:
            code = RequestCode.QUERY_TOPIC_CONSUME_BY_WHO
            answer = await self._calls.ask(broker.address, code, TopicRequest(topic))
            return GroupList.from_json(bytes(answer.body)) if answer.body else GroupList()

        masters = await self._clusters.masters_of_topic(topic)
        answers = await self._clusters.each(masters, ask)
        return sorted({name for _, groups in answers for name in groups.group_list})

    async def update(
        self,
        topic: str,
        *,
        read_queues: int | None = None,
        write_queues: int | None = None,
        permission: int | None = None,
        attributes: Mapping[str, str] | None = None,
        without: Collection[str] = (),
        broker: str | None = None,
    ) -> list[tuple[Broker, TopicConfig]]:
        """Change what is given and leave the rest as it is, on all masters that have the topic.

        `without` names attributes to remove, `broker` is the only one to be changed. Returns how
        the topic is set up afterwards. Raise NoRoute, ConfigError, BrokerRefused.
        """
        known = await self.setups(topic)
        chosen = [(one, config) for one, config in known if broker in (None, one.name)]
        if not chosen:
            names = ", ".join(one.name for one, _ in known)
            raise ConfigError(f"{topic} has no queues on {broker!r}; it has some on {names}")
        for one, config in chosen:
            changes = [f"+{name}={value}" for name, value in (attributes or {}).items()]
            changes += [f"-{name}" for name in without if name in config.attributes]
            request = CreateTopicRequest(
                topic,
                AUTO_CREATE_TOPIC,
                config.read_queue_nums if read_queues is None else read_queues,
                config.write_queue_nums if write_queues is None else write_queues,
                config.perm if permission is None else permission,
                config.topic_filter_type,
                config.topic_sys_flag,
                config.order,
                ",".join(changes) or None,
            )
            await self._calls.ask(one.address, RequestCode.UPDATE_AND_CREATE_TOPIC, request)
        after = dict(await self.setups(topic))
        return [(one, after[one]) for one, _ in chosen if one in after]

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
