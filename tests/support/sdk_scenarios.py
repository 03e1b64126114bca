"""What the SDK's consumers promise, as scenarios that run on any RocketMQ: ours or Apache's.

A scenario gets a `Stage` and uses topics and groups of its own. Add one to `SCENARIOS` and it runs
against our broker in tests/cluster and against Apache's in tests/compat.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.support.sdk_fetching import (
    operators_can_ask_and_move_a_consumer,
    pops_are_acknowledged_hidden_and_retried,
    pops_in_order_keep_it_through_failures_and_members,
    positions_can_be_chosen_and_moved,
    pull_consumers_go_where_they_are_told,
)
from tests.support.sdk_stage import Stage, take
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.message.topics import dead_letter_topic


async def every_message_comes_once(stage: Stage) -> None:
    """Loop, async handler, plain handler and batches each see exactly what was sent."""
    topic = await stage.topic()
    bodies = await stage.send(topic, 100)
    async with stage.consumer(topic) as consumer:
        assert sorted(await take(consumer, 100)) == sorted(bodies)
        assert [m async for m in consumer.messages(idle=0.2)] == []
    seen: list[str] = []

    async def awaited(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    def plain(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    async def slow(message: pocketmq.ReceivedMessage) -> None:
        await asyncio.sleep(0.01)
        seen.append(message.text)

    async def many(messages: list[pocketmq.ReceivedMessage]) -> None:
        assert 1 <= len(messages) <= 8 and len({m.queue for m in messages}) == 1
        seen.extend(message.text for message in messages)

    for handler, batch in ((awaited, 1), (plain, 1), (slow, 1), (many, 8)):
        seen.clear()
        async with stage.consumer(topic, handler=handler, batch=batch):
            await until(lambda: len(seen) >= 100)
        assert sorted(seen) == sorted(bodies), handler


async def positions_outlive_a_consumer(stage: Stage) -> None:
    """Who starts again after a clean stop sees nothing twice and misses nothing."""
    topic, group = await stage.topic(), stage.group()
    bodies = await stage.send(topic, 40)
    seen: list[str] = []
    for _ in range(4):
        async with stage.consumer(topic, group=group) as consumer:
            seen += await take(consumer, 10)
    assert sorted(seen) == sorted(bodies)


async def tags_choose_and_are_compared_as_text(stage: Stage) -> None:
    """`Aa` and `BB` have one hash; only the right one is handed over."""
    topic = await stage.topic()
    for tag in ("Aa", "BB", "other", ""):
        for number in range(5):
            await stage.producer.send(topic, f"{tag}{number}", tag=tag)
    async with stage.consumer({topic: "Aa || other"}) as consumer:
        found = await take(consumer, 10)
        assert [m async for m in consumer.messages(idle=0.2)] == []
    assert sorted(found) == sorted(f"{tag}{n}" for tag in ("Aa", "other") for n in range(5))


async def sql_chooses_by_properties(stage: Stage) -> None:
    """An SQL92 expression is evaluated by the broker; a bad one is refused at once."""
    topic = await stage.topic()
    for number in range(20):
        await stage.producer.send(topic, str(number), properties={"size": str(number)})
    sql = pocketmq.Sql("size BETWEEN 5 AND 9 OR size = 15")
    async with stage.consumer({topic: sql}) as consumer:
        assert sorted(await take(consumer, 6), key=int) == ["5", "6", "7", "8", "9", "15"]
    with pytest.raises(errors.BrokerRefused):
        await stage.consumer({topic: pocketmq.Sql("size BETWEEN")}).start()


async def failed_messages_come_again(stage: Stage) -> None:
    """Raised, returned and asked for by the message: each is delivered once more, later."""
    topic = await stage.topic()
    bodies = await stage.send(topic, 4)
    attempts: dict[str, list[int]] = defaultdict(list)
    topics: set[str] = set()

    async def handler(message: pocketmq.ReceivedMessage) -> object:
        attempts[message.text].append(message.attempt)
        topics.add(message.topic)
        if message.attempt == 1:
            if message.text == bodies[0]:
                raise pocketmq.RetryIn(1)
            if message.text == bodies[1]:
                return pocketmq.RetryIn(timedelta(seconds=1))
            if message.text == bodies[2]:
                message.retry(in_=1)
        return None

    async with stage.consumer(topic, handler=handler):
        await until(lambda: sum(map(len, attempts.values())) >= 7)
    assert attempts == {body: [1, 2] if body != bodies[3] else [1] for body in bodies}
    assert topics == {topic}


async def hopeless_messages_become_dead_letters(stage: Stage) -> None:
    """After its attempts, or when rejected, a message lies in the group's dead letters."""
    topic, group = await stage.topic(), stage.group()
    bodies = await stage.send(topic, 3)
    seen: Counter[str] = Counter()

    def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.text] += 1
        if message.text == bodies[0]:
            raise ValueError("this one never works")
        if message.text == bodies[1]:
            message.reject()

    consumer = stage.consumer(topic, group=group, handler=handler, max_attempts=2, retry_in=1)
    async with consumer, pocketmq.PullConsumer(stage.address, group=group) as reader:
        found = await dead_letters(reader, group, 2)
    assert sorted(message.text for message in found) == sorted(bodies[:2])
    assert seen == {bodies[0]: 2, bodies[1]: 1, bodies[2]: 1}


