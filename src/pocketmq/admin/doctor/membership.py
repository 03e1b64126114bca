"""Facts about groups: which there are, who is in them, what each member wants."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pocketmq.admin.doctor.asking import Asking
from pocketmq.admin.doctor.facts import BrokerFacts, GroupFacts, MemberFacts
from pocketmq.admin.doctor.limits import Limits
from pocketmq.errors import BrokerRefused, PocketMQError
from pocketmq.filtering.subscriptions import SQL92
from pocketmq.message.topics import BUILT_IN_GROUPS, RETRY_PREFIX, is_system_group
from pocketmq.protocol.bodies.connections import ClientConnection, ConsumerConnections
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.bodies.running import ConsumerRunning
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroupTable
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.clients import ConsumerGroupRequest, ConsumerRunningRequest

_OFFLINE = frozenset((ResponseCode.SUCCESS, ResponseCode.CONSUMER_NOT_ONLINE))


class Membership:
    """Asks the masters. `problems` are sentences about what they did not tell."""

    def __init__(self, asking: Asking, masters: Sequence[BrokerFacts], limits: Limits) -> None:
        self._asking = asking
        self._masters = masters
        self._limits = limits
        self.problems: list[str] = []

    async def group_names(self) -> set[str]:
        """The groups of users on any master."""
        found = await asyncio.gather(*(self._groups_on(broker) for broker in self._masters))
        names = set().union(*found) if found else set()
        return {name for name in names if not is_hidden(name)}

    async def _groups_on(self, broker: BrokerFacts) -> set[str]:
        code = RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG
        try:
            answer = await self._ask(broker, code)
            table = SubscriptionGroupTable.from_json(answer)
        except PocketMQError as error:
            self.problems.append(f"The groups of broker {broker.name} are not known: {error}")
            return set()
        return set(table.subscription_group_table)

    async def group(self, name: str) -> GroupFacts:
        """One group, its positions left out."""
        members: dict[str, tuple[BrokerFacts, ClientConnection]] = {}
        wants: dict[str, str] = {}
        model = consume_type = ""
        told = await asyncio.gather(*(self._connections(broker, name) for broker in self._masters))
        for broker, connections in zip(self._masters, told, strict=True):
            for client in connections.connection_set:
                members.setdefault(client.client_id, (broker, client))
            for topic, data in connections.subscription_table.items():
                wants[topic] = expression_of(data)
            model = connections.message_model or model
            consume_type = connections.consume_type or consume_type
        chosen = sorted(members)[: self._limits.members_asked_max]
        views = await asyncio.gather(*(self._member(name, *members[one]) for one in chosen))
        rest = [
            _silent(members[one][1], "not asked, as there are many")
            for one in sorted(members)[self._limits.members_asked_max :]
        ]
        return GroupFacts(name, (*views, *rest), wants, model, consume_type)

    async def _connections(self, broker: BrokerFacts, group: str) -> ConsumerConnections:
        code = RequestCode.GET_CONSUMER_CONNECTION_LIST
        try:
            answer = await self._ask(broker, code, ConsumerGroupRequest(group), accept=_OFFLINE)
            return ConsumerConnections.from_json(answer) if answer else ConsumerConnections()
        except BrokerRefused as error:
            self.problems.append(f"Broker {broker.name} did not tell who is in {group}: {error}")
        except PocketMQError as error:
            self.problems.append(f"Broker {broker.name} did not answer: {error}")
        return ConsumerConnections()

    async def _member(
        self, group: str, broker: BrokerFacts, client: ClientConnection
    ) -> MemberFacts:
        """What a member tells of itself. Many clients cannot, which is no problem."""
        code = RequestCode.GET_CONSUMER_RUNNING_INFO
        request = ConsumerRunningRequest(group, client.client_id)
        try:
            answer = await self._asking.ask(broker.address, code, request, relayed=True)
            running = ConsumerRunning.from_json(bytes(answer.body))
        except PocketMQError as error:
            return _silent(client, str(error))
        return MemberFacts(
            client.client_id,
            client.client_addr,
            client.language,
            client.version,
            {data.topic: expression_of(data) for data in running.subscription_set},
            frozenset(
                (queue.topic, queue.broker_name, queue.queue_id)
                for queue in (*running.mq_table, *running.mq_pop_table)
            ),
        )

    async def _ask(
        self,
        broker: BrokerFacts,
        code: int,
        request: object = None,
        *,
        accept: frozenset[int] = frozenset((0,)),
    ) -> bytes:
        answer = await self._asking.ask(
            broker.address,
            code,
            request,
            accept=accept,
        )
        return bytes(answer.body)


def expression_of(data: SubscriptionData) -> str:
    """A subscription in one text."""
    return f"SQL {data.sub_string}" if data.expression_type == SQL92 else data.sub_string


def is_hidden(group: str) -> bool:
    """Whether a group is the system's own."""
    return is_system_group(group) or group in BUILT_IN_GROUPS or group.startswith(RETRY_PREFIX)


def _silent(client: ClientConnection, problem: str) -> MemberFacts:
    return MemberFacts(
        client.client_id, client.client_addr, client.language, client.version, problem=problem
    )
