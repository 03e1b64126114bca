"""PROXY headers, as bytes and over a socket."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.raw_peer import RawPeer
from tests.unit.net.serving import WHO, serving

from pocketmq.errors import MalformedFrame
from pocketmq.net import Address
from pocketmq.net.proxy_protocol import V2_START, parse_proxy_header
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.9 56324 10911\r\n"


def v2(source: str, target: str, extensions: bytes = b"", command: int = 1) -> bytes:
    """A version 2 header from port 56324 to port 10911."""
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    family = 0x21 if ":" in source else 0x11
    payload = addresses + struct.pack(">HH", 56324, 10911) + extensions
    return V2_START + struct.pack(">BBH", 0x20 | command, family, len(payload)) + payload


HEADERS = [
    pytest.param(V1, "192.0.2.1", "192.0.2.9", id="v1"),
    pytest.param(
        b"PROXY TCP6 2001:db8::1 2001:db8::9 56324 10911\r\n",
        "2001:db8::1",
        "2001:db8::9",
        id="v1 over IPv6",
    ),
    pytest.param(v2("192.0.2.1", "192.0.2.9"), "192.0.2.1", "192.0.2.9", id="v2"),
    pytest.param(v2("2001:db8::1", "2001:db8::9"), "2001:db8::1", "2001:db8::9", id="v2 over IPv6"),
    pytest.param(
        v2("192.0.2.1", "192.0.2.9", b"\x01\x00\x02h2"), "192.0.2.1", "192.0.2.9", id="v2 with TLV"
    ),
]


@pytest.mark.parametrize(("header", "source", "target"), HEADERS)
def test_a_header_is_read_once_it_is_whole(header: bytes, source: str, target: str) -> None:
    for cut in range(1, len(header)):
        assert parse_proxy_header(header[:cut]) is None
    parsed = parse_proxy_header(header + b"rest")
    assert parsed is not None
    assert parsed.header_bytes == len(header)
    assert parsed.source == Address(source, 56324)
    assert parsed.target == Address(target, 10911)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"PROXY UNKNOWN\r\n", id="v1 unknown"),
        pytest.param(v2("192.0.2.1", "192.0.2.9", command=0), id="v2 local"),
        pytest.param(V2_START + b"\x21\x00\x00\x00", id="v2 unspecified"),
    ],
)
def test_a_header_without_addresses_is_skipped(header: bytes) -> None:
    assert parse_proxy_header(header + b"rest") == (len(header), None, None)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"PROXY TCP4 192.0.2.1\r\n", id="v1 too few words"),
        pytest.param(b"PROXY UDP4 192.0.2.1 192.0.2.9 1 2\r\n", id="v1 not TCP"),
        pytest.param(b"PROXY TCP4 elsewhere 192.0.2.9 1 2\r\n", id="v1 no address"),
        pytest.param(b"PROXY " + b"x" * 200, id="v1 without end"),
        pytest.param(V2_START + b"\x31\x11\x00\x0c" + bytes(12), id="v2 wrong version"),
        pytest.param(V2_START + b"\x21\x11\xff\xff", id="v2 endless"),
        pytest.param(V2_START + b"\x21\x11\x00\x04" + bytes(4), id="v2 too short"),
    ],
)
def test_a_damaged_header_is_refused(header: bytes) -> None:
    with pytest.raises(MalformedFrame):
        parse_proxy_header(header)


@given(st.binary(max_size=64), st.sampled_from([b"", b"PROXY ", V2_START, V2_START + b"\x21\x11"]))
def test_any_bytes_are_a_header_or_none_or_refused(data: bytes, start: bytes) -> None:
    try:
        parsed = parse_proxy_header(start + data)
    except MalformedFrame:
        return
    assert parsed is None or 0 <= parsed.header_bytes <= len(start + data)


@pytest.mark.parametrize(("header", "source", "target"), HEADERS)
async def test_a_connection_has_the_addresses_of_its_proxy_header(
    header: bytes, source: str, target: str
) -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        await peer.send(header + encode_frame(Command.request(WHO)))
        answer = await peer.receive()
        assert answer.fields["peer"] == str(Address(source, 56324))
        assert answer.fields["local"] == str(Address(target, 10911))


async def test_a_proxy_header_may_come_byte_by_byte() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        for byte in V1 + encode_frame(Command.request(WHO)):
            await peer.send(bytes((byte,)))
        assert (await peer.receive()).fields["peer"] == "192.0.2.1:56324"


async def test_without_a_proxy_header_the_socket_tells() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        answer = await peer.ask(Command.request(WHO))
        assert answer.fields == {
            "peer": f"127.0.0.1:{peer.local_port}",
            "local": f"127.0.0.1:{server.port}",
        }


async def test_a_damaged_proxy_header_closes_the_connection() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        await peer.send(b"PROXY nonsense\r\n")
        assert await peer.closed_by_other_side()
