"""Who is there, and who may be written to: 106, 901, 205, 327."""

from __future__ import annotations

import logging

from pocketmq.nameserver.handlers.seen_from import host_used_by
from pocketmq.nameserver.route_table import RouteTable
from pocketmq.net import Connection
from pocketmq.protocol.bodies.route import BrokerMemberGroup, BrokerMembers, ClusterTable
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.routes import (
    AddWritePermReply,
    BrokerMemberGroupRequest,
    BrokerNameRequest,
    WipeWritePermReply,
)

_log = logging.getLogger(__name__)


class ClusterHandler:
    """Answers about clusters and brokers as a whole."""

    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes

    def describe(self, connection: Connection, command: Command) -> Command:
        """GET_BROKER_CLUSTER_INFO."""
        host = host_used_by(connection)
        members = self._routes.members
        table = ClusterTable(
            {broker.name: broker.described(host) for broker in members.brokers}, members.clusters
        )
        return command.reply(body=table.to_json())

    def members_of(self, connection: Connection, command: Command) -> Command:
        """GET_BROKER_MEMBER_GROUP: the replicas of one broker."""
        request = decode_fields(BrokerMemberGroupRequest, command.fields)
        broker = self._routes.members.broker(request.broker_name)
        addresses = {}
        if broker is not None:
            addresses = broker.described(host_used_by(connection)).broker_addrs
        members = BrokerMembers(request.cluster_name, request.broker_name, addresses)
        return command.reply(body=BrokerMemberGroup(members).to_json())

    def wipe_write(self, connection: Connection, command: Command) -> Command:
        """WIPE_WRITE_PERM_OF_BROKER: producers shall turn to other brokers."""
        request = decode_fields(BrokerNameRequest, command.fields)
        count = self._routes.topics.wipe_write(request.broker_name)
        _log.info(
            "write permission taken broker=%s topics=%d by=%s",
            *(request.broker_name, count, connection.peer),
        )
        return command.reply(fields=encode_fields(WipeWritePermReply(count)))

    def allow_write(self, connection: Connection, command: Command) -> Command:
        """ADD_WRITE_PERM_OF_BROKER: producers may come back."""
        request = decode_fields(BrokerNameRequest, command.fields)
        count = self._routes.topics.allow_write(request.broker_name)
        _log.info(
            "write permission given broker=%s topics=%d by=%s",
            *(request.broker_name, count, connection.peer),
        )
        return command.reply(fields=encode_fields(AddWritePermReply(count)))
