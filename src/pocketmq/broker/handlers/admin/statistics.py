"""Figures about topics and groups: 202, 208, 303, 315 and 317.

Most tell when a message was stored, which for old ones must be read from the disk first. With many
queues or groups they take long to put together, so that is done in steps, a block of queues each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from pocketmq.broker.handlers.admin.progress import Progress
from pocketmq.broker.rules.advertised import advertised_address
from pocketmq.broker.services.long_work import LongWork, Steps
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.stats import (
    BrokerConsumeStats,
    ConsumeStats,
    ConsumeTimeSpan,
    QueueTimeSpan,
    TopicOffset,
    TopicStats,
    filled,
    group_item,
    items,
    rows,
)
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.admin import BrokerStatsRequest
from pocketmq.protocol.requests.groups import (
    BrokerConsumeStatsRequest,
    ConsumeStatsRequest,
    GroupTopicRequest,
)
from pocketmq.protocol.requests.topics import TopicRequest
from pocketmq.store import all_of

_BLOCK: Final = 64


class _Answer:
    """The pieces of a long answer, and what they sum up to. Raise Refused when it gets too long."""

    def __init__(self, bytes_max: int, size: int = 0) -> None:
        self.pieces: list[bytes] = []
        self.size = size
        self.behind = 0
        self.in_flight = 0
        self._bytes_max = bytes_max

    def add(self, piece: bytes, *, counted: bool = False) -> None:
        """Add a piece; the bytes of one whose parts are `counted` do not count again."""
        self.pieces.append(piece)
        if not counted:
            self.size += len(piece)
        if self.size > self._bytes_max:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"the answer would be longer than {self._bytes_max} bytes, which no client reads; "
                "ask for one group (consumerProgress -g) or topic at a time",
            )


def _blocks(queue_count: int) -> Iterator[range]:
    for first in range(0, queue_count, _BLOCK):
        yield range(first, min(first + _BLOCK, queue_count))


class StatisticsHandler:
    """Computes figures from the tables and the store."""

    def __init__(
        self,
        progress: Progress,
        topics: TopicTable,
        groups: GroupTable,
        statistics: Statistics,
        clock: Clock,
        advertise: str,
        long_work: LongWork,
        answer_bytes_max: int,
    ) -> None:
        self._progress = progress
        self._long_work = long_work
        self._answer_bytes_max = answer_bytes_max
        self._topics = topics
        self._groups = groups
        self._statistics = statistics
        self._clock = clock
        self._advertise = advertise

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_TOPIC_STATS_INFO: self.topic,
            RequestCode.GET_CONSUME_STATS: self.group,
            RequestCode.GET_BROKER_CONSUME_STATS: self.all_groups,
            RequestCode.QUERY_CONSUME_TIME_SPAN: self.time_span,
            RequestCode.VIEW_BROKER_STATS_DATA: self.figures,
        }

    async def topic(self, connection: Connection, command: Command) -> Command:
        """The extent of each queue of a topic."""
        name = decode_fields(TopicRequest, command.fields).topic
        topic = self._require(name)
        answer = self._answer()
        async with self._long_work.steps() as steps:
            for block in _blocks(max(topic.read_queue_nums, topic.write_queue_nums)):
                look = partial(self._extents, name, block)
                answer.add(rows(await steps.look_up(look)))
                await steps.pause()
        stats = TopicStats(topic_put_tps=self._statistics.put_tps(name))
        return command.reply(body=filled(stats, answer.pieces))

    def _extents(self, topic: str, queue_ids: range) -> dict[MessageQueue, TopicOffset]:
        extents = all_of(partial(self._extent, topic, number) for number in queue_ids)
        keys = [self._progress.queue(topic, number) for number in queue_ids]
        return dict(zip(keys, extents, strict=True))

    def _extent(self, topic: str, queue_id: int) -> TopicOffset:
        store = self._progress.store
        smallest, end = store.queue_offsets(topic, queue_id)
        updated = store.in_memory.store_time_of(topic, queue_id, end - 1) if end else 0
        return TopicOffset(smallest, end, max(updated, 0))

    async def group(self, connection: Connection, command: Command) -> Command:
        """How far a group is in each queue of its topics."""
        request = decode_fields(ConsumeStatsRequest, command.fields)
        group = request.consumer_group
        if request.topic_list:
            names: Iterable[str] = [name for name in request.topic_list.split(";") if name]
        else:
            names = self._progress.topics_of(group, request.topic or "")
        topics = [topic for topic in map(self._topics.find, names) if topic is not None]
        answer = self._answer()
        async with self._long_work.steps() as steps:
            for topic in topics:
                await self._progress_in(
                    answer, steps, group, topic.topic_name, topic.read_queue_nums
                )
        tps = sum(self._statistics.get_tps(group, topic.topic_name) for topic in topics)
        return command.reply(body=filled(ConsumeStats(consume_tps=tps), answer.pieces))

    async def all_groups(self, connection: Connection, command: Command) -> Command:
        """How far every group is in its topics."""
        ordered_only = decode_fields(BrokerConsumeStatsRequest, command.fields).is_order
        groups = self._answer()
        behind = in_flight = 0
        async with self._long_work.steps() as steps:
            for group in list(self._groups.configs):
                tables = []
                for topic in map(self._topics.find, self._progress.topics_of(group)):
                    if topic is None or (ordered_only and not topic.order):
                        continue
                    name, answer = topic.topic_name, self._answer(groups.size)
                    await self._progress_in(answer, steps, group, name, topic.write_queue_nums)
                    tps = self._statistics.get_tps(group, name)
                    table = filled(ConsumeStats(consume_tps=tps), answer.pieces)
                    groups.size += len(table)
                    tables.append(table)
                    behind += answer.behind
                    in_flight += answer.in_flight
                groups.add(group_item(group, tables), counted=True)
                await steps.pause()
        address = advertised_address(self._advertise, connection)
        stats = BrokerConsumeStats((), address, behind, in_flight)
        return command.reply(body=filled(stats, groups.pieces))

    async def _progress_in(
        self, answer: _Answer, steps: Steps, group: str, topic: str, queue_count: int
    ) -> None:
        """Add how far a group is in the queues of a topic to an answer."""
        for block in _blocks(queue_count):
            found = await steps.look_up(partial(self._progress.of, group, topic, block))
            answer.add(rows(found))
            for offset in found.values():
                answer.behind += offset.broker_offset - offset.consumer_offset
                answer.in_flight += offset.pull_offset - offset.consumer_offset
            await steps.pause()

    async def time_span(self, connection: Connection, command: Command) -> Command:
        """The times that each queue of a topic covers, and where in them a group is."""
        request = decode_fields(GroupTopicRequest, command.fields)
        name = request.topic or ""
        topic = self._require(name)
        answer = self._answer()
        async with self._long_work.steps() as steps:
            for block in _blocks(topic.write_queue_nums):
                answer.add(items(await steps.look_up(partial(self._spans, name, block, request))))
                await steps.pause()
        return command.reply(body=filled(ConsumeTimeSpan(), answer.pieces))

    def _spans(
        self, topic: str, queue_ids: range, request: GroupTopicRequest
    ) -> list[QueueTimeSpan]:
        return all_of(partial(self._span, topic, number, request.group) for number in queue_ids)

    def _span(self, topic: str, queue_id: int, group: str) -> QueueTimeSpan:
        store = self._progress.store
        smallest, end = store.queue_offsets(topic, queue_id)
        consumed = self._progress.committed(group, topic, queue_id)
        time_of = partial(store.in_memory.store_time_of, topic, queue_id)
        first_ms, last_ms = time_of(smallest), time_of(end - 1)
        consumed_ms = time_of(consumed - 1) if consumed else first_ms
        delay_ms = 0
        if consumed < end:
            waiting_since_ms = time_of(max(consumed, smallest))
            delay_ms = max(self._clock.now_ms() - waiting_since_ms, 0)
        return QueueTimeSpan(
            self._progress.queue(topic, queue_id),
            first_ms,
            last_ms,
            consumed_ms,
            delay_ms,
            _local_time(first_ms),
            _local_time(last_ms),
            _local_time(consumed_ms),
        )

    def figures(self, connection: Connection, command: Command) -> Command:
        """One statistic by RocketMQ's name."""
        request = decode_fields(BrokerStatsRequest, command.fields)
        found = self._statistics.figures(request.stats_name, request.stats_key)
        if found is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"nothing was counted as {request.stats_name[:80]} of {request.stats_key[:160]!r}",
            )
        return command.reply(body=found.to_json())

    def _answer(self, size: int = 0) -> _Answer:
        return _Answer(self._answer_bytes_max, size)

    def _require(self, name: str) -> TopicConfig:
        topic = self._topics.find(name)
        if topic is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {name!r} does not exist")
        return topic


def _local_time(moment_ms: int) -> str:
    moment = datetime.fromtimestamp(max(moment_ms, 0) // 1000)
    return f"{moment:%Y-%m-%d#%H:%M:%S}:{max(moment_ms, 0) % 1000:03d}"