async def dead_letters(
    reader: pocketmq.PullConsumer, group: str, count: int
) -> list[pocketmq.ReceivedMessage]:
    """The dead letters of a group, once there are so many."""
    deadline = asyncio.get_running_loop().time() + 15
    while True:
        try:
            (queue,) = await reader.queues(dead_letter_topic(group))
        except errors.NoRoute:
            found = []
        else:
            found = (await reader.pull(queue, 0)).messages
        if len(found) >= count:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"{len(found)} dead letters"
        await asyncio.sleep(0.1)


async def order_is_kept_through_failures(stage: Stage) -> None:
    """Messages of one key come in order, with async, plain and no handler."""
    topic = await stage.topic()
    for number in range(60):
        await stage.producer.send(topic, str(number), order_by=f"key{number % 6}")
    by_key: dict[int, list[int]] = defaultdict(list)
    running: Counter[pocketmq.MessageQueue] = Counter()
    failed: set[str] = set()

    def note(message: pocketmq.ReceivedMessage) -> None:
        if int(message.text) % 20 == 7 and message.text not in failed:
            failed.add(message.text)
            raise pocketmq.RetryIn(0.05)
        by_key[int(message.text) % 6].append(int(message.text))

    async def awaited(message: pocketmq.ReceivedMessage) -> None:
        running[message.queue] += 1
        assert running[message.queue] == 1, "two handlers of one queue at a time"
        try:
            await asyncio.sleep(0.001)
            note(message)
        finally:
            running[message.queue] -= 1

    for handler in (awaited, note):
        by_key.clear()
        failed.clear()
        async with stage.consumer(topic, handler=handler, orderly=True):
            await until(lambda: sum(map(len, by_key.values())) >= 60)
        assert by_key == {key: list(range(key, 60, 6)) for key in range(6)}
        assert len(failed) == 3
    by_key.clear()
    async with stage.consumer(topic, orderly=True) as consumer:
        for text in await take(consumer, 60):
            by_key[int(text) % 6].append(int(text))
    assert by_key == {key: list(range(key, 60, 6)) for key in range(6)}


async def a_hopeless_message_leaves_its_ordered_queue(stage: Stage) -> None:
    """After its attempts it is a dead letter, and what is behind it is handled."""
    topic, group = await stage.topic(), stage.group()
    for number in range(5):
        await stage.producer.send(topic, str(number), order_by="k")
    seen: list[str] = []

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)
        if message.text == "2":
            raise ValueError("never")

    consumer = stage.consumer(
        topic, group=group, handler=handler, orderly=True, max_attempts=3, retry_in=0.05
    )
    async with consumer, pocketmq.PullConsumer(stage.address, group=group) as reader:
        await until(lambda: seen[-1:] == ["4"])
        (dead,) = await dead_letters(reader, group, 1)
    assert seen == ["0", "1", "2", "2", "2", "3", "4"]
    assert dead.text == "2"


