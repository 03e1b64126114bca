"""The SDK's producer against our servers, over real sockets: what is sent is what is stored."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.broker.config import TopicsConfig
from pocketmq.client.outgoing import RESERVED_NAMES
from pocketmq.message.flags import COMPRESSED, COMPRESSION_ZLIB
from pocketmq.message.hashing import java_string_hash
from pocketmq.message.ids import decode_offset_message_id


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
async def producer(cluster: SdkCluster) -> AsyncIterator[pocketmq.Producer]:
    async with pocketmq.Producer(cluster.address, group="senders") as producer:
        yield producer


async def test_a_message_is_stored_as_it_was_sent(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    receipt = await producer.send(
        "orders",
        "grüße",
        tag="paid",
        keys=["42", "43"],
        properties={"colour": "blue"},
        flag=7,
    )
    (message,) = await cluster.stored("orders")
    assert message.body == "grüße".encode()
    assert message.flag == 7
    assert (
        message.properties.items()
        >= {
            "UNIQ_KEY": receipt.message_id,
            "TAGS": "paid",
            "KEYS": "42 43",
            "WAIT": "true",
            "colour": "blue",
        }.items()
    )
    assert receipt.status is pocketmq.SendStatus.OK
    assert receipt.queue == pocketmq.MessageQueue("orders", "broker-a", message.queue_id)
    assert receipt.queue_offset == message.queue_offset
    place = decode_offset_message_id(receipt.offset_message_id)
    assert place.log_offset == message.log_offset
    assert place.port == cluster.brokers["broker-a"].port
    assert receipt.transaction_id == receipt.message_id


async def test_a_message_object_is_sent_with_all_its_details(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    message = pocketmq.Message("orders", b"x", tag="t", keys="k", wait_stored=False)
    await producer.send(message)
    (stored,) = await cluster.stored("orders")
    assert stored.properties["WAIT"] == "false"
    assert (stored.properties["TAGS"], stored.properties["KEYS"]) == ("t", "k")
    with pytest.raises(errors.MessageInvalid, match="not both"):
        await producer.send(message, tag="other")


async def test_sends_of_many_tasks_are_all_stored_once_and_spread_over_queues(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    bodies = [b"%d" % number for number in range(1000)]
    receipts = await asyncio.gather(*(producer.send("orders", body) for body in bodies))
    stored = await cluster.stored("orders")
    assert sorted(message.body for message in stored) == sorted(bodies)
    assert len({receipt.message_id for receipt in receipts}) == 1000
    by_queue = [sum(m.queue_id == queue for m in stored) for queue in range(4)]
    assert by_queue == [250, 250, 250, 250]
    assert producer.in_flight == 0


async def test_messages_with_one_key_keep_their_order_in_one_queue(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await producer.send("orders", b"create the topic")
    for number in range(20):
        await producer.send("orders", b"%d" % number, order_by=f"customer-{number % 3}")
    stored = [m for m in await cluster.stored("orders") if "__SHARDINGKEY" in m.properties]
    for customer in range(3):
        key = f"customer-{customer}"
        own = [m for m in stored if m.properties["__SHARDINGKEY"] == key]
        assert {m.queue_id for m in own} == {abs(java_string_hash(key)) % 4}
        assert [int(m.body) for m in own] == list(range(customer, 20, 3))


async def test_a_queue_can_be_named_and_a_selector_can_choose_one(cluster: SdkCluster) -> None:
    def last(queues: object, message: pocketmq.Message) -> pocketmq.MessageQueue:
        assert isinstance(queues, list)
        chosen = queues[-1] if message.tag == "last" else queues[0]
        assert isinstance(chosen, pocketmq.MessageQueue)
        return chosen

    async with pocketmq.Producer(cluster.address, selector=last) as producer:
        assert (await producer.send("orders", b"x", tag="last")).queue_id == 3
        assert (await producer.send("orders", b"x")).queue_id == 0
        await producer.send_soon("orders", b"soon", tag="last")
        await producer.flush()
        named = pocketmq.MessageQueue("orders", "broker-a", 2)
        assert (await producer.send("orders", b"x", queue=named)).queue_id == 2
        elsewhere = pocketmq.MessageQueue("orders", "broker-z", 2)
        with pytest.raises(errors.MessageInvalid, match="no writable queue 2 on broker broker-z"):
            await producer.send("orders", b"x", queue=elsewhere)
    assert [m.queue_id for m in await cluster.stored("orders") if m.body == b"soon"] == [3]


async def test_large_bodies_travel_compressed_and_small_ones_as_they_are(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    large = b"pocket" * 1000
    await producer.send("orders", large)
    await producer.send("orders", b"p" * 4095)
    small, compressed = sorted(await cluster.stored("orders"), key=lambda m: m.sys_flag)
    assert small.body == b"p" * 4095 and small.sys_flag == 0
    assert compressed.sys_flag == COMPRESSED | COMPRESSION_ZLIB
    assert zlib.decompress(compressed.body) == large


async def test_bulky_bodies_are_compressed_without_holding_up_the_loop(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    bodies = [b"%d" % n + b"pocket" * 150_000 for n in range(4)]
    await producer.send("orders", bodies[0])
    await producer.send("orders", bodies[1], order_by="k")
    await producer.send_oneway("orders", bodies[2])
    producer.send_soon("orders", bodies[3])
    await producer.flush()
    stored = await cluster.stored("orders")
    assert {m.sys_flag for m in stored} == {COMPRESSED | COMPRESSION_ZLIB}
    assert {zlib.decompress(m.body) for m in stored} == set(bodies)
    with pytest.raises(errors.MessageTooLarge, match="raise body_bytes_max"):
        await producer.send("orders", random.Random(1).randbytes(5_000_000))


async def test_compression_can_be_switched_off(cluster: SdkCluster) -> None:
    options = pocketmq.ProducerOptions(compression="none")
    async with pocketmq.Producer(cluster.address, options=options) as producer:
        await producer.send("orders", b"a" * 100_000)
    (stored,) = await cluster.stored("orders")
    assert (stored.sys_flag, len(stored.body)) == (0, 100_000)


async def test_one_way_sends_arrive(cluster: SdkCluster, producer: pocketmq.Producer) -> None:
    for number in range(10):
        await producer.send_oneway("orders", b"%d" % number, tag="fast")
    await producer.send("orders", b"last", queue=pocketmq.MessageQueue("orders", "broker-a", 0))
    assert sorted(await cluster.bodies("orders")) == sorted(
        [b"last", *(b"%d" % number for number in range(10))]
    )


async def test_unawaited_sends_are_all_stored_when_flushed(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    for number in range(500):
        producer.send_soon("orders", b"%d" % number)
    await producer.flush()
    assert producer.in_flight == 0
    assert sorted(map(int, await cluster.bodies("orders"))) == list(range(500))


async def test_closing_waits_for_unawaited_sends(cluster: SdkCluster) -> None:
    async with pocketmq.Producer(cluster.address) as producer:
        for number in range(100):
            producer.send_soon("orders", b"%d" % number)
    assert len(await cluster.bodies("orders")) == 100
    with pytest.raises(errors.ClientClosed, match="closed"):
        await producer.send("orders", b"")


async def test_unawaited_sends_that_fail_are_handed_to_the_callback(tmp_path: Path) -> None:
    failed: list[tuple[pocketmq.Message, BaseException]] = []
    strict = TopicsConfig(auto_create=False)
    async with (
        sdk_cluster(tmp_path, topics=strict) as cluster,
        pocketmq.Producer(
            cluster.address, on_error=lambda message, error: failed.append((message, error))
        ) as producer,
    ):
        large = b"body" * 5000
        producer.send_soon("orders", large, tag="t", keys="k", properties={"a": "b"}, delay=1.5)
        await producer.flush()
        own: list[BaseException] = []
        producer.send_soon("orders", b"other", on_error=lambda _, error: own.append(error))
        await producer.flush()
    ((message, error),) = failed
    assert isinstance(error, errors.NoRoute) and isinstance(own[0], errors.NoRoute)
    assert (message.topic, message.body, message.tag) == ("orders", large, "t")
    assert (message.delay, message.deliver_at, message.delay_level) == (1.5, None, 0)
    assert (message.keys, dict(message.properties)) == ("k", {"a": "b"})


async def test_a_topic_that_nobody_creates_is_named_with_the_cure(tmp_path: Path) -> None:
    strict = TopicsConfig(auto_create=False)
    async with (
        sdk_cluster(tmp_path, topics=strict) as cluster,
        pocketmq.Producer(cluster.address) as producer,
    ):
        with pytest.raises(errors.NoRoute, match="do not create topics; create it") as raised:
            await producer.send("orders", b"x")
        assert raised.value.topic == "orders"
        cluster.create_topic("orders", queues=2)
        await until(lambda: cluster.names.routes.route("orders"))
        assert (await producer.send("orders", b"x")).queue_id in (0, 1)


async def test_a_batch_is_stored_in_one_queue_in_order(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    messages: list[pocketmq.Message | bytes | str] = [
        pocketmq.Message("orders", b"0", tag="t"),
        b"1",
        "2",
    ]
    receipts = await producer.send_batch("orders", messages)
    stored = await cluster.stored("orders")
    assert [m.body for m in stored] == [b"0", b"1", b"2"]
    assert len({m.queue_id for m in stored}) == 1
    assert [r.queue_offset for r in receipts] == [m.queue_offset for m in stored]
    assert [r.message_id for r in receipts] == [m.properties["UNIQ_KEY"] for m in stored]
    places = [decode_offset_message_id(r.offset_message_id).log_offset for r in receipts]
    assert places == [m.log_offset for m in stored]
    assert stored[0].properties["TAGS"] == "t"
    assert await producer.send_batch("orders", []) == []


async def test_a_batch_beyond_the_limit_is_split_and_stays_in_one_queue(
    cluster: SdkCluster,
) -> None:
    options = pocketmq.ProducerOptions(body_bytes_max=10_000)
    async with pocketmq.Producer(cluster.address, options=options) as producer:
        receipts = await producer.send_batch("orders", [b"%03d" % n * 100 for n in range(100)])
    stored = await cluster.stored("orders")
    assert [m.body[:3] for m in stored] == [b"%03d" % n for n in range(100)]
    assert [r.queue_offset for r in receipts] == list(range(100))
    assert len({r.queue_id for r in receipts}) == 1


async def test_a_batch_refuses_other_topics_and_delays(producer: pocketmq.Producer) -> None:
    with pytest.raises(errors.MessageInvalid, match="one topic"):
        await producer.send_batch("orders", [pocketmq.Message("other", b"")])
    with pytest.raises(errors.MessageInvalid, match="delayed message cannot be in a batch"):
        await producer.send_batch("orders", [pocketmq.Message("orders", b"", delay_level=1)])


async def test_gathered_sends_share_requests_and_have_receipts_of_their_own(
    cluster: SdkCluster,
) -> None:
    options = pocketmq.ProducerOptions(batching=pocketmq.Batching(linger_ms=5, messages_max=64))
    async with pocketmq.Producer(cluster.address, options=options) as producer:
        receipts = await asyncio.gather(
            *(producer.send("orders", b"%d" % n, tag="t") for n in range(200))
        )
        for number in range(200, 300):
            producer.send_soon("orders", b"%d" % number)
        large = await producer.send("orders", b"a" * 200_000)
    stored = {m.properties["UNIQ_KEY"]: m for m in await cluster.stored("orders")}
    assert sorted(int(m.body) for m in stored.values() if len(m.body) < 9) == list(range(300))
    for number, receipt in enumerate(receipts):
        message = stored[receipt.message_id]
        assert int(message.body) == number
        assert (receipt.queue_id, receipt.queue_offset) == (message.queue_id, message.queue_offset)
    assert large.message_id in stored


async def test_gathered_sends_with_one_key_keep_their_order(cluster: SdkCluster) -> None:
    options = pocketmq.ProducerOptions(batching=pocketmq.Batching(linger_ms=2, messages_max=8))
    async with pocketmq.Producer(cluster.address, options=options) as producer:
        await producer.send("orders", b"create the topic")
        for number in range(100):
            producer.send_soon("orders", b"%d" % number, order_by="one")
        await producer.flush()
    stored = [m for m in await cluster.stored("orders") if len(m.body) < 9]
    assert [int(m.body) for m in stored] == list(range(100))
    assert len({m.queue_id for m in stored}) == 1


async def test_a_codec_encodes_what_is_not_bytes(cluster: SdkCluster) -> None:
    class Json:
        def encode(self, topic: str, value: object) -> tuple[bytes, dict[str, str]]:
            return json.dumps(value).encode(), {"content": "json"}

    async with pocketmq.Producer(cluster.address, codec=Json()) as producer:
        await producer.send("orders", {"id": 1})
        await producer.send("orders", b"raw")
    stored = {m.body: m.properties.get("content") for m in await cluster.stored("orders")}
    assert stored == {b'{"id": 1}': "json", b"raw": None}


async def test_one_send_may_choose_a_codec_of_its_own(cluster: SdkCluster) -> None:
    class Shout:
        name = "shout"

        def encode(self, value: str) -> bytes:
            return value.upper().encode()

        def decode(self, body: bytes) -> str:
            return body.decode().lower()

    for given in (None, pocketmq.Codecs(default="text")):
        async with pocketmq.Producer(cluster.address, codec=given) as producer:
            await producer.send("orders", {"id": 1}, codec="json")
            await producer.send(pocketmq.Message("orders", [2], tag="t"), codec="json")
            await producer.send("orders", "hi", codec=Shout(), order_by="k")
            await producer.send("orders", "as ever")
            with pytest.raises(errors.ConfigError, match="'smoke' asked for is unknown"):
                await producer.send("orders", {"id": 1}, codec="smoke")
    messages = await cluster.received("orders")
    shown = {(m.body, m.properties.get("CONTENT_TYPE"), m.tag) for m in messages}
    assert shown == {
        (b'{"id":1}', "json", ""),
        (b"[2]", "json", "t"),
        (b"HI", "shout", ""),
        (b"as ever", None, ""),
    }
    assert {"id": 1} in [m.value for m in messages]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"message": ""}, "blank"),
        ({"message": "not a topic"}, "illegal"),
        ({"message": "SCHEDULE_TOPIC_XXXX"}, "belongs to the broker"),
        ({"body": b""}, "the body is empty"),
        ({"body": 5}, "a body is bytes or str, not int"),
        ({"properties": {"TAGS": "x"}}, "use tag="),
        ({"properties": {"a": ""}}, "is empty"),
        ({"properties": {"a": "b\x01"}}, "separate properties"),
        ({"properties": {"": "b"}}, "needs a name"),
        ({"properties": {"a": 5}}, r"write str\(5\)"),
        ({"tag": "a\x02"}, "separate properties"),
        ({"keys": ["a b"]}, "without spaces"),
        ({"delay": -1}, "negative"),
        ({"delay": 1, "delay_level": 1}, "not several"),
        ({"delay_level": 19}, "from 1 to 18"),
        ({"deliver_at": 1_700_000_000_000}, "seconds since 1970"),
        ({"body": b"x" * (4 * 1024 * 1024 + 1)}, "raise body_bytes_max"),
        ({"properties": {"a": "x" * 40_000}}, "put large values into the body"),
    ],
)
async def test_a_message_that_no_broker_would_take_is_refused_with_the_cure(
    cluster: SdkCluster, arguments: dict[str, object], problem: str
) -> None:
    options = pocketmq.ProducerOptions(compression="none")
    given: dict[str, object] = {"message": "orders", "body": b"x", **arguments}
    async with pocketmq.Producer(cluster.address, options=options) as producer:
        with pytest.raises(errors.MessageInvalid, match=problem):
            await producer.send(**given)  # type: ignore[arg-type]
        assert producer.in_flight == 0


async def test_no_reserved_name_can_be_given_as_a_property(producer: pocketmq.Producer) -> None:
    for name in RESERVED_NAMES:
        with pytest.raises(errors.MessageInvalid, match=name):
            await producer.send("orders", b"", properties={name: "x"})


async def test_an_instance_and_its_connections_are_shared(cluster: SdkCluster) -> None:
    async with (
        pocketmq.Producer(cluster.address, group="one") as one,
        pocketmq.Producer(cluster.address, group="two") as two,
    ):
        assert one.instance is two.instance
        await one.send("orders", b"1")
        await two.send("orders", b"2")
        running = cluster.brokers["broker-a"].running
        groups = running.tables.clients.producer_groups
        await until(lambda: {"one", "two"} <= dict(groups()).keys())
        assert len(one.instance.rpc.connections()) == 2
    await until(lambda: not dict(groups()))


async def test_a_producer_of_a_namespace_shows_names_without_it(cluster: SdkCluster) -> None:
    async with pocketmq.Producer(cluster.address, group="g", namespace="prod") as producer:
        receipt = await producer.send("orders", b"inside")
        assert receipt.topic == "orders"
        assert [queue.topic for queue in await producer.queues("orders")] == ["orders"] * 4
        named = (await producer.queues("orders"))[1]
        assert (await producer.send("orders", b"inside", queue=named)).queue == named
    assert await cluster.bodies("prod%orders") == [b"inside", b"inside"]
    assert await cluster.bodies("orders") == []
