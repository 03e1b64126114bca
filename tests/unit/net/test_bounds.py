"""What one bad or greedy peer can cost: itself, and nothing else."""

from __future__ import annotations

import asyncio
import resource
import struct
from contextlib import AsyncExitStack

import pytest
from tests.support.descriptors import descriptors_left
from tests.support.raw_peer import RawPeer
from tests.support.waiting import until
from tests.unit.net.serving import ECHO, LARGE, LATER, serving

from pocketmq.net import ListenConfig
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame


async def is_served(peer: RawPeer) -> bool:
    """Whether this peer gets an answer."""
    return (await peer.ask(Command.request(ECHO, body=b"x"))).code == 0


@pytest.mark.parametrize(
    "bytes_sent",
    [
        pytest.param(struct.pack(">i", 0x7FFFFFFF), id="2 GiB announced"),
        pytest.param(struct.pack(">i", -1), id="negative length"),
        pytest.param(struct.pack(">i", 3) + b"abc", id="no room for the header word"),
        pytest.param(struct.pack(">ii", 16 * 1024 * 1024 - 3, 0), id="one byte above the limit"),
        pytest.param(struct.pack(">iI", 8, 5) + b"abcd", id="header longer than its frame"),
        pytest.param(struct.pack(">iI", 4, 0x02000000), id="unknown header type"),
        pytest.param(struct.pack(">iI", 7, 3) + b"{]}", id="header that is no JSON"),
        pytest.param(struct.pack(">iI", 6, 2) + b"[]", id="header that is no object"),
        pytest.param(struct.pack(">iI", 8, 0x01000004) + b"abcd", id="torn binary header"),
        pytest.param(b"\x00\x00GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="another protocol"),
    ],
)
async def test_bytes_that_break_the_protocol_close_that_connection_alone(bytes_sent: bytes) -> None:
    async with serving() as (server, _), RawPeer(server.port) as good, RawPeer(server.port) as bad:
        assert await is_served(good)
        await bad.send(bytes_sent)
        if b"HTTP" in bytes_sent:
            # 0x0000 47 45: a short frame is announced, so the header inside it is what is wrong.
            await bad.send(bytes(0x4745))
        assert await bad.closed_by_other_side()
        assert await is_served(good)


async def test_half_a_frame_keeps_only_its_own_bytes_and_others_are_served() -> None:
    async with serving() as (server, behaviour), RawPeer(server.port) as good:
        async with RawPeer(server.port) as half:
            frame = encode_frame(Command.request(ECHO, body=bytes(1000)))
            await half.send(frame, frame[:-1])
            await half.receive()
            assert await is_served(good)
        await until(lambda: behaviour.gone)
        assert await is_served(good)
        assert behaviour.served == 3


async def test_the_largest_frame_allowed_is_served() -> None:
    config = ListenConfig(frame_bytes_max=64 * 1024)
    async with serving(config) as (server, _), RawPeer(server.port) as peer:
        request = Command.request(ECHO)
        head_bytes = len(encode_frame(request))
        request.body = bytes(64 * 1024 - head_bytes)
        assert len((await peer.ask(request)).body) == len(request.body)
        request.body += b"x"
        await peer.send(request)
        assert await peer.closed_by_other_side()


async def test_a_peer_that_never_reads_is_cut_off_at_the_bound_while_others_are_served() -> None:
    config = ListenConfig(
        write_buffer_pause_bytes=256 * 1024, write_buffer_bytes_max=2 * 1024 * 1024
    )
    async with serving(config) as (server, behaviour), RawPeer(server.port) as good:
        async with RawPeer(server.port) as deaf:
            # All in one read: answers of 64 MiB wait, which no pause of reading can prevent.
            requests = [Command.request(LARGE) for _ in range(256)]
            await deaf.send(*requests)
            await until(lambda: behaviour.gone)
        assert await is_served(good)
        assert len(server.connections) == 1


async def test_a_peer_that_reads_late_is_not_read_from_until_it_does() -> None:
    config = ListenConfig(
        write_buffer_pause_bytes=64 * 1024, write_buffer_bytes_max=64 * 1024 * 1024
    )
    async with serving(config) as (server, behaviour), RawPeer(server.port) as late:
        asked = 0
        while asked == behaviour.served:  # until the server stops reading
            await late.send(Command.request(LARGE))
            asked += 1
            for _ in range(50):
                if behaviour.served == asked:
                    break
                await asyncio.sleep(0.002)
            assert asked < 500, "the server went on reading"
        for _ in range(asked):
            assert (await late.receive()).code == 0


async def test_requests_in_flight_of_one_connection_are_bounded() -> None:
    config = ListenConfig(requests_in_flight_max=10)
    async with serving(config) as (server, behaviour), RawPeer(server.port) as greedy:
        for _ in range(30):
            await greedy.send(Command.request(LATER))
            await asyncio.sleep(0.001)
        await until(lambda: behaviour.waiting >= 10)
        async with RawPeer(server.port) as other:
            assert await is_served(other)
        # What one read brought is served whole, so the bound may be passed by one read's worth.
        assert behaviour.waiting < 30
        behaviour.release.set()
        for _ in range(30):
            assert bytes((await greedy.receive()).body) == b"late"


async def test_an_idle_connection_is_closed_and_an_active_one_is_not() -> None:
    config = ListenConfig(idle_timeout_seconds=1)
    async with serving(config) as (server, _), AsyncExitStack() as stack:
        active = await stack.enter_async_context(RawPeer(server.port))
        idle = await stack.enter_async_context(RawPeer(server.port))
        silent = await stack.enter_async_context(RawPeer(server.port))
        assert await is_served(idle)
        closing = asyncio.gather(idle.closed_by_other_side(), silent.closed_by_other_side())
        while not closing.done():
            assert await is_served(active)
            await asyncio.wait([closing], timeout=0.1)
        assert list(await closing) == [True, True]
        assert await is_served(active)


async def test_connections_beyond_the_limit_are_refused_and_room_is_found_again() -> None:
    config = ListenConfig(connections_max=3)
    async with serving(config) as (server, behaviour):
        async with AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(RawPeer(server.port)) for _ in range(3)]
            for peer in peers:
                assert await is_served(peer)
            async with RawPeer(server.port) as fourth:
                assert await fourth.closed_by_other_side()
        await until(lambda: len(behaviour.gone) == 3)
        async with RawPeer(server.port) as peer:
            assert await is_served(peer)


async def test_the_last_descriptors_are_not_for_connections(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broker that cannot open a file can neither flush nor save."""
    async with serving() as (server, _), RawPeer(server.port) as before:
        assert await is_served(before)
        with descriptors_left(4):
            async with RawPeer(server.port) as refused:
                assert await refused.closed_by_other_side()
            assert await is_served(before)
        async with RawPeer(server.port) as after:
            assert await is_served(after)
    assert "raise the limit of open files" in caplog.text


async def test_two_thousand_idle_connections_leave_the_server_responsive() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files; the test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    loop = asyncio.get_running_loop()
    try:
        async with serving() as (server, _):
            idle: list[asyncio.Transport] = []
            for _ in range(2000):
                transport, _p = await loop.create_connection(
                    asyncio.Protocol, "127.0.0.1", server.port
                )
                idle.append(transport)
            async with RawPeer(server.port) as peer:
                started = loop.time()
                for _ in range(100):
                    assert await is_served(peer)
                assert loop.time() - started < 5
            for transport in idle:
                transport.abort()
            await until(lambda: not server.connections)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
