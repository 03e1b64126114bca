"""Brokers come, are heard of and go: 103, 104, 322, 904."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from pocketmq.errors import Refused
from pocketmq.nameserver.handlers.seen_from import follows_client, host_used_by
from pocketmq.nameserver.kv_table import ORDER_TOPICS, KvTable
from pocketmq.nameserver.live_settings import LiveSettings
from pocketmq.nameserver.members import Place
from pocketmq.nameserver.route_table import Origin, RouteTable
from pocketmq.net import Connection
from pocketmq.protocol.bodies import tables
from pocketmq.protocol.bodies.registration import Registration, body_checksum
from pocketmq.protocol.bodies.topic_config import TopicConfigTable
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.protocol.codes import VERSION_REGISTERS_WITH_BODY, ResponseCode
from pocketmq.protocol.command import Body, Command
from pocketmq.protocol.fields import decode_fields, encode_fields
from pocketmq.protocol.requests.routes import (
    BrokerHeartbeatRequest,
    BrokerRequest,
    DataVersionReply,
    RegisterBrokerRequest,
)

ZONE_FIELD: Final = "__ZONE_NAME"

_MAPPING_VERSION: Final = re.compile(rb'"mappingDataVersion":\{[^{}]*\}')
_VERSIONS_BYTES_MAX: Final = 4096


class RegistrationHandler:
    """Answers brokers about themselves."""

    def __init__(self, routes: RouteTable, settings: LiveSettings, kv: KvTable) -> None:
        self._routes = routes
        self._settings = settings
        self._kv = kv

    def register(self, connection: Connection, command: Command) -> Command:
        """REGISTER_BROKER: take the broker's topics, tell it the ordered ones and its master."""
        request = decode_fields(RegisterBrokerRequest, command.fields)
        if request.body_crc32 and body_checksum(command.body) != request.body_crc32:
            raise Refused(ResponseCode.SYSTEM_ERROR, "the body does not match its bodyCrc32")
        origin = Origin(
            connection,
            command.fields.get(ZONE_FIELD),
            follows_client(connection, command, request.broker_addr),
            host_used_by(connection),
        )
        digest = body_digest(command.body)
        learned = self._routes.hear_again(request, digest, origin)
        if learned is None:
            learned = self._routes.register(request, _registration(command), origin, digest)
        ordered = None
        if self._settings.routing.return_order_topics:
            ordered = self._kv.namespace(ORDER_TOPICS)
        body = b"" if ordered is None else tables.KvTable(dict(ordered)).to_json()
        return command.reply(fields=encode_fields(learned), body=body)

    def unregister(self, connection: Connection, command: Command) -> Command:
        """UNREGISTER_BROKER: the broker stops."""
        request = decode_fields(BrokerRequest, command.fields)
        self._routes.unregister(Place(request.cluster_name, request.broker_addr), "it said goodbye")
        return command.reply()

    def query_version(self, connection: Connection, command: Command) -> Command:
        """QUERY_DATA_VERSION: whether the broker's topics differ from what is known here."""
        request = decode_fields(BrokerRequest, command.fields)
        place = Place(request.cluster_name, request.broker_addr)
        version = DataVersion.from_request(command.body) if len(command.body) else DataVersion()
        self._routes.touch(place)
        known = self._routes.members.replica(place)
        if known is None:
            return command.reply(fields=encode_fields(DataVersionReply(True)))
        changed = known.data_version != version
        return command.reply(
            fields=encode_fields(DataVersionReply(changed)), body=known.data_version.to_json()
        )

    def heartbeat(self, connection: Connection, command: Command) -> Command:
        """BROKER_HEARTBEAT: the broker lives."""
        request = decode_fields(BrokerHeartbeatRequest, command.fields)
        self._routes.touch(Place(request.cluster_name, request.broker_addr))
        return command.reply()


def body_digest(body: Body) -> bytes:
    """What tells one registration from another: its body but for the version of the mappings.

    Apache's brokers stamp that version with the time of each registration.
    """
    start = bytes(body[:_VERSIONS_BYTES_MAX])
    digest = hashlib.blake2b(_MAPPING_VERSION.sub(b"", start, count=1), digest_size=16)
    digest.update(body[_VERSIONS_BYTES_MAX:])
    return digest.digest()


def _registration(command: Command) -> Registration:
    if command.version >= VERSION_REGISTERS_WITH_BODY or not len(command.body):
        return Registration.from_body(command.body)
    return Registration(TopicConfigTable.from_request(command.body))