async def broadcasting_gives_everything_to_everyone(stage: Stage) -> None:
    """Each member sees all messages, and goes on where its own file says."""
    topic, group = await stage.topic(), stage.group()
    bodies = await stage.send(topic, 20)
    for _ in range(2):
        seen: dict[int, list[str]] = {0: [], 1: []}

        def handler_of(place: int, seen: dict[int, list[str]] = seen) -> Callable[..., object]:
            async def handler(message: pocketmq.ReceivedMessage) -> None:
                seen[place].append(message.text)

            return handler

        one, two = (
            stage.consumer(
                topic, group=f"{group}_{place}", handler=handler_of(place), broadcast=True
            )
            for place in range(2)
        )
        async with one, two:
            parts = list(seen.values())
            await until(lambda parts=parts: min(map(len, parts)) >= 20)  # type: ignore[misc]
        assert sorted(seen[0]) == sorted(seen[1]) == sorted(bodies)
        bodies = await stage.send(topic, 20)


async def members_share_queues_and_take_over(stage: Stage) -> None:
    """Two members have two queues each; who stays gets all of them."""
    topic, group = await stage.topic(), stage.group()
    seen: Counter[str] = Counter()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.text] += 1

    one = stage.consumer(topic, group=group, handler=handler)
    two = stage.consumer(topic, group=group, handler=handler)
    async with one:
        async with two:
            await until(lambda: len(one.assigned()) == len(two.assigned()) == 2)
            assert not set(one.assigned()) & set(two.assigned())
            bodies = await stage.send(topic, 40)
            await until(lambda: len(seen) == 40)
        await until(lambda: len(one.assigned()) == 4)
        bodies += [f"{body}-more" for body in bodies]
        await asyncio.gather(*(stage.producer.send(topic, body) for body in bodies[40:]))
        await until(lambda: len(seen) == 80)
    assert seen == dict.fromkeys(bodies, 1)


async def what_producers_can_send_arrives(stage: Stage) -> None:
    """Batches, compressed bodies, keys, delays and transactions."""
    topic = await stage.topic()
    producer = stage.producer
    await producer.send_batch(topic, ["b1", "b2", "b3"])
    await producer.send(topic, "big" * 5000, keys=["k1", "k2"], properties={"p": "v"})
    await producer.send(topic, "later", delay_level=1)
    async with producer.transaction(topic, "committed"):
        pass
    with pytest.raises(ValueError, match="no"):
        async with producer.transaction(topic, "rolled back"):
            raise ValueError("no")
    found = {}
    async with stage.consumer(topic) as consumer:
        async for message in consumer:
            found[message.text] = message
            if len(found) == 6:
                break
        assert [m async for m in consumer.messages(idle=0.3)] == []
    assert found.keys() == {"b1", "b2", "b3", "big" * 5000, "later", "committed"}
    big = found["big" * 5000]
    assert (big.keys, big.properties["p"]) == (("k1", "k2"), "v")
    assert len(big.raw_body) < 5000


SCENARIOS = (
    every_message_comes_once,
    positions_outlive_a_consumer,
    tags_choose_and_are_compared_as_text,
    sql_chooses_by_properties,
    failed_messages_come_again,
    hopeless_messages_become_dead_letters,
    order_is_kept_through_failures,
    a_hopeless_message_leaves_its_ordered_queue,
    broadcasting_gives_everything_to_everyone,
    members_share_queues_and_take_over,
    positions_can_be_chosen_and_moved,
    pull_consumers_go_where_they_are_told,
    pops_are_acknowledged_hidden_and_retried,
    pops_in_order_keep_it_through_failures_and_members,
    operators_can_ask_and_move_a_consumer,
    what_producers_can_send_arrives,
)
