"""Positions of all groups and ends of dead letters, taken twice so as to see what moves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pocketmq.admin.doctor.asking import Asking
from pocketmq.admin.doctor.facts import BrokerFacts, DeadLetterFacts, Position, Queue
from pocketmq.admin.doctor.membership import is_hidden
from pocketmq.errors import PocketMQError
from pocketmq.message.topics import DEAD_LETTER_PREFIX
from pocketmq.protocol.bodies.stats import BrokerConsumeStats, ConsumeTimeSpan, TopicStats
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.groups import BrokerConsumeStatsRequest, GroupTopicRequest
from pocketmq.protocol.requests.topics import TopicRequest

_PATIENCE = 4
"""Positions of all groups at once take a broker longer than small questions."""
_AT_ONCE = 16
_READ_AT_ONCE_BYTES = 256 * 1024
_MAY_LACK = frozenset((ResponseCode.SUCCESS, ResponseCode.TOPIC_NOT_EXIST))


@dataclass(slots=True)
class Taken:
    """What one look brought."""

    positions: dict[str, dict[Queue, Position]] = field(default_factory=dict)
    """Group -> queue -> position."""
    dead: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Group -> how many dead letters, and when the newest came."""
    problems: list[str] = field(default_factory=list)

    @property
    def groups(self) -> set[str]:
        """The groups that have positions."""
        return set(self.positions)

    def of(self, group: str) -> Mapping[Queue, Position]:
        """The positions of one group."""
        return self.positions.get(group, {})

    def dead_letters_since(self, before: Taken) -> list[DeadLetterFacts]:
        """How the dead letters of each group have changed."""
        return [
            DeadLetterFacts(group, before.dead.get(group, (0, 0))[0], count, newest_ms)
            for group, (count, newest_ms) in sorted(self.dead.items())
        ]


async def _read(body: bytes) -> BrokerConsumeStats:
    """The positions in an answer.

    Of many groups that takes seconds, and a console that asks has others to serve meanwhile.
    """
    if len(body) <= _READ_AT_ONCE_BYTES:
        return BrokerConsumeStats.from_json(body)
    pool = ThreadPoolExecutor(1, "doctor")
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, BrokerConsumeStats.from_json, body)
    finally:
        pool.shutdown(wait=False)


class Samples:
    """Asks the masters."""

    def __init__(self, asking: Asking, masters: Sequence[BrokerFacts]) -> None:
        self._asking = asking
        self._masters = masters
        self.problems: list[str] = []

    async def take(self, dead_letter_topics: Sequence[str]) -> Taken:
        """Look once."""
        taken = Taken()
        turns = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(
            *(self._positions(broker, taken) for broker in self._masters),
            *(
                self._dead_letters(broker, topic, taken, turns)
                for topic in dead_letter_topics
                for broker in self._masters
            ),
        )
        return taken

    async def _positions(self, broker: BrokerFacts, taken: Taken) -> None:
        try:
            answer = await self._asking.ask(
                broker.address,
                RequestCode.GET_BROKER_CONSUME_STATS,
                BrokerConsumeStatsRequest(),
                patience=_PATIENCE,
            )
            told = await _read(bytes(answer.body))
        except PocketMQError as error:
            taken.problems.append(
                f"The positions of groups on broker {broker.name} are not known: {error}"
            )
            return
        for groups in told.consume_stats_list:
            for group, stats_of_topics in groups.items():
                if is_hidden(group):
                    continue
                found = taken.positions.setdefault(group, {})
                for stats in stats_of_topics:
                    for queue, offsets in stats.offset_table.items():
                        found[queue.topic, broker.name, queue.queue_id] = Position(
                            offsets.broker_offset, offsets.consumer_offset, offsets.pull_offset
                        )

    async def _dead_letters(
        self, broker: BrokerFacts, topic: str, taken: Taken, turns: asyncio.Semaphore
    ) -> None:
        async with turns:
            try:
                answer = await self._asking.ask(
                    broker.address,
                    RequestCode.GET_TOPIC_STATS_INFO,
                    TopicRequest(topic),
                    accept=_MAY_LACK,
                )
                stats = TopicStats.from_json(bytes(answer.body)) if answer.body else TopicStats()
            except PocketMQError as error:
                taken.problems.append(f"Topic {topic} on {broker.name} is not known: {error}")
                return
        group = topic[len(DEAD_LETTER_PREFIX) :]
        count, newest_ms = taken.dead.get(group, (0, 0))
        for offsets in stats.offset_table.values():
            count += offsets.max_offset - offsets.min_offset
            newest_ms = max(newest_ms, offsets.last_update_timestamp)
        taken.dead[group] = count, newest_ms

    async def waiting_ms(self, group: str, topic: str) -> dict[Queue, int]:
        """For how long the next message of each queue has been waiting for a group."""
        found: dict[Queue, int] = {}
        for broker in self._masters:
            try:
                answer = await self._asking.ask(
                    broker.address,
                    RequestCode.QUERY_CONSUME_TIME_SPAN,
                    GroupTopicRequest(group, topic),
                    accept=_MAY_LACK,
                )
                spans = ConsumeTimeSpan.from_json(bytes(answer.body)) if answer.body else None
            except PocketMQError as error:
                self.problems.append(
                    f"How long messages of {topic} wait for {group} on {broker.name} is not "
                    f"known: {error}"
                )
                continue
            for span in spans.consume_time_span_set if spans is not None else ():
                if span.message_queue is not None:
                    place = (topic, broker.name, span.message_queue.queue_id)
                    found[place] = span.delay_time
        return found
