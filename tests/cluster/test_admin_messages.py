"""Messages through `pocketmq.admin`: found in every way, followed, traced and sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

import pocketmq
from pocketmq.admin import Admin
from pocketmq.errors import BrokerRefused, ConfigError, NoRoute
from pocketmq.testing import LocalBroker


@pytest.fixture
async def admin(rocketmq: LocalBroker) -> AsyncIterator[Admin]:
    async with Admin(rocketmq.address) as opened:
        yield opened


async def _all(messages: AsyncIterator[pocketmq.ReceivedMessage]) -> list[str]:
    return [message.text async for message in messages]


async def test_a_message_is_found_by_either_of_its_ids(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    rocketmq.topic("payments", queues=1)
    unique = rocketmq.send("orders", "pizza", keys="42", tag="new")
    rocketmq.send("orders", "pasta")
    (found,) = await admin.messages.by_id(unique, "orders")
    assert (found.text, found.tag, found.keys, found.message_id) == (
        "pizza",
        "new",
        ("42",),
        unique,
    )
    (same,) = await admin.messages.by_id(found.offset_message_id)
    assert (same.text, same.log_offset) == ("pizza", found.log_offset)
    (anywhere,) = await admin.messages.by_id(unique)
    assert anywhere.topic == "orders"
    assert await admin.messages.by_id(unique, "payments") == []
    assert await admin.messages.by_id("0" * 32) == []
    assert await admin.messages.by_id("nonsense") == []
    with pytest.raises(NoRoute, match="no route for topic nowhere"):
        await admin.messages.by_id(unique, "nowhere")


async def test_messages_are_found_by_key_within_a_time(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    rocketmq.send("orders", "first", keys="42")
    await rocketmq.clock.advance(seconds=60)
    rocketmq.send("orders", "second", keys=["41", "42"])
    rocketmq.send("orders", "other", keys="41")
    first, second = await admin.messages.by_key("orders", "42")
    assert (first.text, second.text) == ("first", "second")
    late = await admin.messages.by_key("orders", "42", begin_ms=first.store_timestamp_ms + 1)
    assert [one.text for one in late] == ["second"]
    early = await admin.messages.by_key("orders", "42", end_ms=second.store_timestamp_ms - 1)
    assert [one.text for one in early] == ["first"]
    assert await admin.messages.by_key("orders", "43") == []


async def test_a_message_is_found_by_its_place(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    for number in range(4):
        rocketmq.send("orders", str(number), queue_id=1)
    found = await admin.messages.by_offset("orders", "pocketmq", 1, 2)
    assert found is not None
    assert found.text == "2"
    assert await admin.messages.by_offset("orders", "pocketmq", 1, 4) is None
    with pytest.raises(NoRoute, match="it has no readable queue 2 on pocketmq"):
        await admin.messages.by_offset("orders", "pocketmq", 2, 0)


async def test_messages_of_all_queues_come_in_the_order_of_time(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=3)
    times = []
    for number in range(100):
        rocketmq.send("orders", str(number), tag="odd" if number % 2 else "even")
        await rocketmq.clock.advance(seconds=1)
    times = [message.stored_ms for message in rocketmq.messages("orders")]
    times.sort()
    everything = [str(number) for number in range(100)]
    assert await _all(admin.messages.by_time("orders")) == everything
    some = await _all(admin.messages.by_time("orders", times[40], times[59]))
    assert some == everything[40:60]
    odd = await _all(admin.messages.by_time("orders", times[90], expression="odd"))
    assert odd == ["91", "93", "95", "97", "99"]
    assert await _all(admin.messages.by_time("orders", times[99] + 5000)) == []
    newest = await admin.messages.latest("orders", 5)
    assert [one.text for one in newest] == everything[95:]
    before = await admin.messages.latest("orders", 3, before_ms=times[50])
    assert [one.text for one in before] == everything[47:50]
    assert await admin.messages.latest("orders", 0) == []


async def test_an_expression_that_cannot_be_understood_is_an_error(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "pizza")
    with pytest.raises(BrokerRefused, match="SUBSCRIPTION_PARSE_FAILED"):
        await _all(admin.messages.by_time("orders", expression=pocketmq.Sql("a >")))


async def test_tailing_begins_at_the_end_and_follows(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    rocketmq.send("orders", "before")
    async with aclosing(admin.messages.tail("orders")) as messages:
        following = asyncio.ensure_future(anext(messages))
        while not following.done():
            rocketmq.send("orders", "after")
            await asyncio.wait([following], timeout=0.05)
        assert following.result().text == "after"
    async with aclosing(admin.messages.tail("orders", begin_ms=0)) as messages:
        assert (await anext(messages)).text in ("before", "after")


async def test_tailing_survives_connections_that_break(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    problems: list[str] = []
    messages = admin.messages.tail("orders", begin_ms=0, on_problem=problems.append)
    async with aclosing(messages):
        rocketmq.send("orders", "1")
        assert (await anext(messages)).text == "1"
        with rocketmq.faults.cut("PULL_MESSAGE"):
            following = asyncio.ensure_future(anext(messages))
            while not problems:
                await asyncio.wait([following], timeout=0.05)
        rocketmq.send("orders", "2")
        assert (await following).text == "2"
    assert problems[0].endswith("; trying again")


async def test_tailing_a_topic_that_is_not_there_is_an_error(admin: Admin) -> None:
    with pytest.raises(NoRoute, match="it does not exist"):
        await anext(admin.messages.tail("nowhere"))


async def test_a_trace_tells_what_clients_and_the_broker_know(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=1)

    async def accept(message: pocketmq.ReceivedMessage) -> None:
        return None

    trace = pocketmq.Trace()
    async with pocketmq.Producer(rocketmq.address, hooks=[trace]) as producer:
        receipt = await producer.send("orders", b"pizza", keys="42", tag="new")
    trace = pocketmq.Trace()
    async with pocketmq.Consumer(
        rocketmq.address,
        group="billing",
        topics="orders",
        handler=accept,
        start_from="first",
        hooks=[trace],
    ):
        await rocketmq.settle()
    points = await admin.messages.trace(receipt.message_id)
    told = {(point.what, point.group) for point in points}
    assert ("sent", "pocketmq_producer") in told
    assert ("delivered", "billing") in told
    assert ("handled", "billing") in told
    assert ("sent", "store@pocketmq") in told
    (sent,) = [point for point in points if point.group == "pocketmq_producer"]
    assert (sent.topic, sent.tag, sent.keys, sent.outcome) == ("orders", "new", "42", "success")
    assert (sent.body_bytes, sent.kind) == (5, "normal")
    assert not sent.by_broker
    by_key = await admin.messages.trace("42")
    assert {point.message_id for point in by_key} == {receipt.message_id}
    assert await admin.messages.trace("nothing") == []


async def test_messages_are_sent_and_sent_again(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    rocketmq.topic("copies", queues=1)
    receipt = await admin.messages.send(
        pocketmq.Message("orders", "pizza", tag="new", keys="42", properties={"size": "xl"}),
        queue=pocketmq.MessageQueue("orders", "pocketmq", 1),
    )
    assert receipt.queue_id == 1
    (original,) = await admin.messages.by_id(receipt.message_id, "orders")
    again = await admin.messages.resend(original)
    elsewhere = await admin.messages.resend(original, "copies")
    assert len({receipt.message_id, again.message_id, elsewhere.message_id}) == 3
    (copy,) = await admin.messages.by_id(elsewhere.message_id, "copies")
    assert (copy.text, copy.tag, copy.keys) == ("pizza", "new", ("42",))
    assert copy.properties["size"] == "xl"
    assert len(rocketmq.messages("orders")) == 2


async def test_a_message_is_handed_to_one_consumer(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "pizza")
    (message,) = await admin.messages.latest("orders", 1)
    with pytest.raises(ConfigError, match="has no connected consumer"):
        await admin.messages.hand_over(message, "billing")
    seen: list[str] = []

    async def accept(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    async with pocketmq.Consumer(
        rocketmq.address, group="billing", topics="orders", handler=accept, start_from="first"
    ) as consumer:
        await rocketmq.settle()
        handled = await admin.messages.hand_over(message, "billing")
        assert (handled.client_id, handled.outcome) == (consumer.client_id, "success")
    assert seen == ["pizza", "pizza"]
