"""Figures about topics and groups: 202, 208, 303, 315 and 317.

Most tell when a message was stored, which for old ones must be read from the disk first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from pocketmq.broker.handlers.admin.progress import Progress
from pocketmq.broker.rules.advertised import advertised_address
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.net.connection import Served
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.stats import (
    BrokerConsumeStats,
    ConsumeStats,
    ConsumeTimeSpan,
    GroupOffset,
    QueueTimeSpan,
    TopicOffset,
    TopicStats,
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
        cold_reads: ColdReadService,
    ) -> None:
        self._progress = progress
        self._cold_reads = cold_reads
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

    def topic(self, connection: Connection, command: Command) -> Served:
        """The extent of each queue of a topic."""
        return self._cold_reads.when_in_memory(lambda: self._topic(command))

    def _topic(self, command: Command) -> Command:
        name = decode_fields(TopicRequest, command.fields).topic
        topic = self._require(name)
        queues = range(max(topic.read_queue_nums, topic.write_queue_nums))
        extents = all_of(partial(self._extent, name, number) for number in queues)
        keys = [self._progress.queue(name, number) for number in queues]
        table = dict(zip(keys, extents, strict=True))
        stats = TopicStats(table, self._statistics.put_tps(name))
        return command.reply(body=stats.to_json())

    def _extent(self, topic: str, queue_id: int) -> TopicOffset:
        store = self._progress.store
        smallest, end = store.queue_offsets(topic, queue_id)
        updated = store.in_memory.store_time_of(topic, queue_id, end - 1) if end else 0
        return TopicOffset(smallest, end, max(updated, 0))

    def group(self, connection: Connection, command: Command) -> Served:
        """How far a group is in each queue of its topics."""
        return self._cold_reads.when_in_memory(lambda: self._group(command))

    def _group(self, command: Command) -> Command:
        request = decode_fields(ConsumeStatsRequest, command.fields)
        group = request.consumer_group
        if request.topic_list:
            names: Iterable[str] = [name for name in request.topic_list.split(";") if name]
        else:
            names = self._progress.topics_of(group, request.topic or "")
        topics = [topic for topic in map(self._topics.find, names) if topic is not None]
        offsets: dict[MessageQueue, GroupOffset] = {}
        for found in all_of(
            partial(self._progress.of, group, topic.topic_name, range(topic.read_queue_nums))
            for topic in topics
        ):
            offsets |= found
        tps = sum(self._statistics.get_tps(group, topic.topic_name) for topic in topics)
        return command.reply(body=ConsumeStats(offsets, tps).to_json())

    def all_groups(self, connection: Connection, command: Command) -> Served:
        """How far every group is in its topics."""
        ordered_only = decode_fields(BrokerConsumeStatsRequest, command.fields).is_order
        return self._cold_reads.when_in_memory(
            lambda: self._all_groups(connection, command, ordered_only=ordered_only)
        )

    def _all_groups(
        self, connection: Connection, command: Command, *, ordered_only: bool
    ) -> Command:
        groups = list(self._groups.configs)
        tables = all_of(partial(self._tables, name, ordered_only) for name in groups)
        listed = [{group: found} for group, found in zip(groups, tables, strict=True)]
        behind = in_flight = 0
        for stats_of_topic in [stats for found in tables for stats in found]:
            for offset in stats_of_topic.offset_table.values():
                behind += offset.broker_offset - offset.consumer_offset
                in_flight += offset.pull_offset - offset.consumer_offset
        stats = BrokerConsumeStats(
            tuple(listed),
            advertised_address(self._advertise, connection),
            behind,
            in_flight,
        )
        return command.reply(body=stats.to_json())

    def _tables(self, group: str, ordered_only: bool) -> tuple[ConsumeStats, ...]:
        """How far a group is in each of its topics."""
        topics = [
            topic
            for topic in map(self._topics.find, self._progress.topics_of(group))
            if topic is not None and (topic.order or not ordered_only)
        ]
        offsets = all_of(
            partial(self._progress.of, group, topic.topic_name, range(topic.write_queue_nums))
            for topic in topics
        )
        return tuple(
            ConsumeStats(found, self._statistics.get_tps(group, topic.topic_name))
            for topic, found in zip(topics, offsets, strict=True)
        )

    def time_span(self, connection: Connection, command: Command) -> Served:
        """The times that each queue of a topic covers, and where in them a group is."""
        return self._cold_reads.when_in_memory(lambda: self._time_span(command))

    def _time_span(self, command: Command) -> Command:
        request = decode_fields(GroupTopicRequest, command.fields)
        name = request.topic or ""
        topic = self._require(name)
        spans = all_of(
            partial(self._span, name, number, request.group)
            for number in range(topic.write_queue_nums)
        )
        return command.reply(body=ConsumeTimeSpan(tuple(spans)).to_json())

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

    def _require(self, name: str) -> TopicConfig:
        topic = self._topics.find(name)
        if topic is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {name!r} does not exist")
        return topic


def _local_time(moment_ms: int) -> str:
    moment = datetime.fromtimestamp(max(moment_ms, 0) // 1000)
    return f"{moment:%Y-%m-%d#%H:%M:%S}:{max(moment_ms, 0) % 1000:03d}"
