"""Being found: which host the other end used to reach this machine.

A broker on the name server's own machine may register with `pocketmqAdvertise=auto`: it does not
know under which of the machine's names its clients can reach it. But whoever asks this name server
for a route has just reached the machine, so it is told the address it has used, with the broker's
port. Apache's name servers ignore the mark, and use the address as it was registered.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from pocketmq.net import Address, Connection
from pocketmq.protocol.command import Command

ADVERTISE_FIELD: Final = "pocketmqAdvertise"
ADVERTISE_AUTO: Final = "auto"


def host_used_by(connection: Connection) -> str | None:
    """The address of this machine that the other end has connected to; None when unknown."""
    host = connection.local.host
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return host


def follows_client(connection: Connection, command: Command, broker_address: str) -> bool:
    """True when clients shall be told the host they used instead of this broker's own."""
    if command.fields.get(ADVERTISE_FIELD) != ADVERTISE_AUTO or not _is_here(connection):
        return False
    try:
        Address.parse(broker_address)
    except ValueError:
        return False
    return True


def _is_here(connection: Connection) -> bool:
    """True when the other end runs on this machine."""
    peer = connection.peer.host
    if peer == connection.local.host:
        return True
    try:
        return ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False
