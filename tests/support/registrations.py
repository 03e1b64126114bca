"""Builders of what brokers tell name servers."""

from __future__ import annotations

from collections.abc import Iterable

from pocketmq.protocol.bodies.registration import Registration, body_checksum
from pocketmq.protocol.bodies.topic_config import TopicConfig, TopicConfigTable
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.routes import BrokerRequest, RegisterBrokerRequest

Topics = Iterable[str | TopicConfig]


def header(
    address: str = "10.0.0.1:10911",
    *,
    name: str = "broker-a",
    number: int = 0,
    cluster: str = "c1",
    acting_master: bool | None = False,
    timeout_ms: int | None = None,
) -> RegisterBrokerRequest:
    """The header of a registration."""
    ha_address = address.rpartition(":")[0] + ":10912"
    return RegisterBrokerRequest(
        name, address, cluster, ha_address, number, timeout_ms, acting_master
    )


def registration(
    topics: Topics = ("T1", "T2"), *, counter: int = 1, state: int = 0, servers: Iterable[str] = ()
) -> Registration:
    """The body of a registration."""
    configs = [t if isinstance(t, TopicConfig) else TopicConfig(t, 4, 4) for t in topics]
    table = TopicConfigTable(
        {config.topic_name: config for config in configs}, DataVersion(state, 1_700, counter)
    )
    return Registration(table, tuple(servers))


def register_command(
    request: RegisterBrokerRequest | None = None,
    body: Registration | None = None,
    **fields: str,
) -> Command:
    """REGISTER_BROKER as a broker sends it."""
    encoded = (body or registration()).to_json()
    request = (request or header())._replace(body_crc32=body_checksum(encoded))
    return Command.request(RequestCode.REGISTER_BROKER, encode_fields(request) | fields, encoded)


def unregister_command(request: RegisterBrokerRequest | None = None) -> Command:
    """UNREGISTER_BROKER of the same broker."""
    who = request or header()
    goodbye = BrokerRequest(who.broker_name, who.broker_addr, who.cluster_name, who.broker_id)
    return Command.request(RequestCode.UNREGISTER_BROKER, encode_fields(goodbye))
