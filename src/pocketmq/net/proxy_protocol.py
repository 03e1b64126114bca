"""The PROXY protocol header a load balancer puts before the first byte of a connection.

Version 1 is a line: `PROXY TCP4 192.0.2.1 192.0.2.9 56324 10911\\r\\n`, at most 107 bytes.
Version 2 is binary:

    signature   12 bytes   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
    version      4 bits    2
    command      4 bits    0 LOCAL, 1 PROXY
    family       1 byte    0x11 TCP over IPv4, 0x21 TCP over IPv6
    length       2 bytes   of what follows
    addresses              source, target, source port, target port; then extensions, skipped

Source: the HAProxy PROXY protocol specification, versions 1 and 2.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final, NamedTuple

from pocketmq.errors import MalformedFrame
from pocketmq.net.address import Address

V1_START: Final = b"PROXY "
V2_START: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V1_BYTES_MAX: Final = 107
_V2_BYTES_MAX: Final = 16 + 4096


class ProxyHeader(NamedTuple):
    """What a PROXY header says. The addresses are None for LOCAL and unknown families."""

    header_bytes: int
    source: Address | None
    target: Address | None


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header at the start of `data`; None while more bytes are needed.

    `header_bytes` is 0 when `data` does not begin with a PROXY header. Raise MalformedFrame for a
    damaged one.
    """
    if data.startswith(V2_START):
        return _parse_v2(data)
    if data.startswith(V1_START):
        return _parse_v1(data)
    if V1_START.startswith(data) or V2_START.startswith(data):
        return None
    return ProxyHeader(0, None, None)


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_BYTES_MAX)
    if end < 0:
        if len(data) >= _V1_BYTES_MAX:
            raise MalformedFrame("a PROXY v1 header has no line end within 107 bytes")
        return None
    words = data[:end].decode("ascii", "replace").split(" ")
    if len(words) >= 2 and words[1] == "UNKNOWN":
        return ProxyHeader(end + 2, None, None)
    try:
        _, family, source, target, source_port, target_port = words
        if family not in ("TCP4", "TCP6"):
            raise ValueError(family)
        addresses = [
            Address(str(ipaddress.ip_address(host)), int(port))
            for host, port in ((source, source_port), (target, target_port))
        ]
    except ValueError:
        raise MalformedFrame(f"a PROXY v1 header cannot be read: {data[:end]!r}") from None
    return ProxyHeader(end + 2, addresses[0], addresses[1])


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    version_command, family, length = struct.unpack_from(">BBH", data, 12)
    total = 16 + length
    if version_command >> 4 != 2 or total > _V2_BYTES_MAX:
        raise MalformedFrame("a PROXY v2 header has an unknown version or is too long")
    if len(data) < total:
        return None
    host_bytes = {0x11: 4, 0x21: 16}.get(family)
    if version_command & 0xF == 0 or host_bytes is None:
        return ProxyHeader(total, None, None)
    if length < 2 * host_bytes + 4:
        raise MalformedFrame("a PROXY v2 header is too short for its addresses")
    source = ipaddress.ip_address(data[16 : 16 + host_bytes])
    target = ipaddress.ip_address(data[16 + host_bytes : 16 + 2 * host_bytes])
    source_port, target_port = struct.unpack_from(">HH", data, 16 + 2 * host_bytes)
    return ProxyHeader(total, Address(str(source), source_port), Address(str(target), target_port))
