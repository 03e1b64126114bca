"""Where requests come from: single addresses and networks, IPv4 and IPv6."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Source = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=10_000)
def parse_source(text: str) -> Source:
    """The network that `10.0.0.0/8`, `10.0.0.7` or `fe80::/10` is. Raise ValueError.

    Bits behind the prefix do not matter, as RocketMQ does not look at them.
    """
    if "/" in text and not text.rpartition("/")[2].isdecimal():
        raise ValueError(f"{text!r} is neither an address nor a network such as 10.0.0.0/8")
    return ipaddress.ip_network(text, strict=False)


@lru_cache(maxsize=1000)
def parse_host(host: str) -> _Address | None:
    """The address of a peer, or None when it has none; IPv4 in IPv6 clothes is IPv4."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_within(host: str, sources: tuple[str, ...]) -> bool:
    """Whether a peer is at one of these sources; no sources mean anywhere."""
    if not sources:
        return True
    address = parse_host(host)
    return address is not None and any(address in parse_source(source) for source in sources)
