"""The SDK's producer against Apache RocketMQ 5.3.3 and 4.9: what is sent is what is stored."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.compat.conftest import Apaches
from tests.support import apache
from tests.support.apache import ApacheCluster
from tests.support.local_broker import Peer
from tests.support.pulling import Pulled, pull_all

import pocketmq
from pocketmq import errors
from pocketmq.client.received import from_record
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.net import Address
from pocketmq.protocol.codes import RequestCode

pytestmark = pytest.mark.timeout(600)

_topics = itertools.count(1)


class Apache:
    """A running cluster and what its broker holds."""

    def __init__(self, cluster: ApacheCluster, version: str) -> None:
        self.cluster = cluster
        self.name_server = cluster.name_server
        self.is_old = version == apache.OLD_VERSION

    @property
    def address(self) -> Address:
        """Where the broker listens."""
        return Address.parse(self.cluster.broker)

    async def stored(self, topic: str) -> list[Pulled]:
        """All messages of a topic."""
        peer = Peer(self)
        try:
            return [m for queue in range(4) for m in await pull_all(peer, topic, queue)]
        finally:
            await peer.close()

    async def until_stored(self, topic: str, count: int) -> list[Pulled]:
        """All messages of a topic, once there are so many."""
        for _ in range(600):
            found = await self.stored(topic)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{topic} has {len(await self.stored(topic))} of {count} messages")

    async def received(self, offset_message_id: str) -> pocketmq.ReceivedMessage:
        """One message, by its place."""
        peer = Peer(self)
        place = decode_offset_message_id(offset_message_id)
        try:
            answer = await peer.call(
                RequestCode.VIEW_MESSAGE_BY_ID, {"offset": str(place.log_offset)}
            )
        finally:
            await peer.close()
        assert answer.code == 0, answer.remark
        return from_record(decode_record(bytes(answer.body)), "broker-a")


@pytest.fixture(scope="module", params=[apache.VERSION, apache.OLD_VERSION])
def server(request: pytest.FixtureRequest, apaches: Apaches) -> Apache:
    """Apache's servers, of either version."""
    return Apache(apaches(request.param), request.param)


@pytest.fixture
def topic() -> str:
    """A topic of the test's own."""
    return f"sdk-{next(_topics)}"


@asynccontextmanager
async def producing(server: Apache, **options: object) -> AsyncIterator[pocketmq.Producer]:
    """A producer that waits for a cold JVM."""
    settings: dict[str, Any] = {"send_timeout_ms": 20_000, **options}
    patient = pocketmq.ProducerOptions(**settings)
    async with pocketmq.Producer(server.name_server, group="sdk", options=patient) as producer:
        yield producer


async def test_every_kind_of_send_is_stored_exactly_once(server: Apache, topic: str) -> None:
    async with producing(server) as producer:
        receipt = await producer.send(
            topic, "grüße", tag="paid", keys=["42", "43"], properties={"colour": "blue"}, flag=7
        )
        large = b"pocket" * 5000
        await producer.send(topic, large)
        for number in range(10):
            await producer.send(topic, b"ordered %d" % number, order_by="k")
        batch = await producer.send_batch(topic, [b"batch %d" % n for n in range(10)])
        await producer.send_oneway(topic, b"one way")
        await asyncio.gather(*(producer.send(topic, b"many %d" % n) for n in range(500)))
        for number in range(100):
            await producer.send_soon(topic, b"soon %d" % number)
        await producer.flush()
    async with producing(server, batching=pocketmq.Batching()) as producer:
        await asyncio.gather(*(producer.send(topic, b"gathered %d" % n) for n in range(100)))
    stored = {m.body: m for m in await server.until_stored(topic, 723)}
    expected = {"grüße".encode(), b"one way"}
    for kind, count in (("ordered", 10), ("batch", 10), ("many", 500), ("soon", 100)):
        expected |= {b"%s %d" % (kind.encode(), n) for n in range(count)}
    expected |= {b"gathered %d" % n for n in range(100)}
    (compressed,) = stored.keys() - expected
    assert len(stored) == 723
    assert len(compressed) < len(large)
    first = stored["grüße".encode()]
    assert (first.flag, first.properties["TAGS"], first.properties["KEYS"]) == (7, "paid", "42 43")
    assert first.properties["UNIQ_KEY"] == receipt.message_id
    assert first.properties["colour"] == "blue"
    place = decode_offset_message_id(receipt.offset_message_id)
    assert (first.log_offset, first.queue_offset) == (place.log_offset, receipt.queue_offset)
    assert len({stored[b"ordered %d" % n].queue_id for n in range(10)}) == 1
    for number, own in enumerate(batch):
        message = stored[b"batch %d" % number]
        assert (message.queue_id, message.queue_offset) == (own.queue_id, own.queue_offset)
        assert message.properties["UNIQ_KEY"] == own.message_id


