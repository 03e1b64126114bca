"""Peers that misbehave, while a well-behaved one goes on working with the same servers."""

from __future__ import annotations

import asyncio
import gc
import os
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.cutting_proxy import CuttingProxy
from tests.support.local_broker import broker_config
from tests.support.local_cluster import name_server
from tests.support.raw_peer import RawPeer
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import RegistrationConfig
from pocketmq.nameserver.app import NameServerApp
from pocketmq.net import ListenConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import ROCKETMQ, Command
from pocketmq.protocol.framing import encode_frame

T = TypeVar("T")
MIB = 1024 * 1024

TOPIC = "T"
BODY = bytes(1024)
SEND = {
    "a": "producers",
    "b": TOPIC,
    "c": "TBW102",
    "d": "4",
    "e": "0",
    "f": "0",
    "g": "1700000000000",
    "h": "0",
    "i": "",
    "j": "0",
    "k": "false",
    "m": "false",
}
PULL = {
    "consumerGroup": "consumers",
    "topic": TOPIC,
    "queueId": "0",
    "queueOffset": "0",
    "maxMsgNums": "32",
    "sysFlag": "4",
    "commitOffset": "0",
    "suspendTimeoutMillis": "15000",
    "subscription": "*",
    "subVersion": "0",
    "expressionType": "TAG",
}
DEAF_BYTES_MAX = 64 * MIB
"""More than sockets and a server that stops reading take from a peer that reads nothing."""
PULL_FRAME = encode_frame(Command.request(11, dict(PULL)))


@dataclass
class Cluster:
    """A name server, a broker that registered with it, and one good client of both."""

    names: NameServerApp
    broker: BrokerApp
    to_names: RawPeer
    to_broker: RawPeer
    sent: int = 0

    async def works(self) -> None:
        """Fail unless the good client finds its topic and sends to it."""
        sent = await self.to_broker.ask(Command.request(310, dict(SEND), BODY))
        assert sent.code == 0, sent.remark
        self.sent += 1
        found = await self.to_names.ask(
            Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC, {"topic": "TBW102"})
        )
        assert found.code == 0, found.remark

    async def works_while(self, misbehaviour: Coroutine[object, object, T]) -> T:
        """Let a peer misbehave, and fail when that harms the good client; return what it found."""
        task = asyncio.ensure_future(misbehaviour)
        await self.works()
        while not task.done():
            await self.works()
            await asyncio.wait([task], timeout=0.01)
        found = await task
        await self.works()
        return found


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running(tmp_path) as cluster:
        yield cluster


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Cluster]:
    """A cluster whose broker cuts a peer off that leaves 4 MiB unread."""
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(name_server())
        config = broker_config(
            directory, registration=RegistrationConfig(name_servers=str(names.address))
        )
        listen = ListenConfig(write_buffer_pause_bytes=MIB, write_buffer_bytes_max=4 * MIB)
        broker = BrokerApp(replace(config, listen=listen, fast_port_offset=0))
        await broker.start()
        stack.push_async_callback(broker.stop)
        cluster = Cluster(
            names,
            broker,
            await stack.enter_async_context(RawPeer(names.port)),
            await stack.enter_async_context(RawPeer(broker.port)),
        )
        await cluster.works()
        yield cluster


def ports(cluster: Cluster) -> list[int]:
    """Where to misbehave."""
    return [cluster.names.port, cluster.broker.port]


async def test_a_peer_that_sends_half_a_frame_harms_nobody(cluster: Cluster) -> None:
    frame = encode_frame(Command.request(310, dict(SEND), BODY))

    async def misbehave(port: int) -> None:
        async with RawPeer(port) as peer:
            for byte in frame[:50]:
                await peer.send(bytes((byte,)))
                await asyncio.sleep(0)

    for port in ports(cluster):
        await cluster.works_while(misbehave(port))
    offsets = cluster.broker.running.store.queue_offsets(TOPIC, 0)
    assert offsets[1] == cluster.sent, "half a frame is no message"


