"""Consumer groups: which there are, who is in them, how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, ConfigError
from pocketmq.message.topics import BUILT_IN_GROUPS, group_problem, is_system_group
from pocketmq.protocol.bodies.connections import ConsumerConnections
from pocketmq.protocol.bodies.stats import ConsumeStats
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup, SubscriptionGroupTable
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.clients import ConsumerGroupRequest
from pocketmq.protocol.requests.groups import (
    ConsumeStatsRequest,
    DeleteGroupRequest,
    GroupForbiddenRequest,
)

GROUPS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """How far a group is in one queue.

    `consumed` is -1 where the group has no position; `consumed_ms` is when its newest consumed
    message came.
    """

    topic: str
    broker: str
    queue_id: int
    end: int
    consumed: int
    consumed_ms: int

    @property
    def lag(self) -> int:
        """How many messages it has yet to consume."""
        return max(self.end - max(self.consumed, 0), 0)


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
        tables = await self._clusters.each(await self._clusters.masters(), self._table)
        names = {name for _, table in tables for name in table.subscription_group_table}
        return sorted(name for name in names if everything or not _is_built_in(name))

    async def summaries(self) -> list[GroupSummary]:
        """All groups at a glance."""
        turns = asyncio.Semaphore(GROUPS_AT_ONCE)

        async def look(name: str) -> GroupSummary:
            async with turns:
                progress, members = await self.progress(name), await self.members(name)
            return GroupSummary(name, len(members), sum(queue.lag for queue in progress))

        return list(await asyncio.gather(*(look(name) for name in await self.names())))

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

    async def setups(self, group: str) -> list[tuple[Broker, SubscriptionGroup]]:
        """How each master that knows a group has set it up."""
        # Apache's brokers create a group when they are asked for it alone.
        tables = await self._clusters.each(await self._clusters.masters(), self._table)
        return [
            (broker, table.subscription_group_table[group])
            for broker, table in tables
            if group in table.subscription_group_table
        ]

    async def _table(self, broker: Broker) -> SubscriptionGroupTable:
        code = RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG
        answer = await self._calls.ask(broker.address, code)
        return SubscriptionGroupTable.from_json(bytes(answer.body))

    async def create(
        self,
        group: str,
        *,
        retries_max: int = 16,
        broadcast: bool = True,
        setup: SubscriptionGroup | None = None,
    ) -> list[Broker]:
        """Create a group on all masters, or change it; return them.

        `setup` says everything at once. Raise ConfigError for a name that cannot be.
        """
        problem = group_problem(group)
        if problem is not None:
            raise ConfigError(problem)
        config = setup or SubscriptionGroup(
            group, retry_max_times=retries_max, consume_broadcast_enable=broadcast
        )
        body = replace(config, group_name=group).to_json()
        masters = await self._clusters.masters()
        await self._clusters.each(masters, lambda broker: self._set_up(broker, body))
        return masters

    async def update(
        self, group: str, change: Callable[[SubscriptionGroup], SubscriptionGroup]
    ) -> list[tuple[Broker, SubscriptionGroup]]:
        """Change a group on all masters that know it, each from how it has it set up.

        Returns how it is set up afterwards. Raise ConfigError when no broker knows it.
        """
        known = await self.setups(group)
        if not known:
            raise ConfigError(
                f"there is no group {group!r}; `group list` shows those that are, and "
                f"`group create {group}` makes it"
            )
        for broker, config in known:
            await self._set_up(broker, change(config).to_json())
        return await self.setups(group)

    async def _set_up(self, broker: Broker, body: bytes) -> None:
        code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        await self._calls.ask(broker.address, code, body=body)

    async def forbid(self, group: str, topic: str, *, readable: bool) -> list[Broker]:
        """Let a group read a topic or not, on all masters of the topic; return them."""
        masters = await self._clusters.masters_of_topic(topic)
        request = GroupForbiddenRequest(group, topic, readable)
        code = RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN
        await self._clusters.each(
            masters, lambda broker: self._calls.ask(broker.address, code, request)
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
