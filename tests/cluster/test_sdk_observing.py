"""Traces, statistics, spans and explanations of real clients, and clients that speak TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.certificates import self_signed
from tests.support.waiting import until

import pocketmq
from pocketmq import blocking
from pocketmq.client.trace import Trace
from pocketmq.errors import ConfigError, NameServersUnreachable
from pocketmq.testing import LocalBroker, broker

TRACES = "RMQ_SYS_TRACE_TOPIC"


@pytest.fixture
def rocketmq() -> Iterator[LocalBroker]:
    with broker({"enablePropertyFilter": True}) as running:
        yield running


def records(rocketmq: LocalBroker) -> list[list[str]]:
    """The fields of all trace records, in order."""
    found = []
    for message in rocketmq.messages(TRACES):
        parts = message.body.decode().split("\x02")
        assert parts.pop() == ""
        found += [part.split("\x01") for part in parts]
    return found


async def test_a_messages_life_is_traced_from_send_to_end(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("orders")
    tracing = Trace()
    async with pocketmq.Producer(rocketmq.address, group="shop", hooks=[tracing]) as producer:
        receipt = await producer.send(topic, b"12345", tag="paid", keys="k1 k2")
        later = await producer.send(topic, b"1", delay_level=1)
        async with producer.transaction(topic, b"tx") as transaction:
            pass
        await tracing.flush()
        assert len(records(rocketmq)) == 4
    assert tracing.dropped == 0

    seen: list[str] = []
    done = asyncio.Event()

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.message_id)
        if message.message_id == receipt.message_id and message.attempt == 1:
            raise KeyError("first")
        done.set()

    async with pocketmq.Consumer(
        rocketmq.address, group="bill", topics=topic, start_from="first", handler=handle,
        hooks=[Trace()],
    ):  # fmt: skip
        await until(lambda: {receipt.message_id, transaction.message_id} <= set(seen))
        await asyncio.wait_for(done.wait(), 10)

    published = {fields[5]: fields for fields in records(rocketmq) if fields[0] == "Pub"}
    pub = published[receipt.message_id]
    assert pub[2:8] == ["DefaultRegion", "shop", topic, receipt.message_id, "paid", "k1 k2"]
    assert pub[8] == rocketmq.broker_address
    assert [pub[9], *pub[11:]] == ["5", "0", receipt.offset_message_id, "true"]
    assert published[later.message_id][11] == "3"
    assert published[transaction.message_id][11] == "1"
    (ended,) = (fields for fields in records(rocketmq) if fields[0] == "EndTransaction")
    assert ended[5] == transaction.message_id
    assert ended[11] == "COMMIT_MESSAGE"

    before = [f for f in records(rocketmq) if f[0] == "SubBefore" and f[5] == receipt.message_id]
    assert before[0][3:4] + before[0][6:] == ["bill", "0", "k1 k2"]
    after = {fields[1]: fields for fields in records(rocketmq) if fields[0] == "SubAfter"}
    assert after[before[0][4]][4:7] == ["false", "k1 k2", "2"]
    by_key = rocketmq.messages(TRACES, key=receipt.message_id)
    assert by_key, "consoles ask for traces by a message's id"


async def test_traces_of_a_dead_broker_are_dropped_and_counted(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("orders")
    tracing = Trace(records_max=10)
    options = pocketmq.ProducerOptions(send_timeout_ms=20_000)
    async with pocketmq.Producer(
        rocketmq.address, group="g", hooks=[tracing], options=options
    ) as producer:
        for _ in range(15):
            await producer.send(topic, b"x")
        assert tracing.dropped == 5
        await tracing.flush()
        assert len(records(rocketmq)) == 10


async def test_statistics_count_what_real_clients_do(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("orders")
    counts = pocketmq.Statistics()
    async with pocketmq.Producer(rocketmq.address, group="g", hooks=[counts]) as producer:
        await producer.send(topic, b"12345")
        await producer.send_batch(topic, [b"1", b"2"])
        await producer.send_oneway(topic, b"3")
    async with pocketmq.Consumer(
        rocketmq.address, group="c", topics=topic, start_from="first", hooks=[counts]
    ) as consumer:
        async for _ in consumer.messages(idle=0.3):
            pass
    numbers = counts.topic(topic)
    assert (numbers.sent, numbers.sent_bytes, numbers.consumed) == (4, 8, 4)
    assert numbers.send_ms.count == 2


async def test_clients_explain_themselves(rocketmq: LocalBroker) -> None:
    topic = rocketmq.topic("orders", queues=2)
    async with pocketmq.Producer(rocketmq.address, group="shop") as producer:
        assert "It has not sent to any topic yet." in await producer.explain()
        await producer.send(topic, b"x")
        said = await producer.explain()
        assert said.startswith("Producer of group shop, client id ")
        assert f"Name server {rocketmq.address}: connected" in said
        assert f"Topic {topic}: sends go to 2 queues of pocketmq." in said
        with rocketmq.faults.refuse("SEND_MESSAGE_V2", times=1):
            await producer.send(topic, b"y")
        async with pocketmq.Consumer(
            rocketmq.address, group="bill", topics={topic: "paid"}, start_from="first"
        ) as consumer:
            await until(lambda: len(consumer.assigned()) == 2)
            said = await consumer.explain()
        assert f"It wants what is tagged paid of topic {topic}." in said
        assert "The group has 0 other consumers online." in said
        assert "Queue 0 of pocketmq: at 0 of 1; 1 message to come." in said or "Queue 1 of" in said
        assert "%RETRY%bill: not there yet" in said or "%RETRY%bill: 1 queue " in said


async def test_a_consumer_explains_what_holds_it_back(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    may_end = asyncio.Event()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        await may_end.wait()

    options = pocketmq.ConsumerOptions(queue_messages_max=3)
    consumer = pocketmq.Consumer(
        rocketmq.address, group="bill", topics={"orders": pocketmq.Sql("a > 1"), "nowhere": "*"},
        handler=handler, concurrency=1, start_from="first", options=options,
    )  # fmt: skip
    async with pocketmq.Producer(rocketmq.address, group="shop") as producer, consumer:
        for _ in range(5):
            await producer.send("orders", b"x", properties={"a": "2"})
        await until(lambda: consumer._running().workers.busy == 1)
        await until(lambda: any(held.is_full() for held in consumer._running().assigned.held()))
        said = await consumer.explain()
        assert "It wants what matches the SQL92 expression a > 1 of topic orders." in said
        assert "1 handler at work; " in said
        assert "Queue 0 of orders on pocketmq has " in said
        assert "as many as it may" in said
        assert "nowhere: no route for topic nowhere: it does not exist" in said
        assert "`pocketmq topic create nowhere" in said
        consumer.pause("orders")
        assert "Queue 0 of orders on pocketmq is paused" in await consumer.explain()
        may_end.set()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1: cert.pem and key.pem in a directory."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secret(authority: Path) -> Iterator[LocalBroker]:
    """Servers that take plain clients, and TLS from those with the authority's certificate."""
    settings = {}
    for program in ("broker", "nameserver"):
        settings[f"{program}.listen.tls_certificate"] = str(authority / "cert.pem")
        settings[f"{program}.listen.tls_key"] = str(authority / "key.pem")
        settings[f"{program}.listen.tls_trust"] = str(authority / "cert.pem")
        settings[f"{program}.listen.tls_client_auth"] = "require"
    with broker(settings) as running:
        yield running


