"""Scenarios of positions, of consumers that fetch by themselves, and of operators."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict

import pytest
from tests.support.sdk_stage import Stage, take
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.client.instance import Instance
from pocketmq.protocol.bodies.offsets import ConsumerStatus
from pocketmq.protocol.bodies.running import ConsumeDirectlyResult, ConsumerRunning
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.clients import ConsumeDirectlyRequest, ConsumerRunningRequest
from pocketmq.protocol.requests.offsets import ConsumerStatusRequest, ResetOffsetRequest


async def positions_can_be_chosen_and_moved(stage: Stage) -> None:
    """Starting at the end or at a time, pausing, seeking, rewinding."""
    topic = await stage.topic()
    old = await stage.send(topic, 8)
    await asyncio.sleep(1.1)
    (receipt,) = [await stage.producer.send(topic, "mark")]
    async with pocketmq.PullConsumer(stage.address, group=stage.group()) as reader:
        found: list[pocketmq.ReceivedMessage] = []
        while not found:  # a broker files it a moment after it was stored
            found = (await reader.pull(receipt.queue, receipt.queue_offset)).messages
        moment = found[0].stored_at
        assert await reader.offset_at(receipt.queue, moment) == receipt.queue_offset
        assert await reader.max_offset(receipt.queue) == receipt.queue_offset + 1
    async with stage.consumer(topic, start_from=moment) as consumer:
        await until(lambda: len(consumer.assigned()) == 4)
        first = await take(consumer, 1)
        # A broker starts a new group at 0 while the first message is in memory.
        if first != ["mark"]:
            assert len(await take(consumer, 8)) == 8
        await consumer.rewind(moment)
        # Beyond the end, 4.9 answers with the last message instead.
        assert "mark" in await take(consumer, 1 if stage.pops else 4)
        await consumer.rewind("first")
        assert sorted(await take(consumer, 9)) == sorted([*old, "mark"])
        await consumer.seek(receipt.queue, receipt.queue_offset)
        assert await take(consumer, 1) == ["mark"]
        await consumer.rewind("last")
        consumer.pause()
        await stage.producer.send(topic, "paused")
        late = [m.text async for m in consumer.messages(idle=0.4)]
        consumer.resume()
        # A pull that was under way when the consumer was paused may still bring it.
        assert late + ([] if late else await take(consumer, 1)) == ["paused"]


async def pull_consumers_go_where_they_are_told(stage: Stage) -> None:
    """By hand; and prefetching, with shared and with assigned queues."""
    topic, group = await stage.topic(), stage.group()
    bodies = await stage.send(topic, 40)
    async with pocketmq.PullConsumer(stage.address, group=stage.group()) as reader:
        found = []
        for queue in await reader.queues(topic):
            offset = await reader.min_offset(queue)
            while (pulled := await reader.pull(queue, offset, messages_max=3, wait=0.3)).messages:
                found += [message.text for message in pulled.messages]
                offset = pulled.next_offset
            assert offset == await reader.max_offset(queue)
    assert sorted(found) == sorted(bodies)
    changes: list[list[pocketmq.MessageQueue]] = []
    async with pocketmq.LitePullConsumer(
        stage.address, group=group, topics=topic, start_from="first", changed=changes.append
    ) as lite:
        found = []
        while len(found) < 40:
            batch = await lite.poll(10)
            assert batch
            found += [message.text for message in batch]
        assert sorted(found) == sorted(bodies)
        assert changes[-1] == lite.assigned() == sorted(await lite.queues(topic))
        await lite.commit()
        committed = [await lite.committed(queue) or 0 for queue in lite.assigned()]
        assert sum(committed) == 40
    async with pocketmq.LitePullConsumer(stage.address, group=group, auto_commit=False) as lite:
        queue = (await lite.queues(topic))[1]
        await lite.assign([queue])
        assert await lite.poll(0.2) == []
        await lite.seek(queue, 7)
        assert [m.queue_offset for m in await lite.poll(10)][:2] == [7, 8]
        await lite.seek_to_begin(queue)
        assert len(await lite.poll(10, messages_max=4)) == 4
        await lite.commit()
        assert await lite.committed(queue) == 4


async def pops_are_acknowledged_hidden_and_retried(stage: Stage) -> None:
    """What is not acknowledged comes again; what is being handled does not."""
    topic, group = await stage.topic(), stage.group()
    consumer = pocketmq.PopConsumer(
        stage.address, group=group, topics=topic, start_from="first", invisible=stage.invisible
    )
    bodies = await stage.send(topic, 20)
    async with consumer:
        if not stage.pops:
            with pytest.raises(errors.FeatureUnavailable):
                await consumer.receive(wait=0.1)
            return
        seen: Counter[str] = Counter()
        while sum(seen.values()) < 22:
            for message in await consumer.receive(wait=10):
                seen[message.text] += 1
                if message.text == bodies[0] and message.attempt == 1:
                    continue
                if message.text == bodies[1] and message.attempt == 1:
                    await consumer.change_invisible(message, 1)
                    continue
                await consumer.ack(message)
        assert seen == {body: 2 if body in bodies[:2] else 1 for body in bodies}
    bodies = [f"{body}-again" for body in bodies]
    seen.clear()

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen[message.text] += 1
        if message.text == bodies[0]:
            await asyncio.sleep(stage.invisible * 1.5)  # longer than it is hidden at first
        if message.text == bodies[1] and message.attempt == 1:
            raise pocketmq.RetryIn(1)

    async with pocketmq.PopConsumer(
        stage.address, group=group, topics=topic, invisible=stage.invisible, handler=handler
    ) as consumer:
        await asyncio.gather(*(stage.producer.send(topic, body) for body in bodies))
        await until(lambda: sum(seen.values()) >= 21 and consumer.in_hand == 0)
    assert seen == {body: 2 if body == bodies[1] else 1 for body in bodies}


async def pops_in_order_keep_it_through_failures_and_members(stage: Stage) -> None:
    """Two members pop the same queues; a message that fails holds up only what is behind it."""
    topic, group = await stage.topic(), stage.group()
    by_key: dict[str, list[int]] = defaultdict(list)
    failed: set[str] = set()
    for number in range(60):
        await stage.producer.send(topic, str(number), order_by=f"key{number % 6}")

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        await asyncio.sleep(0.001)
        if int(message.text) % 20 == 7 and message.text not in failed:
            failed.add(message.text)
            raise pocketmq.RetryIn(0.05)
        by_key[message.order_by].append(int(message.text))

    def member() -> pocketmq.PopConsumer:
        return pocketmq.PopConsumer(
            stage.address, group=group, topics=topic, start_from="first", handler=handler,
            orderly=True, invisible=stage.invisible,
        )  # fmt: skip

    if stage.pops:
        async with member(), member():
            await until(lambda: sum(map(len, by_key.values())) >= 60)
        assert by_key == {f"key{key}": list(range(key, 60, 6)) for key in range(6)}
        assert failed == {"7", "27", "47"}


async def operators_can_ask_and_move_a_consumer(stage: Stage) -> None:
    """307, 309, 221 and 222 reach the consumer through its broker."""
    topic, group = await stage.topic(), stage.group()
    receipt = await stage.producer.send(topic, "one")
    seen: list[str] = []

    async def handler(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    async with stage.consumer(topic, group=group, handler=handler) as consumer:
        await until(lambda: seen == ["one"])
        instance: Instance = consumer.session.instance
        address = next(iter(instance.routes.addresses(replicas=False)))

        async def ask(code: int, header: object) -> Command:
            fields = {k: v for k, v in encode_fields(header).items() if v}  # type: ignore[arg-type]
            return await instance.calls.ask(address, code, fields, timeout_ms=10_000)

        answer = await ask(
            RequestCode.GET_CONSUMER_RUNNING_INFO,
            ConsumerRunningRequest(group, consumer.client_id),
        )
        running = ConsumerRunning.from_json(bytes(answer.body))
        assert {queue.topic for queue in running.mq_table} >= {topic}
        assert running.properties["PROP_CONSUME_TYPE"] == "CONSUME_PASSIVELY"
        answer = await ask(
            RequestCode.CONSUME_MESSAGE_DIRECTLY,
            ConsumeDirectlyRequest(
                group, consumer.client_id, receipt.offset_message_id, receipt.broker_name, topic
            ),
        )
        result = ConsumeDirectlyResult.from_json(bytes(answer.body))
        assert (result.consume_result, seen) == ("CR_SUCCESS", ["one", "one"])
        answer = await ask(
            RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
            ConsumerStatusRequest(topic, group, consumer.client_id),
        )
        (table,) = ConsumerStatus.from_json(bytes(answer.body)).consumer_table.values()
        assert table[receipt.queue] == 1
        # 4.9 resets only groups that have committed something.
        await consumer.commit()
        await ask(
            RequestCode.INVOKE_BROKER_TO_RESET_OFFSET,
            ResetOffsetRequest(group, topic, -1, None, 0, True),
        )
        # A queue's pull that is held learns of a reset by the broker when something comes.
        for number in range(4):
            await stage.producer.send(topic, f"after{number}")
        await until(lambda: seen.count("one") == 3 and len(seen) >= 7)
