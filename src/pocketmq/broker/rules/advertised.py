"""The address a peer is told when it asks where this broker is."""

from __future__ import annotations

from typing import Final

from pocketmq.net import Address, Connection

AUTO: Final = "auto"


def advertised_address(advertise: str, connection: Connection) -> str:
    """`host:port` of this broker for one peer: the configured host, or the one the peer used."""
    host = connection.local.host if advertise in ("", AUTO) else advertise
    return str(Address(host, connection.local.port))
