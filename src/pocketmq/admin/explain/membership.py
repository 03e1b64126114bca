"""Facts about consumer groups: settings, members, what each wants, how far the group is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pocketmq.admin.explain.facts import Copy, GroupFacts, MemberFacts, MessageFacts
from pocketmq.admin.explain.search import all_of
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue
from pocketmq.errors import BrokerRefused, MalformedBody, NetError
from pocketmq.protocol.bodies.connections import ClientConnection, ConsumerConnections
from pocketmq.protocol.bodies.running import ConsumerRunning
from pocketmq.protocol.bodies.subscription_group import (
    GroupForbidden,
    SubscriptionGroup,
    SubscriptionGroupTable,
)
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.clients import ConsumerGroupRequest, ConsumerRunningRequest
from pocketmq.protocol.requests.groups import GroupForbiddenRequest

MEMBERS_ASKED_MAX: Final = 32
MEMBER_TIMEOUT_MS: Final = 3000
_FAILURES: Final = (NetError, BrokerRefused, MalformedBody)


async def group_configs(calls: Calls, address: str) -> dict[str, SubscriptionGroup]:
    """How the groups of a broker are set up. Raise what a call raises, MalformedBody.

    All at once: asked for one group, Apache's brokers would create it if there is none.
    """
    answer = await calls.ask(address, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
    return SubscriptionGroupTable.from_json(bytes(answer.body)).subscription_group_table


async def group_facts(
    calls: Calls, message: MessageFacts, group: str, config: SubscriptionGroup | None
) -> GroupFacts:
    """All about one group as the message's broker sees it."""
    copy = message.visible or message.copies[-1]
    asked = GroupMembers(calls, copy.address, group, message.topic)
    may_read, connections = await asyncio.gather(asked.may_read(), asked.connections())
    found = connections or ConsumerConnections()
    members = await asked.members(found.connection_set, copy)
    copies = [copy, *message.again_for(group)]
    subscription = found.subscription_table.get(message.topic)
    return GroupFacts(
        group,
        is_known=config is not None or bool(members),
        is_enabled=config is None or config.consume_enable,
        may_read=may_read,
        retries_max=None if config is None else config.retry_max_times,
        model=found.message_model or "",
        consume_type=found.consume_type or "",
        members=tuple(members),
        members_known=connections is not None,
        is_subscribed=subscription is not None,
        subscription=subscription,
        offsets=await asked.offsets(copies),
        problems=tuple(asked.problems),
    )


class GroupMembers:
    """Questions about one group. What a broker refuses is a problem to be told, not an error."""

    def __init__(self, calls: Calls, address: str, group: str, topic: str) -> None:
        self._calls = calls
        self._address = address
        self._group = group
        self._topic = topic
        self.problems: list[str] = []

    async def may_read(self) -> bool:
        """Whether no operator has forbidden the group to read the topic."""
        code = RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN
        try:
            request = GroupForbiddenRequest(self._group, self._topic)
            answer = await self._calls.ask(self._address, code, request)
            return GroupForbidden.from_json(bytes(answer.body)).readable
        except BrokerRefused:
            return True  # older brokers have no such prohibition
        except (NetError, MalformedBody) as error:
            self.problems.append(str(error))
            return True

    async def connections(self) -> ConsumerConnections | None:
        """Who is connected, and what the broker takes for the group's subscriptions.

        None when it does not tell.
        """
        code = RequestCode.GET_CONSUMER_CONNECTION_LIST
        try:
            answer = await self._calls.ask(self._address, code, ConsumerGroupRequest(self._group))
            return ConsumerConnections.from_json(bytes(answer.body))
        except BrokerRefused as error:
            if error.code == ResponseCode.CONSUMER_NOT_ONLINE:
                return ConsumerConnections()
            self.problems.append(str(error))
        except (NetError, MalformedBody) as error:
            self.problems.append(str(error))
        return None

    async def offsets(self, copies: Sequence[Copy]) -> dict[tuple[str, str, int], int | None]:
        """How far the group is in the queues of these copies."""
        queues = {(copy.broker, copy.topic, copy.queue_id): copy.address for copy in copies}

        found: dict[tuple[str, str, int], int | None] = {}

        async def ask(place: tuple[str, str, int]) -> None:
            broker, topic, queue_id = place
            queue = MessageQueue(topic, broker, queue_id)
            try:
                found[place] = await self._calls.consumer_offset(queues[place], self._group, queue)
            except _FAILURES as error:
                self.problems.append(str(error))

        await all_of(queues, ask)
        return found

    async def members(
        self, connections: Sequence[ClientConnection], copy: Copy
    ) -> list[MemberFacts]:
        """What each connected member tells of itself."""
        asked = await all_of(
            connections[:MEMBERS_ASKED_MAX], lambda client: self._member(client, copy)
        )
        rest = [
            MemberFacts(
                one.client_id,
                one.client_addr,
                one.language,
                problem=f"only the first {MEMBERS_ASKED_MAX} members are asked",
            )
            for one in connections[MEMBERS_ASKED_MAX:]
        ]
        return sorted(asked + rest, key=lambda member: member.client_id)

    async def _member(self, client: ClientConnection, copy: Copy) -> MemberFacts:
        try:
            running = await running_of(self._calls, self._address, self._group, client.client_id)
        except _FAILURES as error:
            return MemberFacts(
                client.client_id, client.client_addr, client.language, problem=str(error)
            )
        queue = MessageQueue(copy.topic, copy.broker, copy.queue_id)
        wanted = {data.topic: data for data in running.subscription_set}
        return MemberFacts(
            client.client_id,
            client.client_addr,
            client.language,
            tuple(sorted(wanted)),
            wanted.get(self._topic),
            running.mq_table.get(queue),
        )


async def running_of(calls: Calls, address: str, group: str, client_id: str) -> ConsumerRunning:
    """What a consumer tells of itself, relayed by its broker. Raise as calls do, MalformedBody."""
    answer = await calls.ask(
        address,
        RequestCode.GET_CONSUMER_RUNNING_INFO,
        ConsumerRunningRequest(group, client_id),
        timeout_ms=MEMBER_TIMEOUT_MS,
    )
    return ConsumerRunning.from_json(bytes(answer.body))
