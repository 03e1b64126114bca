"""A server over real sockets: what is answered, how, and what is not."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.support.raw_peer import RawPeer
from tests.support.waiting import until
from tests.unit.net.serving import (
    BREAKING,
    BREAKING_LATER,
    ECHO,
    LARGE,
    LARGE_BYTES,
    LATER,
    REFUSING,
    serving,
)

from pocketmq.errors import ListenFailed
from pocketmq.net import Dispatch, ListenConfig, Server
from pocketmq.protocol.command import JSON, ROCKETMQ, Command
from pocketmq.protocol.framing import encode_frame


async def test_a_request_is_answered_with_its_own_opaque() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        request = Command.request(ECHO, {"topic": "T"}, b"hello")
        request.opaque = -7
        answer = await peer.ask(request)
        assert (answer.code, answer.opaque, answer.is_response) == (0, -7, True)
        assert (answer.fields, bytes(answer.body)) == ({"topic": "T"}, b"hello")


async def test_frames_that_arrive_byte_by_byte_are_served() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        for byte in encode_frame(Command.request(ECHO, {"a": "b"}, b"body" * 10)):
            await peer.send(bytes((byte,)))
        assert bytes((await peer.receive()).body) == b"body" * 10


async def test_a_frame_cut_at_any_place_is_served() -> None:
    async with serving() as (server, behaviour), RawPeer(server.port) as peer:
        frame = encode_frame(Command.request(ECHO, {"a": "b"}, b"body"))
        for cut in range(1, len(frame)):
            await peer.send(frame[:cut])
            await asyncio.sleep(0)  # let the pieces leave apart; together would be as good
            await peer.send(frame[cut:], frame)
            assert bytes((await peer.receive()).body) == b"body"
            assert bytes((await peer.receive()).body) == b"body"
        assert behaviour.served == 2 * (len(frame) - 1)


async def test_many_frames_in_one_write_are_answered_in_order() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        requests = [Command.request(ECHO, body=str(n).encode()) for n in range(500)]
        await peer.send(*requests)
        for request in requests:
            answer = await peer.receive()
            assert (answer.opaque, answer.body) == (request.opaque, request.body)


@pytest.mark.parametrize("serialization", [JSON, ROCKETMQ])
async def test_the_answer_travels_in_the_encoding_of_the_request(serialization: int) -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        request = Command.request(ECHO, {"topic": "Tür"})
        request.serialization = serialization
        answer = await peer.ask(request)
        assert answer.serialization == serialization
        assert answer.fields == {"topic": "Tür"}


@pytest.mark.parametrize("code", [ECHO, REFUSING, BREAKING, BREAKING_LATER, 9999])
async def test_a_oneway_request_is_never_answered(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        await peer.send(Command.request(code, oneway=True))
        probe = Command.request(ECHO)
        await peer.send(probe)
        assert (await peer.receive()).opaque == probe.opaque


async def test_an_unknown_code_is_answered_with_not_supported() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        answer = await peer.ask(Command.request(9999))
        assert answer.code == 3
        assert answer.remark == "request code 9999 is not supported by this test server"


async def test_a_refusal_carries_its_code_and_remark() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        answer = await peer.ask(Command.request(REFUSING))
        assert (answer.code, answer.remark) == (29, "that parameter is not valid")


@pytest.mark.parametrize("code", [BREAKING, BREAKING_LATER])
async def test_an_unexpected_failure_is_answered_and_logged_once(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        with caplog.at_level(logging.ERROR, "pocketmq.net"):
            answer = await peer.ask(Command.request(code))
        assert answer.code == 1
        assert answer.remark is not None and answer.remark.startswith("KeyError")
        assert len(caplog.records) == 1


async def test_a_waiting_request_does_not_hold_up_the_next_one() -> None:
    async with serving() as (server, behaviour), RawPeer(server.port) as peer:
        slow, fast = Command.request(LATER), Command.request(ECHO)
        await peer.send(slow, fast)
        assert (await peer.receive()).opaque == fast.opaque
        behaviour.release.set()
        assert (await peer.receive()).opaque == slow.opaque


async def test_answers_larger_than_a_write_arrive_whole() -> None:
    async with serving() as (server, _), RawPeer(server.port) as peer:
        await peer.send(*(Command.request(LARGE) for _ in range(8)))
        for _ in range(8):
            assert len((await peer.receive()).body) == LARGE_BYTES


async def test_the_service_is_told_once_of_each_closed_connection() -> None:
    async with serving() as (server, behaviour):
        async with RawPeer(server.port) as peer:
            await peer.ask(Command.request(ECHO))
            assert len(server.connections) == 1
        await until(lambda: behaviour.gone)
        assert behaviour.gone == behaviour.seen
        assert not server.connections


async def test_stopping_lets_requests_under_way_finish() -> None:
    async with serving() as (server, behaviour), RawPeer(server.port) as peer:
        request = Command.request(LATER)
        await peer.send(request)
        await until(lambda: behaviour.waiting)
        stopping = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0)
        behaviour.release.set()
        assert bytes((await peer.receive()).body) == b"late"
        await stopping
        assert await peer.closed_by_other_side()


async def test_stopping_ends_requests_that_never_finish() -> None:
    async with serving() as (server, behaviour), RawPeer(server.port) as peer:
        await peer.send(Command.request(LATER))
        await until(lambda: behaviour.waiting)
        await server.stop(drain_timeout_seconds=0.05)
        await until(lambda: not behaviour.waiting)
        assert await peer.closed_by_other_side()


async def test_a_busy_port_is_one_clear_error() -> None:
    async with serving() as (server, _):
        second = Server(Dispatch({}), ListenConfig(port=server.port))
        with pytest.raises(ListenFailed, match=rf"127.0.0.1:{server.port} is already in use"):
            await second.start()
        await second.stop()


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("192.0.2.1", "192.0.2.1 is not an address of this machine; choose another --host"),
        ("999.1.1.1", r"no address is known for 999.1.1.1 \(.*\); choose another --host"),
        ("nowhere.invalid", r"no address is known for nowhere.invalid \(.*\); choose another"),
    ],
)
async def test_a_host_that_is_not_here_is_one_clear_error(host: str, problem: str) -> None:
    server = Server(Dispatch({}), ListenConfig(host=host))
    with pytest.raises(ListenFailed, match=f"^{problem}") as caught:
        await server.start()
    assert not caught.value.other_port_helps
    await server.stop()