async def test_a_peer_that_announces_two_gibibytes_is_closed(cluster: Cluster) -> None:
    async def misbehave(port: int) -> None:
        async with RawPeer(port) as peer:
            await peer.send(struct.pack(">iI", 0x7FFFFFFF, 100), bytes(100_000))
            assert await peer.closed_by_other_side()

    for port in ports(cluster):
        await cluster.works_while(misbehave(port))


async def test_a_peer_that_sends_a_large_frame_slowly_costs_what_it_has_sent(
    cluster: Cluster,
) -> None:
    connections = cluster.broker.running.server.connections

    async def misbehave(port: int) -> None:
        async with RawPeer(port) as peer:
            await peer.send(struct.pack(">iI", 16 * MIB - 4, 2), b"{}")
            for _ in range(64):
                await peer.send(bytes(64 * 1024))
            if port == cluster.broker.port:
                await until(lambda: kept_bytes() == 10 + 64 * 64 * 1024)

    def kept_bytes() -> int:
        """What the broker keeps of frames that are not whole: as much as came, and no more."""
        assert all(sum(map(len, c._kept)) == c._kept_bytes for c in connections)
        return sum(connection._kept_bytes for connection in connections)

    for port in ports(cluster):
        await cluster.works_while(misbehave(port))
    await until(lambda: kept_bytes() == 0)


@pytest.mark.parametrize("pulls_at_once", [20, 2000], ids=["left waiting", "cut off"])
async def test_a_peer_that_never_reads_its_messages_is_not_served_for_ever(
    cluster: Cluster, pulls_at_once: int
) -> None:
    for _ in range(40):
        await cluster.works()
    requests = PULL_FRAME * pulls_at_once
    taken = await cluster.works_while(never_read(cluster.broker.port, requests))
    assert taken * len(requests) < DEAF_BYTES_MAX


async def test_a_peer_that_never_reads_settings_is_not_served_for_ever(cluster: Cluster) -> None:
    frame = encode_frame(Command.request(RequestCode.GET_NAMESRV_CONFIG))
    taken = await cluster.works_while(never_read(cluster.names.port, frame * 500))
    assert taken * len(frame) * 500 < DEAF_BYTES_MAX


async def never_read(port: int, requests: bytes) -> int:
    """Ask until the server no longer listens, or has hung up; return how often that went well."""
    taken = 0
    async with RawPeer(port) as deaf:
        with pytest.raises((ConnectionError, asyncio.TimeoutError, TimeoutError)):
            while taken < 20_000:
                await asyncio.wait_for(deaf.send(requests), 0.5)
                taken += 1
    return taken


ODD_REQUESTS = {
    "a topic that is half a surrogate pair": Command.request(105, {"topic": "\ud800"}),
    "no topic at all": Command.request(105),
    "a registration of nobody": Command.request(103),
    "a registration of garbage": Command.request(
        103,
        {
            "brokerName": "x",
            "brokerAddr": "nowhere",
            "clusterName": "",
            "haServerAddr": "",
            "brokerId": "-1",
            "pocketmqAdvertise": "auto",
        },
        b'{"topicConfigSerializeWrapper":{"topicConfigTable":{"a":[]}}}',
    ),
    "a heartbeat of garbage": Command.request(34, body=b"\x00\xff{"),
    "settings of garbage": Command.request(318, body=b"\\u12"),
    "a lock of nothing": Command.request(41, body=b"null"),
    "a send of nothing": Command.request(310),
    "a send with wild numbers": Command.request(310, SEND | {"e": "99999999999999999999"}),
    "a send to a negative queue": Command.request(310, SEND | {"e": "-7"}),
    "a pull of nothing": Command.request(11),
    "a pull from far away": Command.request(11, PULL | {"queueOffset": str(2**63 - 1)}),
    "a pull of minus one message": Command.request(11, PULL | {"maxMsgNums": "-1"}),
    "a deeply nested body": Command.request(34, body=b"[" * 200_000),
    "an unknown code": Command.request(2**31 - 1),
}


