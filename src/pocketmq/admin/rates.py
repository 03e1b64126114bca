"""Live figures of topics and groups: how fast, how much, how far behind.

Each is one small request to each master; whoever wants many of them asks a few at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pocketmq.admin.clusters import Broker
from pocketmq.admin.groups import QueueProgress
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, NetError
from pocketmq.protocol.bodies.stats import BrokerStats, ConsumeStats, TopicStats
from pocketmq.protocol.bodies.subscription_group import GroupList
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.admin import BrokerStatsRequest
from pocketmq.protocol.requests.groups import ConsumeStatsRequest
from pocketmq.protocol.requests.topics import TopicRequest

_OUT: Final = "GROUP_GET_NUMS"
_GROUPS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class TopicRate:
    """How much a topic holds and how fast it grows."""

    topic: str
    messages: int
    per_second: float
    updated_ms: int


@dataclass(frozen=True, slots=True)
class GroupRate:
    """How far behind a group is and how fast it consumes."""

    group: str
    per_second: float
    queues: tuple[QueueProgress, ...]

    @property
    def lag(self) -> int:
        """The sum over its queues."""
        return sum(queue.lag for queue in self.queues)


class Rates:
    """Asks for figures. A broker that does not answer is left out, unless all are."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def topic(self, topic: str, masters: Sequence[Broker]) -> TopicRate:
        """The figures of a topic on these masters. Raise NetError, BrokerRefused."""
        code = RequestCode.GET_TOPIC_STATS_INFO
        messages, per_second, updated_ms = 0, 0.0, 0
        for _, body in await self._each(masters, code, TopicRequest(topic)):
            stats = TopicStats.from_json(body)
            per_second += stats.topic_put_tps
            for queue in stats.offset_table.values():
                messages += queue.max_offset - queue.min_offset
                updated_ms = max(updated_ms, queue.last_update_timestamp)
        return TopicRate(topic, messages, per_second, updated_ms)

    async def group(
        self, group: str, masters: Sequence[Broker], topic: str | None = None
    ) -> GroupRate:
        """The figures of a group, of one topic or all. Raise NetError, BrokerRefused."""
        request = ConsumeStatsRequest(group, topic)
        per_second = 0.0
        queues: list[QueueProgress] = []
        for broker, body in await self._each(masters, RequestCode.GET_CONSUME_STATS, request):
            stats = ConsumeStats.from_json(body)
            per_second += stats.consume_tps
            queues += [
                QueueProgress(
                    queue.topic,
                    broker.name,
                    queue.queue_id,
                    offsets.broker_offset,
                    offsets.consumer_offset,
                    offsets.last_timestamp,
                )
                for queue, offsets in stats.offset_table.items()
            ]
        queues.sort(key=lambda one: (one.topic, one.broker, one.queue_id))
        return GroupRate(group, per_second, tuple(queues))

    async def consumed(self, topic: str, masters: Sequence[Broker]) -> float:
        """How many messages of a topic left each second of the last minute, to all its groups."""
        found = await self._each(
            masters, RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, TopicRequest(topic)
        )
        names = {name for _, body in found for name in GroupList.from_json(body).group_list}
        answers = await asyncio.gather(
            *(
                self._each(
                    masters,
                    RequestCode.VIEW_BROKER_STATS_DATA,
                    BrokerStatsRequest(_OUT, f"{topic}@{name}"),
                )
                for name in sorted(names)[:_GROUPS_MAX]
            )
        )
        return sum(
            BrokerStats.from_json(body).stats_minute.tps for answer in answers for _, body in answer
        )

    async def _each(
        self, masters: Sequence[Broker], code: int, request: object
    ) -> list[tuple[Broker, bytes]]:
        """The answers; without those that know nothing of what is asked for."""
        answers = await asyncio.gather(
            *(self._calls.ask(broker.address, code, request) for broker in masters),
            return_exceptions=True,
        )
        found: list[tuple[Broker, bytes]] = []
        failed: list[BaseException] = []
        for broker, answer in zip(masters, answers, strict=True):
            if not isinstance(answer, BaseException):
                found.append((broker, bytes(answer.body)))
            elif isinstance(answer, BrokerRefused) and answer.code in _UNKNOWN:
                continue
            elif isinstance(answer, (NetError, BrokerRefused)):
                failed.append(answer)
            else:
                raise answer
        if failed and not found:
            raise failed[0]
        return found


_UNKNOWN: Final = frozenset(
    (
        ResponseCode.SYSTEM_ERROR,
        ResponseCode.CONSUMER_NOT_ONLINE,
        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        ResponseCode.QUERY_NOT_FOUND,
        ResponseCode.TOPIC_NOT_EXIST,
    )
)
