"""Faults between clients and the test's servers, as a client on the wire meets them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.cluster.test_testing_broker import At
from tests.support.local_broker import Peer
from tests.support.raw_peer import RawPeer
from tests.support.waiting import until

from pocketmq.errors import ConnectionLost, NetError, Refused, RpcTimeout
from pocketmq.net import RpcClient
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.testing import Fault, Faults, LocalBroker


@pytest.fixture
async def peer(rocketmq: LocalBroker) -> AsyncIterator[Peer]:
    rocketmq.topic("orders")
    opened = Peer(At(rocketmq))
    yield opened
    await opened.close()


V2_FIELDS = {
    "a": "p",
    "b": "orders",
    "c": "TBW102",
    "d": "4",
    "e": "0",
    "f": "0",
    "g": "1700000000000",
    "h": "0",
    "i": "UNIQ_KEY\x01K\x02",
    "j": "0",
    "k": "false",
    "m": "false",
}


async def send_v1(peer: Peer) -> Command:
    return await peer.send("orders")


async def send_v2(peer: Peer, body: bytes = b"v2", *, timeout_ms: int = 5000) -> Command:
    """A send as clients send it, which takes the broker's short way when nothing watches."""
    return await peer.call(
        RequestCode.SEND_MESSAGE_V2, dict(V2_FIELDS), body, timeout_ms=timeout_ms
    )


async def pull(peer: Peer, offset: int = 0, *, hold_ms: int = 0) -> Command:
    fields = {
        "consumerGroup": "g",
        "topic": "orders",
        "queueId": "0",
        "queueOffset": str(offset),
        "maxMsgNums": "32",
        "sysFlag": "2" if hold_ms else "0",
        "commitOffset": "0",
        "suspendTimeoutMillis": str(hold_ms),
        "subscription": "*",
        "subVersion": "1",
    }
    return await peer.call(RequestCode.PULL_MESSAGE, fields, timeout_ms=1000)


@pytest.mark.parametrize("send", [send_v1, send_v2])
async def test_a_refused_request_is_not_done(
    rocketmq: LocalBroker, peer: Peer, send: Callable[[Peer], Awaitable[Command]]
) -> None:
    assert (await send(peer)).code == 0
    with rocketmq.faults.refuse("send", code="NO_PERMISSION", remark="not today") as fault:
        answer = await send(peer)
        assert (answer.code, answer.remark) == (ResponseCode.NO_PERMISSION, "not today")
    assert (await send(peer)).code == 0
    assert fault.hits == 1
    rocketmq.assert_sent("orders", count=2)


async def test_a_fault_ends_after_so_many_requests(rocketmq: LocalBroker, peer: Peer) -> None:
    fault = rocketmq.faults.refuse("send", times=2)
    codes = [(await send_v2(peer)).code for _ in range(3)]
    assert codes == [ResponseCode.SYSTEM_BUSY, ResponseCode.SYSTEM_BUSY, ResponseCode.SUCCESS]
    assert fault.hits == 2


async def test_a_fault_concerns_only_what_it_names(rocketmq: LocalBroker, peer: Peer) -> None:
    faults = rocketmq.faults
    with faults.refuse("send", topic="invoices"), faults.refuse("send", group="others"):
        assert (await send_v2(peer)).code == 0
    with faults.refuse("send", topic="orders"), faults.delay("pull", seconds=60):
        assert (await send_v2(peer)).code == ResponseCode.SYSTEM_BUSY
    with faults.refuse("send", where=lambda request: request.body == b"bad"):
        assert (await send_v2(peer, b"good")).code == 0
        assert (await send_v2(peer, b"bad")).code == ResponseCode.SYSTEM_BUSY
    with faults.refuse(RequestCode.GET_MAX_OFFSET), faults.refuse("get_min_offset", code=17):
        where = {"topic": "orders", "queueId": "0"}
        assert (await peer.call(RequestCode.GET_MAX_OFFSET, where)).code == 2
        assert (await peer.call(RequestCode.GET_MIN_OFFSET, where)).code == 17


async def test_a_lost_request_is_never_done(rocketmq: LocalBroker, peer: Peer) -> None:
    with rocketmq.faults.lose("send"), pytest.raises(RpcTimeout):
        await send_v2(peer, timeout_ms=50)
    assert rocketmq.messages("orders") == []