async def test_what_java_would_decompress_is_what_was_sent(server: Apache, topic: str) -> None:
    body = b"0123456789" * 10_000
    async with producing(server) as producer:
        receipt = await producer.send(topic, body)
    assert (await server.received(receipt.offset_message_id)).body == body


async def test_delayed_messages_come_late(server: Apache, topic: str) -> None:
    async with producing(server) as producer:
        await producer.send(topic, b"level", delay_level=1)
        count = 1
        if server.is_old:
            with pytest.raises(errors.FeatureUnavailable, match="use delay_level="):
                await producer.send(topic, b"time", delay=1)
        else:
            await producer.send(topic, b"time", delay=2)
            recalled = await producer.send(topic, b"recalled", delay=4)
            assert await producer.recall(recalled) == recalled.message_id
            await producer.send(topic, b"after", delay=6)
            count = 3
        bodies = {m.body for m in await server.until_stored(topic, count)}
    assert bodies == ({b"level"} if server.is_old else {b"level", b"time", b"after"})


async def test_transactions_commit_roll_back_and_are_checked(server: Apache, topic: str) -> None:
    async with producing(server) as producer:
        asked: list[str] = []

        @producer.check
        def check(message: pocketmq.ReceivedMessage) -> bool | None:
            asked.append(message.text)
            return "yes" in message.text

        async with producer.transaction(topic, b"committed: yes"):
            pass
        with pytest.raises(ZeroDivisionError):
            async with producer.transaction(topic, b"rolled back"):
                raise ZeroDivisionError
        for body in (b"open: yes", b"open: no"):
            async with producer.transaction(topic, body) as transaction:
                transaction.leave_open()
        # Apache may ask about one that is committed already, and then stores it a second time.
        stored: set[bytes] = set()
        for _ in range(600):
            stored = {m.body for m in await server.stored(topic)}
            if len(stored) > 1 and {"open: yes", "open: no"} <= set(asked):
                break
            await asyncio.sleep(0.1)
        assert stored == {b"committed: yes", b"open: yes"}
        assert {"open: yes", "open: no"} <= set(asked)


async def test_requests_get_replies(server: Apache, topic: str) -> None:
    async with (
        producing(server) as producer,
        pocketmq.Producer(server.name_server, group="repliers") as replier,
    ):
        await producer.send(topic, b"create the topic")
        asking = asyncio.ensure_future(producer.request(topic, b"how many?", timeout=20))
        place: str | None = None
        while place is None:
            await asyncio.sleep(0.05)
            host = server.address.packed()
            place = next(
                (
                    (host.hex() + f"{m.log_offset:016x}").upper()
                    for m in await server.stored(topic)
                    if m.body == b"how many?"
                ),
                None,
            )
        await replier.reply(await server.received(place), b"42")
        assert (await asking).body == b"42"


async def test_sends_survive_a_restart_of_the_broker(server: Apache, topic: str) -> None:
    restarts: list[Callable[[], None]] = [server.cluster.stop, server.cluster.start]
    # A broker whose JVM is cold accepts connections long before it answers on them.
    async with producing(server, send_timeout_ms=60_000, retries=20) as producer:
        await producer.send(topic, b"before")
        loop = asyncio.get_running_loop()

        def restart() -> None:
            for step in restarts:
                step()

        restarting = loop.run_in_executor(None, restart)
        sent = [b"before"]
        while not restarting.done():
            body = b"%d" % len(sent)
            await producer.send(topic, body)
            sent.append(body)
            await asyncio.sleep(0.05)
        await restarting
        await producer.send(topic, b"after")
        sent.append(b"after")
    stored = {m.body for m in await server.stored(topic)}
    assert set(sent) <= stored
