"""CONSUMER_SEND_MSG_BACK (36): a consumer returns a message that it could not handle.

A copy goes to the group's retry topic, by way of a delay level, or of the timer when the group has
a retry policy of its own. After too many tries it goes to the group's dead letter topic. The copy
keeps body, properties, keys, birth and the id of the first original.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Mapping
from typing import Final

from pocketmq.broker.handlers.topics import Settle
from pocketmq.broker.rules import permission
from pocketmq.broker.rules.retry_policy import own_delay_ms
from pocketmq.broker.services.cold_reads import ColdReadService
from pocketmq.broker.services.intake import Intake, OwnMessage
from pocketmq.broker.services.placing import Placer
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import Refused, StoreError
from pocketmq.message import topics as names
from pocketmq.message.ids import offset_message_id
from pocketmq.message.properties import (
    DELAY,
    ORIGIN_MESSAGE_ID,
    RETRY_TOPIC,
    TIMER_DEL_UNIQKEY,
    TIMER_DELAY_MS,
    TIMER_OUT_MS,
    TIMER_REQUESTS,
    WAIT,
)
from pocketmq.message.record import Record
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.send import SendBackRequest
from pocketmq.store import MessageStore

# Clients older than 3.4.9 do not say how often a message may be retried.
_VERSION_WITH_MAX_RECONSUME: Final = 121
_FIRST_LEVEL: Final = 3
_TIMER_PROPERTIES: Final = (*TIMER_REQUESTS, TIMER_OUT_MS, TIMER_DEL_UNIQKEY)


class RetryHandler:
    """Serves send-backs."""

    def __init__(
        self,
        topics: TopicTable,
        groups: GroupTable,
        statistics: Statistics,
        store: MessageStore,
        intake: Intake,
        placer: Placer,
        settle: Settle,
        cold_reads: ColdReadService,
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._statistics = statistics
        self._store = store
        self._intake = intake
        self._placer = placer
        self._settle = settle
        self._cold_reads = cold_reads

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {RequestCode.CONSUMER_SEND_MSG_BACK: self.send_back}

    def send_back(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Keep a message to be consumed again. Raise Refused, ProtocolError."""
        request = decode_fields(SendBackRequest, command.fields)
        group = self._groups.find_or_create(request.group)
        if group is None:
            raise Refused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                f"subscription group not exist, {request.group!r}; create it with updateSubGroup",
            )
        if not permission.writable(self._topics.broker_permission):
            raise Refused(
                ResponseCode.NO_PERMISSION, "this broker is not writable; see brokerPermission"
            )
        if group.retry_queue_nums <= 0:
            return command.reply()
        return self._send_back(command, request, group)

    async def _send_back(
        self, command: Command, request: SendBackRequest, group: SubscriptionGroup
    ) -> Command:
        version = self._topics.changes.version
        retry_topic = self._retry_topic(group, unit_mode=bool(request.unit_mode))
        look = self._store.in_memory
        record = await self._cold_reads.look_up(lambda: look.decoded_record_at(request.offset))
        if record is None:
            raise Refused(
                ResponseCode.SYSTEM_ERROR,
                f"look message by offset failed, {request.offset}: no message begins there; it "
                "may have expired",
            )
        times_max = group.retry_max_times
        if command.version >= _VERSION_WITH_MAX_RECONSUME:
            stated = request.max_reconsume_times
            times_max = times_max if stated is None else stated
        if record.reconsume_times >= times_max or request.delay_level < 0:
            message = self._copy(record, self._dead_letter_topic(group.group_name))
            message.properties[DELAY] = "0"
        else:
            message = self._copy(record, retry_topic)
            message.queue_id = _any_queue(retry_topic, group.retry_queue_nums)
            self._set_delay(message, record.reconsume_times, request.delay_level, group)
        made_topic = self._topics.changes.version != version
        return await self._put(command, group.group_name, message, made_topic=made_topic)

    def _retry_topic(self, group: SubscriptionGroup, *, unit_mode: bool) -> TopicConfig:
        name = names.retry_topic(group.group_name)
        topic = self._topics.find(name) or self._topics.create_retry(
            group.group_name, group.retry_queue_nums, unit_mode=unit_mode
        )
        if topic is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"topic[{name}] not exist: too many topics")
        if not permission.writable(topic.perm):
            raise Refused(
                ResponseCode.NO_PERMISSION, f"the topic[{name}] sending message is forbidden"
            )
        return topic

    def _dead_letter_topic(self, group: str) -> TopicConfig:
        name = names.dead_letter_topic(group)
        topic = self._topics.find(name) or self._topics.create(name, 1, names.PERM_READ_WRITE)
        if topic is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"topic[{name}] not exist: too many topics")
        return topic

    def _copy(self, record: Record, topic: TopicConfig) -> OwnMessage:
        properties = record.properties
        properties.setdefault(RETRY_TOPIC, record.topic)
        properties.setdefault(
            ORIGIN_MESSAGE_ID, offset_message_id(record.store_host, record.log_offset)
        )
        properties[WAIT] = "false"
        return OwnMessage(
            topic.topic_name,
            0,
            bytes(record.body),
            properties,
            record.flag,
            record.sys_flag,
            record.born_timestamp_ms,
            record.born_host,
            record.reconsume_times + 1,
        )

    def _set_delay(
        self, message: OwnMessage, times: int, level: int, group: SubscriptionGroup
    ) -> None:
        """Make a copy wait: as its consumer says, else as its group's policy or the levels do."""
        rules = self._placer.rules
        own_ms = own_delay_ms(group.group_retry_policy, times) if level == 0 else None
        if own_ms is None or not rules.timer_enabled:
            message.properties[DELAY] = str(level or _FIRST_LEVEL + times)
            return
        for name in (*_TIMER_PROPERTIES, DELAY):
            message.properties.pop(name, None)
        message.properties[TIMER_DELAY_MS] = str(min(own_ms, rules.timer_delay_ms_max))

    async def _put(
        self, command: Command, group: str, message: OwnMessage, *, made_topic: bool
    ) -> Command:
        try:
            if made_topic:
                await self._settle()
            await self._intake.put_placed_durably(message)
        except StoreError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        key = f"{message.properties[RETRY_TOPIC]}@{group}"
        self._statistics.add("SNDBCK_PUT_NUMS", key)
        if names.is_dead_letter_topic(message.topic):
            self._statistics.add("DLQ_PUT_NUMS", key)
        return command.reply()


def _any_queue(topic: TopicConfig, count: int) -> int:
    return random.randrange(max(min(topic.write_queue_nums, count), 1))
