"""Timed messages that one kind of broker takes are delivered by the other, each once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import pytest
from tests.compat.test_servers import EXCHANGES, STOPS, Machines
from tests.compat.test_servers import machines as machines  # a fixture
from tests.support.clients import raw
from tests.support.clients.servers import free_broker_port
from tests.support.local_broker import Peer
from tests.support.pulling import Pulled, props, pull_all

from pocketmq.net import Address

pytestmark = pytest.mark.timeout(180)

SETTINGS = {"timerWheelEnable": "true", "flushDiskType": "SYNC_FLUSH"}
PENDING = range(40, 100)


@dataclass
class At:
    """A broker that listens."""

    address: Address


def peer_at(address: str) -> Peer:
    host, _, port = address.rpartition(":")
    return Peer(At(Address(host, int(port))))


async def send(address: str, topic: str, numbers: range, moment_ms: int) -> None:
    peer = peer_at(address)
    for number in numbers:
        own = props(UNIQ_KEY=f"U{number:031}", TIMER_DELIVER_MS=moment_ms, WAIT="true")
        answer = await peer.send(topic, b"%d" % number, 0, own)
        assert answer.code == 0, answer.remark
    await peer.close()


async def came(address: str, topic: str, count: int) -> list[Pulled]:
    """Wait for so many messages, and a moment for more."""
    peer = peer_at(address)
    deadline = time.monotonic() + 60
    while len(await pull_all(peer, topic)) < count:
        assert time.monotonic() < deadline, "not all timed messages came"
        await asyncio.sleep(0.2)
    await asyncio.sleep(1.5)
    found = await pull_all(peer, topic)
    await peer.close()
    return found


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(("writer", "reader"), EXCHANGES)
def test_a_broker_of_the_other_kind_delivers_what_waits(
    writer: str, reader: str, stop: str, machines: Machines
) -> None:
    data, names = machines.directory("timers") / "data", machines.name_server("apache")
    port = free_broker_port()
    topic = f"topic-of-{data.parent.name}"
    with machines.broker(writer, "apache", data, port, **SETTINGS) as first:
        raw.create_topic(names, first.address, topic)
        now_ms = int(time.time() * 1000)
        asyncio.run(send(first.address, topic, range(40), now_ms + 2000))
        asyncio.run(send(first.address, topic, PENDING, now_ms + 20_000))
        before = asyncio.run(came(first.address, topic, 40))
        time.sleep(3)  # until the writer has noted how far its timer is
        STOPS[stop](first.process)
    with machines.broker(reader, "apache", data, port, **SETTINGS) as second:
        raw.create_topic(names, second.address, topic)
        after = asyncio.run(came(second.address, topic, 100))

    assert Counter(int(m.body) for m in before) == Counter(range(40))
    assert Counter(int(m.body) for m in after) == Counter(range(100))
    for message in after:
        assert message.store_timestamp_ms >= int(message.properties["TIMER_OUT_MS"]) + 1000
