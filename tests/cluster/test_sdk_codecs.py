"""Bodies as values: every call that sends takes a codec, and every consumer reads what it made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import pocketmq
from pocketmq import blocking
from pocketmq.errors import ConfigError, MessageInvalid
from pocketmq.testing import LocalBroker


@pytest.fixture(autouse=True)
def plain_clients_end() -> Iterator[None]:
    """The plain clients' thread ends with the test."""
    yield
    blocking.close_all()


class Shout:
    """A codec of the user's own."""

    name = "shout"

    def encode(self, value: str) -> bytes:
        return value.upper().encode()

    def decode(self, body: bytes) -> str:
        return body.decode().lower()


VALUE = {"id": 7, "lines": ["pen"]}
Way = Callable[[pocketmq.Producer, str], Awaitable[object]]


async def soon(producer: pocketmq.Producer, topic: str) -> None:
    producer.send_soon(topic, VALUE, codec="json")
    await producer.flush()


async def in_transaction(producer: pocketmq.Producer, topic: str) -> None:
    async with producer.transaction(topic, VALUE, codec="json"):
        pass


WAYS: dict[str, Way] = {
    "alone": lambda producer, topic: producer.send(topic, VALUE, codec="json"),
    "soon": soon,
    "one-way": lambda producer, topic: producer.send_oneway(topic, VALUE, codec="json"),
    "batch": lambda producer, topic: producer.send_batch(topic, [VALUE], codec="json"),
    "ordered": lambda producer, topic: producer.send(topic, VALUE, order_by="k", codec="json"),
    "delayed": lambda producer, topic: producer.send(topic, VALUE, delay=0.001, codec="json"),
    "transaction": in_transaction,
}


async def shown(rocketmq: LocalBroker, topic: str) -> list[tuple[Any, str | None]]:
    """What a consumer without codecs of its own makes of a topic."""
    consumer = pocketmq.Consumer(rocketmq.address, group="c", topics=topic, start_from="first")
    async with consumer:
        async for message in consumer:
            return [(message.value, message.properties.get("CONTENT_TYPE"))]
    return []


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_send_takes_a_codec(rocketmq: LocalBroker, way: str) -> None:
    rocketmq.topic("orders")
    async with pocketmq.Producer(rocketmq.address, group="p") as producer:
        await WAYS[way](producer, "orders")
        assert await shown(rocketmq, "orders") == [(VALUE, "json")]


@pytest.mark.parametrize("codec", ["json", "java", "hessian", pytest.param(Shout(), id="own")])
async def test_gathered_sends_keep_the_codec_of_each(rocketmq: LocalBroker, codec: Any) -> None:
    value: Any = "hi" if isinstance(codec, Shout) else VALUE
    options = pocketmq.ProducerOptions(batching=pocketmq.Batching())
    async with pocketmq.Producer(rocketmq.address, group="p", options=options) as producer:
        producer.send_soon("orders", value, codec=codec)
        producer.send_soon("orders", b"plain")
        await producer.flush()
    codecs = pocketmq.Codecs(more=[Shout()])
    consumer = pocketmq.Consumer(
        rocketmq.address, group="c", topics="orders", start_from="first", codec=codecs
    )
    async with consumer:
        values = [message.value async for message in consumer.messages(idle=0.5)]
    assert len(values) == 2
    assert value in values
    assert b"plain" in values


async def test_requests_and_replies_take_a_codec(rocketmq: LocalBroker) -> None:
    rocketmq.topic("questions")
    async with pocketmq.Producer(rocketmq.address, group="p") as producer:

        async def answer(message: pocketmq.ReceivedMessage) -> None:
            await producer.reply(message, [message.value["id"]], codec="json")

        consumer = pocketmq.Consumer(
            rocketmq.address, group="c", topics="questions", handler=answer, start_from="first"
        )
        async with consumer:
            reply = await producer.request("questions", VALUE, codec="json", timeout=10)
    assert reply.value == [7]


def test_every_consumer_decodes_by_topic_and_by_property(rocketmq: LocalBroker) -> None:
    codecs = pocketmq.Codecs({"orders": "json"}, more=[Shout()])
    with blocking.Producer(rocketmq.address, group="p", codec=codecs) as producer:
        rocketmq.topic("orders", queues=1)
        (queue,) = producer.queues("orders")
        producer.send_batch("orders", [VALUE])
        producer.send_soon("orders", "hi", codec="shout")
        producer.flush()
        with producer.transaction("orders", "ho", codec="shout"):
            pass
    wanted = [VALUE, "hi", "ho"]
    given: dict[str, Any] = {"codec": codecs}
    where = rocketmq.address
    rocketmq.settle()
    with blocking.Consumer(where, group="a", topics="orders", start_from="first", **given) as one:
        assert [message.value for message in one.messages(idle=0.5)] == wanted
    with blocking.PullConsumer(where, group="b", **given) as two:
        assert [message.value for message in two.pull(queue, 0).messages] == wanted
    start: dict[str, Any] = {"topics": "orders", "start_from": "first", **given}
    with blocking.LitePullConsumer(where, group="c", **start) as three:
        assert [message.value for message in three.poll(timeout=10)] == wanted
    with blocking.PopConsumer(where, group="d", **start) as four:
        assert [message.value for message in four.receive(wait=10)] == wanted


async def test_a_codec_that_is_unknown_is_told_before_anything_leaves(
    rocketmq: LocalBroker,
) -> None:
    async with pocketmq.Producer(rocketmq.address, group="p") as producer:
        with pytest.raises(ConfigError, match="'smoke' asked for is unknown"):
            producer.send_soon("orders", VALUE, codec="smoke")
        with pytest.raises(ConfigError, match="'smoke' asked for is unknown"):
            await producer.send_batch("orders", [b"good", VALUE], codec="smoke")
        with pytest.raises(MessageInvalid, match="not dict"):
            await producer.send_batch("orders", [VALUE])
        assert producer.in_flight == 0


@pytest.mark.parametrize("more", [{"delay": 5}, {"deliver_at": 1.0}, {"wait_stored": False}])
async def test_a_message_and_details_beside_it_are_refused(
    rocketmq: LocalBroker, more: dict[str, Any]
) -> None:
    message = pocketmq.Message("orders", b"x")
    async with pocketmq.Producer(rocketmq.address, group="p") as producer:
        with pytest.raises(MessageInvalid, match="give a Message alone"):
            await producer.send(message, **more)
    plain = blocking.Producer(rocketmq.address, group="p")
    with plain, pytest.raises(MessageInvalid, match="give a Message alone"):
        plain.send_soon(message, **more)