@pytest.mark.parametrize("oddity", ODD_REQUESTS)
async def test_an_odd_request_is_answered_and_the_connection_stays(
    cluster: Cluster, oddity: str
) -> None:
    for port in ports(cluster):
        async with RawPeer(port) as peer:
            answer = await peer.ask(ODD_REQUESTS[oddity])
            assert answer.code != 0 or port == cluster.names.port or "pull" in oddity
            assert answer.code == 0 or answer.remark
            probe = Command.request(2**31 - 2)
            assert (await peer.ask(probe)).code == 3
    await cluster.works()


async def test_requests_in_both_encodings_may_be_mixed_and_cut_anywhere(cluster: Cluster) -> None:
    async def misbehave() -> None:
        async with RawPeer(cluster.broker.port) as peer:
            frames = []
            for number in range(40):
                request = Command.request(310, dict(SEND), BODY)
                request.serialization = number % 2 and ROCKETMQ
                frames.append(encode_frame(request))
            stream = b"".join(frames)
            for start in range(0, len(stream), 777):
                await peer.send(stream[start : start + 777])
                await asyncio.sleep(0)
            for _ in frames:
                assert (await peer.receive()).code == 0

    await cluster.works_while(misbehave())


async def test_peers_that_connect_and_vanish_leave_nothing_behind(cluster: Cluster) -> None:
    async def misbehave(port: int) -> None:
        for number in range(200):
            async with RawPeer(port) as peer:
                if number % 3:
                    await peer.send(Command.request(11, dict(PULL)), b"\x00\x00")

    before = open_descriptors()
    for port in ports(cluster):
        await cluster.works_while(misbehave(port))
    await until(lambda: gc.collect() >= 0 and open_descriptors() <= before + 4)
    connections = cluster.broker.running.server.connections
    await until(lambda: len(connections) <= 1)
    assert [connection.is_open for connection in connections] == [True], "the good client's"


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


async def test_a_network_that_stalls_and_cuts_loses_no_answered_send(cluster: Cluster) -> None:
    queue_offsets: list[int] = []
    async with CuttingProxy(cluster.broker.port) as proxy:
        for turn in range(5):
            async with RawPeer(proxy.port) as peer:
                await peer.send(*(Command.request(310, dict(SEND), BODY) for _ in range(50)))
                for _ in range(10 * turn):
                    answer = await peer.receive()
                    assert answer.code == 0
                    queue_offsets.append(int(answer.fields["queueOffset"]))
                proxy.stall()
                proxy.cut()
                proxy.flow()
            await cluster.works()
    assert len(set(queue_offsets)) == len(queue_offsets)
    for queue_offset in queue_offsets[:: max(1, len(queue_offsets) // 10)]:
        request = Command.request(11, PULL | {"queueOffset": str(queue_offset)})
        found = await cluster.to_broker.ask(request)
        assert (found.code, int(found.fields["nextBeginOffset"]) > queue_offset) == (0, True)


def every_request_code() -> list[Command]:
    """Each known request code, empty and with nonsense."""
    nonsense = {"topic": "T", "queueId": "x", "group": "%", "brokerName": ""}
    return [
        Command.request(code, dict(fields), body)
        for code in RequestCode
        for fields in ({}, nonsense)
        for body in (b"", b"{}", b"\xff")
    ]


async def test_every_request_code_survives_nonsense(cluster: Cluster) -> None:
    async def misbehave(port: int) -> None:
        async with RawPeer(port) as peer:
            for request in every_request_code():
                await peer.send(request)
            probe = Command.request(2**31 - 2)
            assert (await peer.ask(probe)).code == 3

    for port in ports(cluster):
        await cluster.works_while(misbehave(port))
