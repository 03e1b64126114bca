"""Topics by request: create and change (17, 18), delete (215), look at (21, 305, 351).

A change is answered when it is saved and the name servers know of it, so that the next route query
finds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from pocketmq.broker.rules.attributes import changed_attributes
from pocketmq.broker.rules.pages import page_of
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.broker.state.statistics import Statistics
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import Refused
from pocketmq.message import topics as names
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.topic_config import (
    FILTER_TYPES,
    TopicConfig,
    TopicConfigList,
    TopicConfigTable,
    TopicList,
    parse_attribute_changes,
)
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.topics import (
    AllTopicConfigReply,
    AllTopicConfigRequest,
    CreateTopicRequest,
    TopicRequest,
)
from pocketmq.store import MessageStore

QUEUES_MAX: Final = 65_535

Settle = Callable[[], Awaitable[object]]
"""Saves changed tables and tells the name servers."""


class TopicsHandler:
    """Creates, changes, deletes and shows topics."""

    def __init__(
        self,
        topics: TopicTable,
        offsets: OffsetTable,
        statistics: Statistics,
        store: MessageStore,
        settle: Settle,
    ) -> None:
        self._topics = topics
        self._offsets = offsets
        self._statistics = statistics
        self._store = store
        self._settle = settle

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.UPDATE_AND_CREATE_TOPIC: self.create,
            RequestCode.UPDATE_AND_CREATE_TOPIC_LIST: self.create_many,
            RequestCode.DELETE_TOPIC_IN_BROKER: self.delete,
            RequestCode.GET_TOPIC_CONFIG: self.config,
            RequestCode.GET_ALL_TOPIC_CONFIG: self.all_configs,
            RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER: self.system_topics,
        }

    def create(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Create a topic or change it."""
        request = decode_fields(CreateTopicRequest, command.fields)
        try:
            changes = parse_attribute_changes(request.attributes)
        except ValueError as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        asked = TopicConfig(
            request.topic,
            request.read_queue_nums,
            request.write_queue_nums,
            request.perm,
            request.topic_filter_type,
            request.topic_sys_flag or 0,
            request.order,
            changes,
        )
        return self._apply(command, [self._checked(asked)])

    def create_many(self, connection: Connection, command: Command) -> Awaitable[Command] | Command:
        """Create or change the topics of a list; all are checked before any is changed."""
        asked = TopicConfigList.from_request(command.body).topic_config_list
        return self._apply(command, [self._checked(topic) for topic in asked])

    def _checked(self, asked: TopicConfig) -> TopicConfig:
        """The topic as it will be. Raise Refused. Its attributes come as signed changes."""
        name = asked.topic_name
        problem = names.topic_problem(name)
        if problem is None and self._topics.is_system(name):
            problem = f"topic {name!r} belongs to the broker and cannot be changed"
        for count in (asked.read_queue_nums, asked.write_queue_nums):
            if problem is None and not 0 <= count <= QUEUES_MAX:
                problem = f"a topic has 0 to {QUEUES_MAX} queues, not {count}"
        if problem is None and not 0 <= asked.perm <= 7:
            problem = f"perm {asked.perm} makes no sense; use 2 write, 4 read or 6 both"
        if problem is None and asked.topic_filter_type not in FILTER_TYPES:
            problem = f"the filter type is {asked.topic_filter_type[:40]!r}, not SINGLE_TAG"
        if problem is not None:
            raise Refused(ResponseCode.INVALID_PARAMETER, problem)
        known = self._topics.find(name)
        attributes = None if known is None else known.attributes
        # Tools that change one setting send all others as they read them, attributes unsigned.
        changes = {} if asked.attributes == attributes else asked.attributes
        return replace(asked, attributes=changed_attributes(attributes, changes))

    def _apply(self, command: Command, topics: list[TopicConfig]) -> Awaitable[Command] | Command:
        changed = [topic for topic in topics if self._topics.find(topic.topic_name) != topic]
        if not changed:
            return command.reply()
        self._topics.put_all(changed)
        return self._settled(command)

    async def _settled(self, command: Command) -> Command:
        await self._settle()
        return command.reply()

    def delete(self, connection: Connection, command: Command) -> Awaitable[Command]:
        """Delete a topic, its queues, every group's offsets in it and its pop retry topics."""
        name = decode_fields(TopicRequest, command.fields).topic
        if not name.strip():
            raise Refused(ResponseCode.INVALID_PARAMETER, "the topic name is blank")
        if self._topics.is_system(name):
            raise Refused(
                ResponseCode.INVALID_PARAMETER,
                f"topic {name!r} belongs to the broker and cannot be deleted",
            )
        for group in self._offsets.groups_of(name):
            for second_form in (False, True):
                retry = names.pop_retry_topic(group, name, second_form=second_form)
                if self._topics.find(retry) is not None:
                    self._delete(retry)
        self._delete(name)
        return self._settled(command)

    def _delete(self, name: str) -> None:
        self._topics.delete(name)
        self._offsets.remove_topic(name)
        self._store.delete_topic(name)
        self._statistics.remove_topic(name)

    def config(self, connection: Connection, command: Command) -> Command:
        """One topic's settings."""
        name = decode_fields(TopicRequest, command.fields).topic
        topic = self._topics.find(name)
        if topic is None:
            raise Refused(ResponseCode.TOPIC_NOT_EXIST, f"topic {name!r} does not exist")
        return command.reply(body=topic.to_json())

    def all_configs(self, connection: Connection, command: Command) -> Command:
        """All topics, or a page of them when the request asks for one."""
        request = decode_fields(AllTopicConfigRequest, command.fields)
        version = self._topics.data_version
        page = page_of(
            self._topics.configs,
            request.topic_seq,
            request.max_topic_num,
            request.data_version,
            version,
        )
        total = None if request.topic_seq is None else len(self._topics)
        return command.reply(
            fields=encode_fields(AllTopicConfigReply(total)),
            body=TopicConfigTable(page, version).to_json(),
        )

    def system_topics(self, connection: Connection, command: Command) -> Command:
        """The names that are reserved on this broker."""
        return command.reply(body=TopicList(tuple(self._topics.system_topics)).to_json())