async def test_a_cut_request_closes_its_connection_and_is_never_done(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    with rocketmq.faults.cut("send", times=1), pytest.raises(ConnectionLost):
        await send_v2(peer)
    await send_v2(peer)
    rocketmq.assert_sent("orders", count=1)


async def test_a_dropped_answer_leaves_the_request_done(rocketmq: LocalBroker, peer: Peer) -> None:
    with rocketmq.faults.drop("send"), pytest.raises(RpcTimeout):
        await send_v2(peer, timeout_ms=50)
    rocketmq.assert_sent("orders", count=1)
    with rocketmq.faults.drop("GET_MAX_OFFSET"), pytest.raises(RpcTimeout):
        where = {"topic": "orders", "queueId": "0"}
        await peer.call(RequestCode.GET_MAX_OFFSET, where, timeout_ms=50)


async def test_a_delayed_answer_comes_late(rocketmq: LocalBroker, peer: Peer) -> None:
    with rocketmq.faults.delay("send", seconds=0.1):
        began = time.monotonic()
        sending = asyncio.ensure_future(send_v2(peer))
        await until(lambda: rocketmq.messages("orders"))
        assert not sending.done()
        assert (await sending).code == 0
        assert time.monotonic() - began >= 0.09


async def test_answers_come_twice(rocketmq: LocalBroker) -> None:
    with rocketmq.faults.duplicate("send"):
        async with RawPeer(At(rocketmq).address.port) as peer:
            command = Command.request(RequestCode.SEND_MESSAGE_V2, V2_FIELDS, b"v2")
            first, second = await peer.ask(command), await peer.receive()
    assert first.opaque == second.opaque == command.opaque
    assert first.fields["queueOffset"] == second.fields["queueOffset"] == "0"
    rocketmq.assert_sent("orders", count=1)


async def test_an_answer_that_comes_later_is_met_too(rocketmq: LocalBroker, peer: Peer) -> None:
    """A held pull is answered when a message comes; the fault knows it then."""
    await peer.heartbeat("orders", group="g")
    with rocketmq.faults.delay("pull", seconds=0.1) as fault:
        pulling = asyncio.ensure_future(pull(peer, hold_ms=30_000))
        await until(lambda: fault.hits == 1)
        began = time.monotonic()
        await send_v2(peer, b"hello")
        assert b"hello" in bytes((await pulling).body)
        assert time.monotonic() - began >= 0.09


async def test_pulls_that_wait_already_come_again_to_meet_a_fault(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    await peer.heartbeat("orders", group="g")
    pulling = asyncio.ensure_future(pull(peer, hold_ms=30_000))
    await until(lambda: rocketmq._servers.running.long_poll.count == 1)
    with rocketmq.faults.slow_consumer("g", seconds=0.05) as fault:
        assert (await pulling).code == ResponseCode.PULL_NOT_FOUND
        assert fault.hits == 0
        began = time.monotonic()
        await pull(peer)
        assert time.monotonic() - began >= 0.045
        assert fault.hits == 1


async def test_each_message_is_delivered_twice(rocketmq: LocalBroker, peer: Peer) -> None:
    await peer.heartbeat("orders", group="g")
    for _ in range(3):
        await send_v2(peer)
    offset, delivered = 0, 0
    with rocketmq.faults.duplicate_delivery("g", topic="orders"):
        for _ in range(3):
            answer = await pull(peer, offset)
            offset = int(answer.fields["nextBeginOffset"])
            delivered += bytes(answer.body).count(b"UNIQ_KEY")
    assert (offset, delivered) == (3, 6)


async def test_a_full_disk_refuses_messages_and_still_hands_them_out(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    await send_v2(peer)
    with rocketmq.faults.disk_full():
        answer = await send_v2(peer)
        assert answer.code == ResponseCode.SERVICE_NOT_AVAILABLE
        assert "no room on the disk" in str(answer.remark)
        await peer.heartbeat("orders", group="g")
        assert (await pull(peer)).code == 0
        rocketmq.clock.jump(hours=1)
        assert (await send_v2(peer)).code == ResponseCode.SERVICE_NOT_AVAILABLE
    assert (await send_v2(peer)).code == 0


async def test_a_broker_that_is_down_comes_back_where_it_was(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    await send_v2(peer, b"before")
    address = rocketmq.broker_address
    with rocketmq.faults.broker_down() as fault:
        with pytest.raises(NetError):
            await send_v2(peer)
        fault.remove()
    assert rocketmq.broker_address == address
    await send_v2(peer, b"after")
    assert [message.body for message in rocketmq.messages("orders")] == [b"before", b"after"]


async def route(client: RpcClient, rocketmq: LocalBroker) -> int:
    command = Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": "orders"})
    return (await client.call(rocketmq.address, command, 1000)).code


async def test_clients_cut_off_from_the_name_server_learn_nothing(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders")
    client = RpcClient()
    assert await route(client, rocketmq) == 0
    with rocketmq.faults.partition(broker=False):
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                await route(client, rocketmq)
    assert await route(client, rocketmq) == 0
    await client.close()


async def test_a_broker_cut_off_from_the_name_server_is_forgotten_and_comes_back(
    rocketmq: LocalBroker,
) -> None:
    rocketmq.topic("orders")
    client = RpcClient()
    with rocketmq.faults.partition(clients=False):
        assert await route(client, rocketmq) == ResponseCode.TOPIC_NOT_EXIST
        rocketmq.send("orders", "who knows the broker reaches it")
    assert await route(client, rocketmq) == 0
    await client.close()


async def test_name_server_requests_can_be_refused(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders")
    client = RpcClient()
    with rocketmq.faults.refuse("route", code="TOPIC_NOT_EXIST"):
        assert await route(client, rocketmq) == ResponseCode.TOPIC_NOT_EXIST
    assert await route(client, rocketmq) == 0
    await client.close()


def test_faults_are_cleared_together(rocketmq: LocalBroker) -> None:
    rocketmq.faults.refuse("send")
    rocketmq.faults.disk_full()
    with pytest.raises(Refused):
        rocketmq.send("orders", "x")
    rocketmq.faults.clear()
    rocketmq.send("orders", "x")


@pytest.mark.parametrize(
    ("set_fault", "words"),
    [
        (lambda faults: faults.refuse("sned"), "no request is called 'sned'; say 'send', "),
        (lambda faults: faults.refuse("send", code="BUSY"), "no response code is called 'BUSY'"),
    ],
)
def test_a_wrong_name_is_an_error(
    rocketmq: LocalBroker, set_fault: Callable[[Faults], Fault], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        set_fault(rocketmq.faults)
