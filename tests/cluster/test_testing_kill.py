"""A test's broker that is killed and recovers: what outlives it, and what comes again."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.support.waiting import until

import pocketmq
from pocketmq.testing import LocalBroker


async def test_what_was_acknowledged_outlives_a_kill(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders")
    acknowledged: set[str] = set()
    stopped = asyncio.Event()

    async def send(producer: pocketmq.Producer, lane: int) -> None:
        number = 0
        while not stopped.is_set():
            text = f"{lane}-{number}"
            await producer.send("orders", text, timeout=20)
            acknowledged.add(text)
            number += 1

    async with pocketmq.Producer(rocketmq.address, group="shop") as producer:
        sending = [asyncio.ensure_future(send(producer, lane)) for lane in range(8)]
        for enough in (300, 600):
            await until(lambda: len(acknowledged) >= enough)  # noqa: B023 - awaited in the turn
            address = rocketmq.broker_address
            with rocketmq.faults.broker_killed():
                before = set(acknowledged)
            assert rocketmq.broker_address == address
            assert not rocketmq._servers.running.report.clean
            assert before <= {message.text for message in rocketmq.messages("orders")}
        stopped.set()
        await asyncio.gather(*sending)
    assert acknowledged <= {message.text for message in rocketmq.messages("orders")}


def test_a_kill_saves_nothing_and_a_stop_all(rocketmq: LocalBroker) -> None:
    servers, queue = rocketmq._servers, ("g", "orders", 0)
    root = servers.running.config.store.root

    def commit() -> None:
        servers.running.tables.offsets.commit(*queue, 7)

    rocketmq._thread.call(commit)
    with rocketmq.faults.broker_killed():
        assert (root / "abort").exists()
    assert servers.running.tables.offsets.query(*queue) is None
    rocketmq._thread.call(commit)
    with rocketmq.faults.broker_down():
        assert not (root / "abort").exists()
    assert servers.running.tables.offsets.query(*queue) == 7


async def test_retries_and_pops_that_were_open_come_again(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders")
    seen: Counter[str] = Counter()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.text] += 1
        if message.attempt == 1:
            raise pocketmq.RetryIn(30)

    rocketmq.send("orders", "hello")
    async with pocketmq.Consumer(
        rocketmq.address, group="g", topics="orders", start_from="first", handler=handler
    ):
        await rocketmq.settle()
    async with pocketmq.PopConsumer(
        rocketmq.address, group="popping", topics="orders", start_from="first", invisible=30
    ) as popping:
        (message,) = await popping.receive(wait=5)
        assert message.text == "hello"
        with rocketmq.faults.broker_killed():
            assert not rocketmq._servers.is_up
    assert len(rocketmq.waiting("%RETRY%g")) == 1
    await rocketmq.clock.advance(seconds=31)
    async with pocketmq.PopConsumer(
        rocketmq.address, group="popping", topics="orders", start_from="first", invisible=30
    ) as popping:
        again = await popping.receive(wait=10)
        assert {message.text for message in again} == {"hello"}
    async with pocketmq.Consumer(
        rocketmq.address, group="g", topics="orders", start_from="first", handler=handler
    ):
        await rocketmq.settle()
    assert seen["hello"] >= 2
