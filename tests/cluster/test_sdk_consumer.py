"""The consumer's finer points against our broker: limits, time-outs, stops, hooks, namespaces."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.client.hooks import ConsumeContext, Hook

OPTIONS = pocketmq.ConsumerOptions(rebalance_interval_ms=1000, commit_interval_ms=100)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path) as cluster:
        cluster.create_topic("orders")
        yield cluster


@pytest.fixture
async def producer(cluster: SdkCluster) -> AsyncIterator[pocketmq.Producer]:
    async with pocketmq.Producer(cluster.address, group="p") as producer:
        yield producer


def consumer(
    cluster: SdkCluster, topics: object = "orders", **options: object
) -> pocketmq.Consumer:
    settings: dict[str, object] = {
        "group": "g",
        "start_from": "first",
        "options": OPTIONS,
        **options,
    }
    return pocketmq.Consumer(cluster.address, topics=topics, **settings)  # type: ignore[arg-type]


def count_full(one: pocketmq.Consumer) -> int:
    return sum(queue.is_full() for queue in one._running().assigned.held())


async def send(producer: pocketmq.Producer, count: int, topic: str = "orders") -> None:
    await asyncio.gather(*(producer.send(topic, str(number)) for number in range(count)))


async def test_no_more_is_held_than_allowed(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await send(producer, 400)
    for limits, most in (
        ({"queue_messages_max": 10}, 10),
        ({"queue_bytes_max": 20}, 20),
        ({"topic_messages_max": 40}, 10),
    ):
        options = pocketmq.ConsumerOptions(pull_messages_max=5, **limits)
        gate, seen = asyncio.Event(), Counter[str]()

        async def handler(
            message: pocketmq.ReceivedMessage,
            gate: asyncio.Event = gate,
            seen: Counter[str] = seen,
        ) -> None:
            await gate.wait()
            seen[message.text] += 1

        group = f"g{most}{len(limits)}{next(iter(limits))}"
        async with consumer(cluster, group=group, handler=handler, options=options) as one:
            held = one._running().assigned.held
            full = functools.partial(count_full, one)
            await until(lambda full=full: full() == 4)  # type: ignore[misc]
            await asyncio.sleep(0.05)
            assert all(queue.count <= most + 5 for queue in held())
            gate.set()
            await until(lambda seen=seen: len(seen) == 400)  # type: ignore[misc]


@pytest.mark.parametrize("orderly", [False, True])
async def test_an_async_handler_that_hangs_is_cancelled_and_tried_again(
    cluster: SdkCluster, producer: pocketmq.Producer, orderly: bool
) -> None:
    attempts: list[int] = []
    cancelled: list[int] = []

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        attempts.append(message.attempt)
        if message.attempt == 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(message.attempt)
                raise

    options = pocketmq.ConsumerOptions(handler_timeout_ms=100, ordered_retry_ms=50)
    await producer.send("orders", "x")
    async with consumer(cluster, handler=handler, options=options, orderly=orderly, retry_in=1):
        await until(lambda: attempts == [1, 2])
    assert cancelled == [1]


async def test_a_plain_handler_that_hangs_is_given_up(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    attempts: list[int] = []
    gate = threading.Event()

    def handler(message: pocketmq.ReceivedMessage) -> None:
        attempts.append(message.attempt)
        if message.attempt == 1:
            gate.wait(10)

    options = pocketmq.ConsumerOptions(handler_timeout_ms=100)
    await producer.send("orders", "x")
    try:
        async with consumer(cluster, handler=handler, options=options, retry_in=1):
            await until(lambda: attempts == [1, 2])
            assert not gate.is_set(), "the second attempt does not wait for the first"
            gate.set()
    finally:
        gate.set()


async def test_a_stop_finishes_what_is_in_hand_and_leaves_the_rest(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await send(producer, 100)
    done: Counter[str] = Counter()
    started: Counter[str] = Counter()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        started[message.text] += 1
        await asyncio.sleep(0.05)
        done[message.text] += 1

    async with consumer(cluster, handler=handler, concurrency=10):
        await until(lambda: len(started) >= 10)
    first = dict(done)
    assert started == done and 10 <= len(first) < 100
    async with consumer(cluster, handler=handler, concurrency=50):
        await until(lambda: len(done) == 100)
    repeated = [text for text, count in done.items() if count > 1]
    # Only what was finished behind an unfinished message comes again.
    assert len(repeated) < len(first)


async def test_a_plain_handler_uses_several_threads_and_a_stop_waits_for_them(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await send(producer, 40)
    threads: set[str] = set()
    done: list[str] = []

    def handler(message: pocketmq.ReceivedMessage) -> None:
        threads.add(threading.current_thread().name)
        time.sleep(0.01)
        done.append(message.text)

    async with consumer(cluster, handler=handler, concurrency=4):
        await until(lambda: len(done) >= 20)
    before = len(done)
    await asyncio.sleep(0.05)
    assert len(done) == before
    assert threads == {f"consumer-g-{number}" for number in range(4)}


async def test_one_message_of_a_batch_can_be_retried_alone(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await send(producer, 40)
    seen: Counter[str] = Counter()

    async def handler(messages: list[pocketmq.ReceivedMessage]) -> None:
        for message in messages:
            seen[message.text] += 1
            if message.text == "7" and message.attempt == 1:
                message.retry(in_=1)

    async with consumer(cluster, handler=handler, batch=16):
        await until(lambda: seen["7"] == 2)
    assert seen == {str(number): 2 if number == 7 else 1 for number in range(40)}


async def test_hooks_see_every_message_and_how_it_ended(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    ended: list[tuple[str, str]] = []

    class Watch(Hook):
        def after_consume(self, context: ConsumeContext) -> None:
            assert context.cost_ms >= 0 and context.group == "g"
            ended.extend((message.text, context.status) for message in context.messages)

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        if message.text == "0":
            raise ValueError("no")
        if message.text == "1":
            raise pocketmq.RetryIn(60)

    await send(producer, 3)
    async with consumer(cluster, handler=handler, hooks=[Watch()]):
        await until(lambda: len(ended) == 3)
    assert sorted(ended) == [("0", "failed"), ("1", "retry"), ("2", "success")]


async def test_a_namespace_is_nowhere_to_be_seen(cluster: SdkCluster) -> None:
    cluster.create_topic("space%things")
    got: list[pocketmq.ReceivedMessage] = []

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        got.append(message)
        if message.attempt == 1:
            raise pocketmq.RetryIn(1)

    async with (
        pocketmq.Producer(cluster.address, group="p", namespace="space") as producer,
        consumer(cluster, "things", handler=handler, namespace="space"),
    ):
        await producer.send("things", "x")
        await until(lambda: len(got) == 2)
    assert [m.topic for m in got] == ["things", "things"]
    assert [m.stored_topic for m in got] == ["space%things", "%RETRY%space%g"]


async def test_consumers_of_one_process_share_connections_but_not_within_a_group(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    async with (
        consumer(cluster, group="a") as one,
        consumer(cluster, group="b") as two,
        consumer(cluster, group="a") as three,
    ):
        assert one.session.instance is two.session.instance
        assert one.client_id != three.client_id
        await until(lambda: len(one.assigned()) == len(three.assigned()) == 2)
        await until(lambda: len(two.assigned()) == 4)


async def test_a_name_of_its_own_keeps_a_members_identity(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    identities = []
    for _ in range(2):
        async with (
            consumer(cluster, instance="worker-1") as one,
            consumer(cluster, instance="worker-2") as two,
        ):
            for each in (one, two):
                await until(lambda each=each: len(each.assigned()) == 2)  # type: ignore[misc]
            identities.append((one.client_id, one.assigned(), two.client_id, two.assigned()))
            with pytest.raises(errors.ConfigError, match="its own instance name"):
                await consumer(cluster, instance="worker-1").start()
    assert identities[0] == identities[1]
    assert identities[0][0].endswith("@worker-1")


async def test_topics_can_come_and_go_while_it_runs(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    seen: Counter[str] = Counter()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[f"{message.topic} {message.tag}"] += 1

    cluster.create_topic("more")
    async with consumer(cluster, {"orders": "a"}, handler=handler) as one:
        await until(lambda: len(one.assigned()) == 4)
        await producer.send("orders", "x", tag="a")
        await producer.send("orders", "x", tag="b")
        await until(lambda: seen == {"orders a": 1})
        await producer.send("more", "x")
        await one.subscribe("more")
        await until(lambda: seen["more "] == 1)
        await one.unsubscribe("orders")
        assert one.topics() == {"more": "*"}
        assert {queue.topic for queue in one.assigned()} == {"more"}
        await producer.send("orders", "x", tag="a")
        await producer.send("more", "y")
        await until(lambda: seen["more "] == 2)
    assert seen == {"orders a": 1, "more ": 2}


async def test_a_topic_that_does_not_exist_is_looked_for(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    async with consumer(cluster, "later") as one:
        await until(lambda: "later" in one.problems())
        assert "does not exist" in one.problems()["later"]
        assert "later" in await one.explain()
        await producer.send("later", "here")
        async for message in one:
            assert message.text == "here"
            break
        assert one.problems() == {}


async def test_nobody_to_ask_is_said_at_once() -> None:
    one = pocketmq.Consumer("127.0.0.1:1", group="g", topics="orders")
    with pytest.raises(errors.NameServersUnreachable, match=r"127\.0\.0\.1:1"):
        await one.start()
    assert not one.is_running
    await one.stop()
    with pytest.raises(errors.ConfigError, match="no topic"):
        await pocketmq.Consumer("127.0.0.1:1", group="g").start()


async def test_an_exception_that_leaves_the_block_leaves_the_message(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await producer.send("orders", "precious")
    with pytest.raises(ZeroDivisionError):
        async with consumer(cluster) as one:
            async for _ in one:
                1 / 0  # noqa: B018
    async with consumer(cluster) as one:
        async for message in one:
            assert (message.text, message.attempt) == ("precious", 1)
            break
    async with consumer(cluster) as one:
        assert [m async for m in one.messages(idle=0.2)] == []


async def test_run_ends_when_it_is_stopped_or_cancelled(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    seen = asyncio.Event()
    one = consumer(cluster)

    @one.handler
    async def handle(message: pocketmq.ReceivedMessage) -> None:
        seen.set()

    running = asyncio.ensure_future(one.run())
    await producer.send("orders", "x")
    await asyncio.wait_for(seen.wait(), 10)
    await one.stop()
    await asyncio.wait_for(running, 10)
    running = asyncio.ensure_future(one.run())
    await until(lambda: one.is_running)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not one.is_running


@pytest.mark.timeout(180)
async def test_ten_thousand_messages_are_sent_and_consumed_in_a_moment(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    # asyncio's debug mode makes every step slow, so there it is about the messages alone.
    count = 500 if asyncio.get_running_loop().get_debug() else 10_000
    seen: list[str] = []

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    async with consumer(cluster, handler=handler):
        for number in range(count):
            await producer.send_soon("orders", str(number))
        await until(lambda: len(seen) >= count)
    assert sorted(map(int, seen)) == list(range(count))
