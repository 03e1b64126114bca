"""Messages that their broker does not take back go to the retry topic as sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

import pocketmq
from pocketmq.testing import LocalBroker


@pytest.fixture
async def producer(rocketmq: LocalBroker) -> AsyncIterator[pocketmq.Producer]:
    rocketmq.topic("orders")
    async with pocketmq.Producer(rocketmq.address, group="p") as producer:
        yield producer


def consumer(rocketmq: LocalBroker, handler: Any, **options: Any) -> pocketmq.Consumer:
    return pocketmq.Consumer(
        rocketmq.address, group="g", topics="orders", start_from="first", handler=handler, **options
    )


async def test_a_message_that_is_not_taken_back_comes_again_all_the_same(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    seen: list[tuple[str, int, str, str]] = []

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen.append((message.topic, message.attempt, message.text, message.tag))
        if message.attempt < 3:
            raise pocketmq.RetryIn(30 if message.attempt == 1 else None)

    text = "pizza " * 2000  # compressed on its way
    fault = rocketmq.faults.refuse("retry")
    async with consumer(rocketmq, handler):
        await producer.send("orders", text, tag="new", properties={"size": "large"})
        await rocketmq.settle()
        assert len(seen) == 1
        (waiting,) = rocketmq.waiting("%RETRY%g")
        await rocketmq.clock.advance(seconds=29)
        assert len(seen) == 1
        await rocketmq.clock.advance(seconds=2)
        assert len(seen) == 2
        await rocketmq.clock.advance(seconds=31)
    assert fault.hits == 2
    assert seen == [("orders", attempt, text, "new") for attempt in (1, 2, 3)]
    assert waiting.topic == "%RETRY%g"
    assert {m.properties["size"] for m in rocketmq.messages("%RETRY%g")} == {"large"}


@pytest.mark.parametrize("orderly", [False, True])
async def test_one_that_has_had_its_attempts_is_a_dead_letter_all_the_same(
    rocketmq: LocalBroker, producer: pocketmq.Producer, orderly: bool
) -> None:
    def handler(message: pocketmq.ReceivedMessage) -> None:
        if message.text == "rejected":
            raise pocketmq.Reject
        raise pocketmq.RetryIn(1)

    rocketmq.faults.refuse("retry")
    async with consumer(rocketmq, handler, max_attempts=2, orderly=orderly):
        await producer.send("orders", "rejected")
        await producer.send("orders", "hopeless")
        await rocketmq.settle()
        await rocketmq.clock.advance(seconds=10)
        await rocketmq.settle()
    assert sorted(m.text for m in rocketmq.dead_letters("g")) == ["hopeless", "rejected"]
