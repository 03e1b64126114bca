"""What a broker tells name servers about itself.

The body of a registration is one JSON document with a row for each topic. At ten thousand topics,
encoding them takes a quarter of a second, so rows are kept and only those of changed topics are
encoded again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final, NamedTuple

from pocketmq.broker.state.topics import TopicTable
from pocketmq.net import Address, Connection
from pocketmq.protocol.bodies.fastjson import dumps_plain
from pocketmq.protocol.bodies.registration import body_checksum
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.routes import BrokerRequest, RegisterBrokerRequest

ADVERTISE_FIELD: Final = "pocketmqAdvertise"
ADVERTISE_AUTO: Final = "auto"

_BODY: Final = (
    b'{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":%b,'
    b'"mappingDataVersion":%b,"topicConfigTable":{%b},'
    b'"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}'
)
_NO_MAPPINGS: Final = DataVersion().to_json()


class Presence(NamedTuple):
    """Who registers, and where clients and replicas reach it."""

    cluster: str
    name: str
    id: int
    port: int
    ha_port: int
    host: str | None = None
    """The host to register; None takes the address by which each name server is reached."""
    follows_client: bool = False
    """True when clients shall be told the host they used to reach this machine's name server."""
    own_host: str | None = None
    """What to register instead of a loopback address, which Apache's name servers would repeat to
    clients on other machines."""

    def address(self, connection: Connection) -> str:
        """What clients of the name server at the other end are told."""
        return str(Address(self._host(connection), self.port))

    def ha_address(self, connection: Connection) -> str:
        """What replicas are told."""
        return str(Address(self._host(connection), self.ha_port))

    def _host(self, connection: Connection) -> str:
        if self.host is not None:
            return self.host
        reached_by = connection.local.host
        if (
            self.own_host is not None
            and ipaddress.ip_address(reached_by.partition("%")[0]).is_loopback
        ):
            return self.own_host
        return reached_by


class Announcement:
    """Makes the requests of a broker to name servers."""

    def __init__(self, presence: Presence, topics: TopicTable) -> None:
        self._presence = presence
        self._topics = topics
        self._rows: dict[str, tuple[TopicConfig, int, bytes]] = {}

    def full(self, connection: Connection) -> Command:
        """REGISTER_BROKER with all topics."""
        configs = self._topics.configs
        for name in self._rows.keys() - configs.keys():
            del self._rows[name]
        return self._register(connection, configs.values())

    def of(self, connection: Connection, names: Iterable[str]) -> Command | None:
        """REGISTER_BROKER with these topics; None when one was deleted, which this cannot tell."""
        found = [self._topics.find(name) for name in names]
        configs = [config for config in found if config is not None]
        return self._register(connection, configs) if len(configs) == len(found) else None

    def goodbye(self, connection: Connection) -> Command:
        """UNREGISTER_BROKER."""
        who = self._presence
        request = BrokerRequest(who.name, who.address(connection), who.cluster, who.id)
        return Command.request(RequestCode.UNREGISTER_BROKER, encode_fields(request))

    def _register(self, connection: Connection, configs: Iterable[TopicConfig]) -> Command:
        who = self._presence
        version = self._topics.data_version.to_json()
        rows = b",".join([self._row(config) for config in configs])
        body = _BODY % (version, _NO_MAPPINGS, rows)
        request = RegisterBrokerRequest(
            broker_name=who.name,
            broker_addr=who.address(connection),
            cluster_name=who.cluster,
            ha_server_addr=who.ha_address(connection),
            broker_id=who.id,
            enable_acting_master=False,
            compressed=False,
            body_crc32=body_checksum(body),
        )
        fields = encode_fields(request)
        if who.follows_client:
            fields[ADVERTISE_FIELD] = ADVERTISE_AUTO
        return Command.request(RequestCode.REGISTER_BROKER, fields, body)

    def _row(self, config: TopicConfig) -> bytes:
        allowed = self._topics.broker_permission
        kept = self._rows.get(config.topic_name)
        if kept is not None and kept[0] is config and kept[1] == allowed:
            return kept[2]
        # What the broker as a whole does not allow, no topic of it does. Bits above are no
        # permissions to read or write, and stay.
        perm = config.perm & (allowed | ~6)
        shown = config if perm == config.perm else config.with_perm(perm)
        row = b"%b:%b" % (dumps_plain(config.topic_name), shown.to_json())
        self._rows[config.topic_name] = (config, allowed, row)
        return row
