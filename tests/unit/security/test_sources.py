"""Addresses and networks, of both kinds."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.security.sources import is_within, parse_source


@pytest.mark.parametrize(
    ("host", "source", "expected"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.9.9.9/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("fe80::1", "FE80::1", True),
        ("::1", "10.0.0.0/8", False),
        ("10.1.2.3", "::/0", False),
        ("10.1.2.3", "0.0.0.0/0", True),
        ("nowhere", "0.0.0.0/0", False),
        ("", "0.0.0.0/0", False),
    ],
)
def test_a_peer_is_within_a_source_or_not(host: str, source: str, expected: bool) -> None:
    assert is_within(host, (source,)) is expected
    assert is_within(host, ("192.0.2.1", source)) is expected


def test_no_sources_are_anywhere() -> None:
    assert is_within("nowhere", ())


@pytest.mark.parametrize(
    "text", ["10.0", "10.0.0.0/33", "host", "10.0.0.0/255.0.0.0", "", "::/129"]
)
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_source(text)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_holds_what_it_is_made_of(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    bits = min(prefix, address.max_prefixlen)
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    assert is_within(str(address), (f"{address}/{bits}",)) is not mapped