def tls(authority: Path, **changes: object) -> pocketmq.TlsConfig:
    files = {
        "authorities": str(authority / "cert.pem"),
        "certificate": str(authority / "cert.pem"),
        "key": str(authority / "key.pem"),
    }
    return pocketmq.TlsConfig(**{**files, **changes})  # type: ignore[arg-type]


async def test_clients_speak_tls_with_a_certificate_of_their_own(
    secret: LocalBroker, authority: Path
) -> None:
    topic = secret.topic("orders")
    for settings in (tls(authority), tls(authority, verify_host_name=True)):
        async with pocketmq.Producer(secret.address, group="g", tls=settings) as producer:
            await producer.send(topic, b"x")

    def plainly() -> None:
        with blocking.Producer(secret.address, group="g", tls=tls(authority)) as producer:
            for _ in range(3):
                producer.send(topic, b"y")
        blocking.close_all()

    await asyncio.to_thread(plainly)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert len(secret.messages(topic)) == 5


async def test_a_stranger_is_turned_away_and_does_not_trust_strangers(
    secret: LocalBroker, authority: Path
) -> None:
    for settings in (True, tls(authority, certificate="", key="")):
        async with pocketmq.Producer(secret.address, group="g", tls=settings) as producer:
            with pytest.raises(NameServersUnreachable):
                await producer.send("orders", b"x")
    with pytest.raises(ConfigError, match="check authorities"):
        await pocketmq.Producer(secret.address, tls=tls(authority, key="/no/such")).start()
    assert "password" not in repr(tls(authority, key_password="password"))
