"""Clients present themselves: HEART_BEAT (34), UNREGISTER_CLIENT (35), GET_CONSUMER_LIST_BY_GROUP
(38) and CHECK_CLIENT_CONFIG (46).

A heartbeat is answered 0 even when one of its groups is refused; that group's pulls are refused
then. A heartbeat of the second form says that its subscriptions are those of its last full one. We
ask for a full one when its fingerprint is not the one we know, and, unlike Apache, also when we
know no subscriptions of the group, as after its last member was gone for a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pocketmq.broker.state.clients import Client, ClientTable, ConsumerGroup, Membership
from pocketmq.broker.state.filters import FilterTable
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.topics import TopicTable
from pocketmq.clock import Clock
from pocketmq.errors import FilterUnsupported, Refused, SubscriptionInvalid
from pocketmq.filtering.sql import compile_sql
from pocketmq.filtering.subscriptions import (
    Subscription,
    is_tag_type,
    parse_subscription,
    require_supported,
)
from pocketmq.net import Connection, Handler
from pocketmq.protocol.bodies.connections import ConsumerIds
from pocketmq.protocol.bodies.heartbeat import CheckClientRequest, ConsumerData, Heartbeat
from pocketmq.protocol.codes import LanguageCode, RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.clients import (
    ConsumerGroupRequest,
    HeartbeatReply,
    UnregisterClientRequest,
)

_log = logging.getLogger(__name__)


class ClientsHandler:
    """Keeps the table of clients as they come and go."""

    def __init__(
        self,
        clients: ClientTable,
        groups: GroupTable,
        topics: TopicTable,
        filters: FilterTable,
        clock: Clock,
        *,
        property_filter: bool,
    ) -> None:
        self._clients = clients
        self._groups = groups
        self._topics = topics
        self._filters = filters
        self._property_filter = property_filter
        self._clock = clock
        clients.on_group_change(self._group_changed)

    def routes(self) -> Mapping[int, Handler]:
        """Request code -> handler."""
        return {
            RequestCode.HEART_BEAT: self.heartbeat,
            RequestCode.UNREGISTER_CLIENT: self.unregister,
            RequestCode.GET_CONSUMER_LIST_BY_GROUP: self.consumer_list,
            RequestCode.CHECK_CLIENT_CONFIG: self.check,
        }

    def heartbeat(self, connection: Connection, command: Command) -> Command:
        """Register or renew the client in its groups."""
        beat = Heartbeat.from_request(command.body)
        if not beat.client_id:
            raise Refused(ResponseCode.INVALID_PARAMETER, "a heartbeat needs a clientID")
        language = LanguageCode.OTHER if command.language is None else command.language
        client = Client(connection, beat.client_id, language, command.version, self._clock.now_ms())
        wants_full = beat.heartbeat_fingerprint == 0
        for consumer in beat.consumer_data_set:
            wants_full |= self._consumer(client, consumer, beat)
        for producer in beat.producer_data_set:
            if producer.group_name:
                self._clients.register_producer(client, producer.group_name)
        return command.reply(fields=encode_fields(HeartbeatReply(True, wants_full)))

    def _consumer(self, client: Client, data: ConsumerData, beat: Heartbeat) -> bool:
        """Register one membership; True when the next heartbeat must be a full one."""
        name = data.group_name
        group = self._groups.find_or_create(name)
        if group is None:
            _log.debug("heartbeat of a refused group group=%s client=%s", name, client.client_id)
            return False
        self._topics.create_retry(name, group.retry_queue_nums, unit_mode=data.unit_mode)
        known = self._clients.consumer_group(name)
        fingerprint = beat.heartbeat_fingerprint
        unknown = beat.without_sub and (known is None or not known.subscriptions)
        changed = (
            known is not None
            and known.fingerprint is not None
            and known.fingerprint != fingerprint
            and fingerprint != 0
        )
        stated = None if beat.without_sub else tuple(_subscriptions(data))
        self._clients.register_consumer(
            client,
            Membership(
                name,
                data.consume_type,
                data.message_model,
                data.consume_from_where,
                stated,
            ),
        )
        if stated is not None and self._clients.consumer_group(name) is not None:
            self._filters.register(name, stated)
        if fingerprint:
            self._clients.set_fingerprint(name, fingerprint)
        return changed or unknown

    def _group_changed(self, group: ConsumerGroup) -> None:
        if not group.members:
            self._filters.unregister(group.name)

    def unregister(self, connection: Connection, command: Command) -> Command:
        """Take the client out of a group it names."""
        request = decode_fields(UnregisterClientRequest, command.fields)
        if request.producer_group:
            self._clients.unregister_producer(connection, request.producer_group)
        if request.consumer_group:
            self._clients.unregister_consumer(connection, request.consumer_group)
        return command.reply()

    def consumer_list(self, connection: Connection, command: Command) -> Command:
        """The ids of a group's connected consumers."""
        name = decode_fields(ConsumerGroupRequest, command.fields).consumer_group
        group = self._clients.consumer_group(name)
        if group is None:
            raise Refused(ResponseCode.SYSTEM_ERROR, f"no consumer of group {name!r} is connected")
        return command.reply(body=ConsumerIds(tuple(group.client_ids)).to_json())

    def check(self, connection: Connection, command: Command) -> Command:
        """Whether this broker can filter by the client's expression."""
        wanted = CheckClientRequest.from_request(command.body).subscription_data
        if wanted is None or is_tag_type(wanted.expression_type):
            return command.reply()
        try:
            require_supported(wanted.expression_type)
            if not self._property_filter:
                raise Refused(
                    ResponseCode.SYSTEM_ERROR,
                    f"{wanted.expression_type} filters are switched off; "
                    "set enablePropertyFilter=true",
                )
            parsed = parse_subscription(wanted.topic, wanted.sub_string, wanted.expression_type)
            compile_sql(parsed.expression)
        except FilterUnsupported as error:
            raise Refused(ResponseCode.SYSTEM_ERROR, str(error)) from None
        except SubscriptionInvalid as error:
            raise Refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, str(error)) from None
        return command.reply()


def _subscriptions(data: ConsumerData) -> list[Subscription]:
    """What a heartbeat subscribes to; an expression that makes no sense is left out."""
    found = []
    for item in data.subscription_data_set:
        try:
            found.append(
                parse_subscription(
                    item.topic, item.sub_string, item.expression_type, item.sub_version
                )
            )
        except SubscriptionInvalid as error:
            _log.warning(
                "subscription ignored group=%s topic=%s reason=%s",
                data.group_name,
                item.topic,
                error,
            )
    return found
