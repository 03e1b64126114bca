"""How topics and groups are set up, broker by broker, changed without losing what is not named.

RocketMQ overwrites a topic or a group as a whole, so a change is made of what each broker has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pocketmq.admin.clusters import Broker
from pocketmq.client.calls import Calls
from pocketmq.errors import ConfigError
from pocketmq.message.topics import AUTO_CREATE_TOPIC, group_problem, topic_problem
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.topics import CreateTopicRequest


@dataclass(frozen=True, slots=True)
class TopicChange:
    """What is to change; None leaves it as it is."""

    read_queues: int | None = None
    write_queues: int | None = None
    permission: int | None = None
    order: bool | None = None
    attributes: Mapping[str, str] | None = None
    """All attributes it is to have."""


class Configs:
    """Writes topics and groups."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def save_topic(
        self, topic: str, change: TopicChange, known: Sequence[tuple[Broker, TopicConfig | None]]
    ) -> None:
        """Create a topic on these masters, or change what they have. Raise ConfigError."""
        problem = topic_problem(topic)
        if problem is not None:
            raise ConfigError(problem)

        async def tell(broker: Broker, config: TopicConfig | None) -> None:
            await self._calls.ask(
                broker.address,
                RequestCode.UPDATE_AND_CREATE_TOPIC,
                _topic_request(topic, change, config),
            )

        await asyncio.gather(*(tell(broker, config) for broker, config in known))

    async def save_group(
        self,
        group: str,
        changes: Mapping[str, Any],
        known: Sequence[tuple[Broker, SubscriptionGroup | None]],
    ) -> None:
        """The same for a group. `changes` are fields of SubscriptionGroup. Raise ConfigError."""
        problem = group_problem(group)
        if problem is not None:
            raise ConfigError(problem)

        async def tell(broker: Broker, config: SubscriptionGroup | None) -> None:
            body = replace(config or SubscriptionGroup(group), **changes).to_json()
            code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
            await self._calls.ask(broker.address, code, body=body)

        await asyncio.gather(*(tell(broker, config) for broker, config in known))


def _topic_request(
    topic: str, change: TopicChange, known: TopicConfig | None
) -> CreateTopicRequest:
    now = known or TopicConfig(topic, 8, 8)
    return CreateTopicRequest(
        topic,
        AUTO_CREATE_TOPIC,
        now.read_queue_nums if change.read_queues is None else change.read_queues,
        now.write_queue_nums if change.write_queues is None else change.write_queues,
        now.perm if change.permission is None else change.permission,
        topic_filter_type=now.topic_filter_type,
        topic_sys_flag=now.topic_sys_flag,
        order=now.order if change.order is None else change.order,
        attributes=_attribute_changes(known, change.attributes),
    )


def _attribute_changes(known: TopicConfig | None, wanted: Mapping[str, str] | None) -> str | None:
    """The signed changes from the attributes there are to those wanted."""
    if wanted is None:
        return None
    now = known.attributes if known is not None else {}
    for name, value in wanted.items():
        if not name or not value or set(name + value) & set("+,= ") or name.startswith("-"):
            raise ConfigError(
                f"the attribute {name}={value} has a sign that attributes may not have"
            )
    changes = [f"+{name}={value}" for name, value in wanted.items() if now.get(name) != value]
    changes += [f"-{name}" for name in now if name not in wanted]
    return ",".join(changes) or None
