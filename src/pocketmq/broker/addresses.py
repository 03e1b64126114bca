"""Which address a broker tells others to use."""

from __future__ import annotations

import socket

from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.services.registration import Presence
from pocketmq.net import Address

_EVERYWHERE = ("0.0.0.0", "::", "")


def advertised(config: BrokerConfig, port: int) -> Address:
    """The address that messages are stamped with and name servers are told."""
    host = config.identity.advertise
    if host == "auto":
        host = config.listen.host
        if host in _EVERYWHERE:
            host = _own_host()
    return Address(_resolved(host), port)


def _resolved(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)[0][4][0])
    except OSError:
        return host


def _own_host() -> str:
    """An address of this machine that others may reach; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def presence(config: BrokerConfig, address: Address) -> Presence:
    """Who registers with name servers, and where clients and replicas reach it."""
    identity = config.identity
    auto = identity.advertise == "auto" and config.listen.host in _EVERYWHERE
    return Presence(
        identity.cluster,
        identity.broker_name,
        identity.broker_id,
        address.port,
        address.port + 1,
        None if auto else address.host,
        auto,
        address.host,
    )
