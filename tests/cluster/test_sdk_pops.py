"""Popping consumers: order within a queue, and several topics at once."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import Any

import pytest
from tests.support.waiting import until

import pocketmq
from pocketmq import blocking
from pocketmq.errors import ConfigError
from pocketmq.testing import LocalBroker


async def send(address: str, topic: str, keys: int, each: int) -> None:
    """Send `each` messages in order of every key."""
    async with pocketmq.Producer(address, group="p") as producer:
        for number in range(each):
            for key in range(keys):
                await producer.send(topic, str(number), order_by=f"k{key}")


class Notes:
    """What handlers saw, by key; no key must be handled twice at a time."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.attempts: list[int] = []
        self.busy: set[int] = set()
        self.overlaps = 0

    def begin(self, message: pocketmq.ReceivedMessage) -> None:
        self.overlaps += message.queue_id in self.busy
        self.busy.add(message.queue_id)

    def end(self, message: pocketmq.ReceivedMessage) -> None:
        self.busy.discard(message.queue_id)
        self.seen[message.order_by].append(int(message.text))

    @property
    def count(self) -> int:
        return sum(map(len, self.seen.values()))


def popping(address: str, **more: Any) -> pocketmq.PopConsumer:
    given: dict[str, Any] = {"group": "g", "topics": "orders", "start_from": "first", **more}
    return pocketmq.PopConsumer(address, orderly=True, **given)


async def test_members_keep_the_order_of_each_queue(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=4)
    notes = Notes()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        notes.begin(message)
        await asyncio.sleep(0.001)
        notes.end(message)

    await send(rocketmq.address, "orders", keys=8, each=30)
    async with (
        popping(rocketmq.address, handler=handler),
        popping(rocketmq.address, handler=handler),
        popping(rocketmq.address, handler=handler),
    ):
        await until(lambda: notes.count >= 240)
    assert notes.seen == {f"k{key}": list(range(30)) for key in range(8)}
    assert notes.overlaps == 0
    rocketmq.assert_consumed("orders", by="g", count=240)


async def test_one_that_fails_is_tried_again_in_its_place(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    notes = Notes()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        if message.text == "3":
            notes.attempts.append(message.attempt)
            if message.attempt < 3:
                raise pocketmq.RetryIn(0.05)
        notes.end(message)

    await send(rocketmq.address, "orders", keys=1, each=10)
    async with popping(rocketmq.address, handler=handler):
        await until(lambda: notes.count >= 10)
    assert notes.seen == {"k0": list(range(10))}
    assert notes.attempts == [1, 2, 3]


async def test_one_that_has_had_its_attempts_lets_the_others_go_on(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    notes = Notes()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        if message.text == "1":
            raise ConnectionError("the bank is down")
        notes.end(message)

    await send(rocketmq.address, "orders", keys=1, each=3)
    async with popping(rocketmq.address, handler=handler, max_attempts=2, retry_in=0.01):
        await until(lambda: notes.count >= 2)
    assert notes.seen == {"k0": [0, 2]}
    rocketmq.assert_dead_lettered("g", "1", count=1)


async def test_what_a_dead_member_had_comes_again_in_order_and_counted(
    rocketmq: LocalBroker,
) -> None:
    rocketmq.topic("orders", queues=1)
    await send(rocketmq.address, "orders", keys=1, each=4)
    async with popping(rocketmq.address, invisible=3600) as consumer:
        first = await consumer.receive(wait=10)
        assert [message.text for message in first] == list("0123")
        assert await consumer.receive(wait=0.2) == []  # the queue waits for acknowledgements
        await consumer.ack(first[0])
        rocketmq.clock.jump(hours=2)
        again = await consumer.receive(wait=10)
        assert [message.text for message in again] == list("123")
        assert [message.attempt for message in again] == [2, 2, 2]
        for message in again:
            await consumer.ack(message)
    rocketmq.assert_consumed("orders", by="g", count=4)


async def test_a_loop_gets_them_in_order_too(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    await send(rocketmq.address, "orders", keys=4, each=10)
    seen: dict[str, list[int]] = defaultdict(list)
    async with popping(rocketmq.address) as consumer:
        async for message in consumer.messages(idle=0.5):
            seen[message.order_by].append(int(message.text))
    assert seen == {f"k{key}": list(range(10)) for key in range(4)}


def test_plain_handlers_get_them_in_order_too(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    asyncio.run(send(rocketmq.address, "orders", keys=4, each=10))
    notes, done = Notes(), threading.Event()

    def handler(message: pocketmq.ReceivedMessage) -> None:
        notes.begin(message)
        notes.end(message)
        if notes.count >= 40:
            done.set()

    with blocking.PopConsumer(
        rocketmq.address, group="g", topics="orders", start_from="first", orderly=True,
        handler=handler,
    ):  # fmt: skip
        assert done.wait(20)
    blocking.close_all()
    assert notes.seen == {f"k{key}": list(range(10)) for key in range(4)}


@pytest.mark.parametrize("wanted", ["a", "b", "c"])
async def test_a_message_of_one_topic_does_not_wait_for_the_others(
    rocketmq: LocalBroker, wanted: str
) -> None:
    for topic in "abc":
        rocketmq.topic(topic)
    consumer = pocketmq.PopConsumer(rocketmq.address, group="g", topics=["a", "b", "c"])
    async with consumer:
        rocketmq.send(wanted, b"x")
        began = asyncio.get_running_loop().time()
        (message,) = await consumer.receive(wait=60)
        assert asyncio.get_running_loop().time() - began < 10
        await consumer.ack(message)
    assert message.topic == wanted


async def test_a_handler_can_be_given_by_decoration_and_a_stop_is_waited_for_by_all(
    rocketmq: LocalBroker,
) -> None:
    rocketmq.send("orders", b"x")
    consumer = pocketmq.PopConsumer(
        rocketmq.address, group="g", topics="orders", start_from="first"
    )
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @consumer.handler
    async def handle(message: pocketmq.ReceivedMessage) -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    running = asyncio.ensure_future(consumer.run())
    await asyncio.wait_for(begun.wait(), 20)
    with pytest.raises(ConfigError, match="has started"):
        consumer.handler(handle)
    stops = [asyncio.ensure_future(consumer.stop()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(stop.done() for stop in stops)
    may_end.set()
    await asyncio.gather(running, *stops)
    assert ended.is_set() and not consumer.is_running
    rocketmq.assert_consumed("orders", by="g", count=1)


def test_a_plain_one_too(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", b"x")
    consumer = blocking.PopConsumer(
        rocketmq.address, group="g", topics="orders", start_from="first"
    )

    @consumer.handler
    def handle(message: pocketmq.ReceivedMessage) -> None:
        consumer.stop()

    consumer.run()
    blocking.close_all()
    rocketmq.assert_consumed("orders", by="g", count=1)
