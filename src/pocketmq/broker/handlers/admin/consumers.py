"""Who consumes and produces what: 203, 204, 300, 328, 343 and 345."""

from __future__ import annotations

from collections.abc import Mapping

from pocketmq.broker.handlers.described import (
    client_document,
    language_name,
    subscription_document,
)
from pocketmq.broker.rules.advertised import advertised_address
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.errors import Refused
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.connections import (
    ConsumerConnections,
    ProducerClient,
    ProducerConnections,
    ProducerTable,
)
from pocketmq.protocol.bodies.stats import GroupSubscription
from pocketmq.protocol.bodies.subscription_group import GroupList
from pocketmq.protocol.bodies.topic_config import TopicList
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.clients import ConsumerGroupRequest, ProducerGroupRequest
from pocketmq.protocol.requests.groups import GroupRequest, GroupTopicRequest
from pocketmq.protocol.requests.topics import TopicRequest


class ConsumersHandler:
    """Lists connections, groups of topics and topics of groups."""

    def __init__(self, clients: ClientTable, offsets: OffsetTable, advertise: str) -> None:
        self._clients = clients
        self._offsets = offsets
        self._advertise = advertise

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.GET_CONSUMER_CONNECTION_LIST: self.consumers,
            RequestCode.GET_PRODUCER_CONNECTION_LIST: self.producers,
            RequestCode.GET_ALL_PRODUCER_INFO: self.all_producers,
            RequestCode.QUERY_TOPIC_CONSUME_BY_WHO: self.groups_of_topic,
            RequestCode.QUERY_TOPICS_BY_CONSUMER: self.topics_of_group,
            RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER: self.subscription,
        }

    def consumers(self, connection: Connection, command: Command) -> Command:
        """The connected members of a consumer group, and what it is subscribed to."""
        name = decode_fields(ConsumerGroupRequest, command.fields).consumer_group
        group = self._clients.consumer_group(name)
        if group is None:
            raise Refused(
                ResponseCode.CONSUMER_NOT_ONLINE, f"no consumer of group {name!r} is connected"
            )
        document = ConsumerConnections(
            tuple(client_document(client) for client in group.clients),
            {
                topic: subscription_document(subscription)
                for topic, subscription in group.subscriptions.items()
            },
            group.consume_type,
            group.message_model,
            group.consume_from_where,
        )
        return command.reply(body=document.to_json())

    def producers(self, connection: Connection, command: Command) -> Command:
        """The connected members of a producer group."""
        name = decode_fields(ProducerGroupRequest, command.fields).producer_group
        members = self._clients.producers(name)
        if not members:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"no producer of group {name!r} is connected")
        document = ProducerConnections(tuple(client_document(client) for client in members))
        return command.reply(body=document.to_json())

    def all_producers(self, connection: Connection, command: Command) -> Command:
        """The connected members of all producer groups."""
        table = {
            group: tuple(
                ProducerClient(
                    client.client_id,
                    f"/{client.connection.peer}",
                    language_name(client.language),
                    client.version,
                    client.last_seen_ms,
                )
                for client in members
            )
            for group, members in self._clients.producer_groups()
        }
        return command.reply(body=ProducerTable(table).to_json())

    def groups_of_topic(self, connection: Connection, command: Command) -> Command:
        """The groups that are subscribed to a topic or have offsets in it."""
        topic = decode_fields(TopicRequest, command.fields).topic
        groups = {*self._clients.groups_subscribed_to(topic), *self._offsets.groups_of(topic)}
        return command.reply(body=GroupList(tuple(sorted(groups))).to_json())

    def topics_of_group(self, connection: Connection, command: Command) -> Command:
        """The topics a group has offsets in."""
        group = decode_fields(GroupRequest, command.fields).group
        topics = TopicList(
            tuple(self._offsets.topics_of(group)),
            advertised_address(self._advertise, connection),
        )
        return command.reply(body=topics.to_json())

    def subscription(self, connection: Connection, command: Command) -> Command:
        """What a group wants of a topic; nothing of it when no member is connected."""
        request = decode_fields(GroupTopicRequest, command.fields)
        known = self._clients.subscription(request.group, request.topic or "")
        document = GroupSubscription(
            request.group, request.topic, None if known is None else subscription_document(known)
        )
        return command.reply(body=document.to_json())
