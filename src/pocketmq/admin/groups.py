"""Consumer groups: which there are, who is in them, how far they are."""

from __future__ import annotations

from dataclasses import dataclass

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, ConfigError
from pocketmq.message.topics import BUILT_IN_GROUPS, is_system_group
from pocketmq.protocol.bodies.connections import ConsumerConnections
from pocketmq.protocol.bodies.stats import ConsumeStats
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup, SubscriptionGroupTable
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.clients import ConsumerGroupRequest
from pocketmq.protocol.requests.groups import ConsumeStatsRequest, DeleteGroupRequest


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """How far a group is in one queue. `consumed_ms`: when its newest consumed message came."""

    topic: str
    broker: str
    queue_id: int
    end: int
    consumed: int
    consumed_ms: int

    @property
    def lag(self) -> int:
        """How many messages it has yet to consume."""
        return max(self.end - self.consumed, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """One connected consumer of a group, and what it subscribes to."""

    client_id: str
    address: str
    language: str
    version: int
    subscriptions: dict[str, str]


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group at a glance."""

    name: str
    members: int
    lag: int


class Groups:
    """What an operator does with consumer groups."""

    def __init__(self, calls: Calls, clusters: Clusters) -> None:
        self._calls = calls
        self._clusters = clusters

    async def names(self, *, everything: bool = False) -> list[str]:
        """The names of all groups. `everything`: those of the system too."""

        async def ask(broker: Broker) -> SubscriptionGroupTable:
            code = RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG
            return SubscriptionGroupTable.from_json(
                bytes((await self._calls.ask(broker.address, code)).body)
            )

        tables = await self._clusters.each(await self._clusters.masters(), ask)
        names = {name for _, table in tables for name in table.subscription_group_table}
        return sorted(name for name in names if everything or not _is_built_in(name))

    async def summaries(self) -> list[GroupSummary]:
        """All groups at a glance."""
        found = []
        for name in await self.names():
            progress, members = await self.progress(name), await self.members(name)
            found.append(GroupSummary(name, len(members), sum(queue.lag for queue in progress)))
        return found

    async def progress(self, group: str, topic: str | None = None) -> list[QueueProgress]:
        """How far a group is in each queue of its topics, or of one."""

        async def ask(broker: Broker) -> ConsumeStats:
            request = ConsumeStatsRequest(group, topic)
            answer = await self._asked(broker, RequestCode.GET_CONSUME_STATS, request)
            return ConsumeStats() if answer is None else ConsumeStats.from_json(answer)

        found = [
            QueueProgress(
                queue.topic,
                broker.name,
                queue.queue_id,
                offsets.broker_offset,
                offsets.consumer_offset,
                offsets.last_timestamp,
            )
            for broker, stats in await self._clusters.each(await self._clusters.masters(), ask)
            for queue, offsets in stats.offset_table.items()
        ]
        return sorted(found, key=lambda queue: (queue.topic, queue.broker, queue.queue_id))

    async def members(self, group: str) -> list[Member]:
        """The consumers of a group that are connected; none when it is offline."""

        async def ask(broker: Broker) -> ConsumerConnections:
            code = RequestCode.GET_CONSUMER_CONNECTION_LIST
            answer = await self._asked(broker, code, ConsumerGroupRequest(group))
            return (
                ConsumerConnections() if answer is None else ConsumerConnections.from_json(answer)
            )

        found: dict[str, Member] = {}
        for _, connections in await self._clusters.each(await self._clusters.masters(), ask):
            wanted = {
                topic: data.sub_string for topic, data in connections.subscription_table.items()
            }
            for one in connections.connection_set:
                found[one.client_id] = Member(
                    one.client_id, one.client_addr, one.language, one.version, wanted
                )
        return [found[client_id] for client_id in sorted(found)]

    async def create(
        self, group: str, *, retries_max: int = 16, broadcast: bool = True
    ) -> list[Broker]:
        """Create a group on all masters, or change it; return them."""
        body = SubscriptionGroup(
            group, retry_max_times=retries_max, consume_broadcast_enable=broadcast
        ).to_json()
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        masters = await self._clusters.masters()
        await self._clusters.each(
            masters, lambda broker: self._calls.ask(broker.address, code, body=body)
        )
        return masters

    async def delete(self, group: str, *, offsets_too: bool = False) -> list[Broker]:
        """Delete a group on all masters; return them. Raise ConfigError while it has members."""
        members = await self.members(group)
        if members:
            raise ConfigError(
                f"group {group!r} has {len(members)} connected consumers, which would create it "
                f"again; stop them first: {', '.join(member.client_id for member in members[:5])}"
            )
        masters = await self._clusters.masters()
        request = DeleteGroupRequest(group, offsets_too)
        code = RequestCode.DELETE_SUBSCRIPTIONGROUP
        await self._clusters.each(
            masters, lambda broker: self._calls.ask(broker.address, code, request)
        )
        return masters

    async def _asked(self, broker: Broker, code: int, request: object) -> bytes | None:
        """A broker's answer; None when it knows nothing of the group."""
        try:
            return bytes((await self._calls.ask(broker.address, code, request)).body)
        except BrokerRefused as error:
            if error.code in _UNKNOWN:
                return None
            raise


_UNKNOWN = frozenset(
    (
        ResponseCode.CONSUMER_NOT_ONLINE,
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        ResponseCode.QUERY_NOT_FOUND,
        ResponseCode.TOPIC_NOT_EXIST,
    )
)


def _is_built_in(name: str) -> bool:
    return is_system_group(name) or name in BUILT_IN_GROUPS
