"""A host and a port, as text and as the packed form that messages store."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

_PORT = struct.Struct(">i")


class Address(NamedTuple):
    """An IP address or host name and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port` or `[v6]:port`. Raise ValueError with the expected form."""
        host, colon, port = text.strip().rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(
                f"{text!r} is not an address; write host:port, for example 10.0.0.1:9876"
            )
        return cls(host.strip("[]"), int(port))

    def packed(self) -> bytes:
        """Address bytes (4 or 16) followed by the port as 32 bits: 8 or 20 bytes.

        A host name packs as 127.0.0.1: a peer address from a socket is always numeric.
        """
        host = self.host.partition("%")[0]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            address = ipaddress.ip_address("127.0.0.1")
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address.packed + _PORT.pack(self.port)
