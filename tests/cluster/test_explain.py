"""`explain` on a real broker: where a message is, and what became of it in groups that read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.support.explained import asked, explained, fate, finding
from tests.support.waiting import until

import pocketmq
from pocketmq.admin import Admin
from pocketmq.admin.explain import Status, explain
from pocketmq.client.subscriptions import Sql
from pocketmq.errors import ConfigError
from pocketmq.testing import LocalBroker
from pocketmq.testing.admission import put_message

Handler = Callable[[pocketmq.ReceivedMessage], Awaitable[None]]


async def accept(message: pocketmq.ReceivedMessage) -> None:
    return None


async def fail(message: pocketmq.ReceivedMessage) -> None:
    raise ConnectionError("the bank is down")


def consumer(
    rocketmq: LocalBroker,
    handler: Handler = accept,
    *,
    group: str = "billing",
    wants: str = "*",
    **more: object,
) -> pocketmq.Consumer:
    options = pocketmq.ConsumerOptions(commit_interval_ms=50, rebalance_interval_ms=100)
    return pocketmq.Consumer(
        rocketmq.address,
        group=group,
        topics={"orders": wants},
        handler=handler,
        start_from="first",
        options=options,
        **more,  # type: ignore[arg-type]
    )


async def until_committed(rocketmq: LocalBroker, offset: int, group: str = "billing") -> None:
    offsets = rocketmq._servers.running.tables.offsets
    await until(lambda: offsets.query(group, "orders", 0) == offset)


@pytest.fixture(autouse=True)
def _orders(rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)


# -- where it is ----------------------------------------------------------------------------------


async def test_where_a_message_is_stored(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza", tag="new", keys="42 43")
    life = await explained(rocketmq, message_id)
    stored = finding(life.findings, "stored")
    (message,) = rocketmq.messages("orders")
    assert stored.evidence["stored_ms"] == message.stored_ms
    assert (stored.evidence["queue_id"], stored.evidence["queue_offset"]) == (0, 0)
    assert "in queue 0 of topic orders at offset 0" in stored.text
    assert "with tag new, keys 42 43 and a body of 5 bytes" in stored.text
    kept = finding(life.findings, "kept")
    assert "at least 72 hours from now" in kept.text
    assert finding(life.findings, "nobody consumes it").command == "pocketmq group list"
    assert life.groups == ()


async def test_whether_a_message_is_on_disk(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    store = rocketmq._servers.running.store
    await rocketmq.clock.advance(seconds=60)
    await until(lambda: store.stats().flushed_offset == store.log_end)
    flushed = finding((await explained(rocketmq, message_id)).findings, "on disk")
    assert "commit log file 00000000000000000000 at byte 0" in flushed.text
    assert "It is flushed to the disk" in flushed.text
    assert flushed.evidence["flush"] == "ASYNC_FLUSH"


@pytest.mark.rocketmq(mappedFileSizeCommitLog=65_536, fileReservedTime=2)
async def test_until_when_a_message_is_kept(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    rocketmq.send("orders", b"x" * 60_000)
    rocketmq.clock.jump(minutes=10)
    rocketmq.send("orders", b"x" * 60_000)
    life = await explained(rocketmq, message_id)
    kept = finding(life.findings, "kept")
    assert ": 2 hours after its file was last written" in kept.text
    newest = rocketmq.messages("orders")[-1]
    assert kept.evidence["kept_until_ms"] == newest.stored_ms + 2 * 3_600_000


async def test_a_message_that_was_sent_twice(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    again = put_message(rocketmq._servers, "orders", b"pizza", {"UNIQ_KEY": message_id}, 0)
    rocketmq._thread.run(again)
    life = await explained(rocketmq, message_id)
    assert finding(life.findings, "stored several times").evidence["copies"] == 2


async def test_a_message_is_found_by_offset_id_and_by_key(rocketmq: LocalBroker) -> None:
    first = rocketmq.send("orders", "1", keys="a b")
    second = rocketmq.send("orders", "2", keys="b c")
    life = await explained(rocketmq, first)
    offset_id = str(finding(life.findings, "stored").evidence["offset_message_id"])
    assert (await explained(rocketmq, offset_id)).message_id == first
    assert (await explained(rocketmq, first, topic="orders")).message_id == first
    both = await asked(rocketmq, key="b", topic="orders")
    assert [one.message_id for one in both.messages] == [second, first]
    for number in range(6):
        rocketmq.send("orders", str(number), keys="b")
    many = await asked(rocketmq, key="b", topic="orders")
    assert len(many.messages) == 5
    assert "8 messages carry key b" in finding(many.findings, "more messages").text


async def test_what_cannot_be_found_is_said_with_what_to_do(rocketmq: LocalBroker) -> None:
    told = await asked(rocketmq, message_id="7F000001" * 4)
    assert "in any topic (brokers asked: pocketmq)" in finding(told.findings, "not found").text
    told = await asked(rocketmq, key="nothing", topic="orders")
    assert finding(told.findings, "not found").command == "pocketmq topic show orders"
    told = await asked(rocketmq, message_id="x", topic="order")
    assert "Did you mean orders?" in finding(told.findings, "no such topic").text
    async with Admin(rocketmq.address) as admin:
        with pytest.raises(ConfigError, match="either the id of a message or a key"):
            await explain(admin)
        with pytest.raises(ConfigError, match="say which with --topic"):
            await explain(admin, key="42")


# -- consumed, or not yet -------------------------------------------------------------------------


async def test_consumed(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    async with consumer(rocketmq):
        await rocketmq.settle()
        await until_committed(rocketmq, 1)
        told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.CONSUMED
    assert "the group is at offset 1 of the queue, and the message is at 0" in told.findings[0].text


async def test_consumed_and_traced(rocketmq: LocalBroker) -> None:
    async with (
        pocketmq.Producer(rocketmq.address, group="shop") as producer,
        consumer(rocketmq, hooks=[pocketmq.Trace()]),
    ):
        receipt = await producer.send("orders", b"pizza")
        await rocketmq.settle()
        await until_committed(rocketmq, 1)
    told = await fate(rocketmq, receipt.message_id, "billing")
    traced = finding(told.findings, "traced")
    assert (traced.evidence["outcome"], traced.evidence["attempt"]) == ("success", 1)
    assert told.status is Status.CONSUMED


async def test_behind_by_so_many(rocketmq: LocalBroker) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def wait(message: pocketmq.ReceivedMessage) -> None:
        if message.text != "0":
            started.set()
            await gate.wait()

    rocketmq.send("orders", "0")
    ids = [rocketmq.send("orders", str(number)) for number in range(1, 200)]
    options = pocketmq.ConsumerOptions(
        pull_messages_max=1, queue_messages_max=1, commit_interval_ms=50
    )
    blocked = pocketmq.Consumer(
        rocketmq.address,
        group="billing",
        topics="orders",
        handler=wait,
        concurrency=1,
        start_from="first",
        options=options,
    )
    async with blocked:
        await started.wait()
        await until_committed(rocketmq, 1)
        told = await fate(rocketmq, ids[-1], "billing")
        held = await fate(rocketmq, ids[0], "billing")
        holder = blocked.client_id
        gate.set()
    assert told.status is Status.BEHIND
    assert told.findings[0].evidence["behind"] == 198
    assert "so 198 messages come before this one" in told.findings[0].text
    assert held.status is Status.HANDLING
    assert held.findings[0].evidence["client_id"] == holder
    assert "it is the oldest that is not finished" in held.findings[0].text


async def test_offline(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "pizza")
    async with consumer(rocketmq):
        await rocketmq.settle()
        await until_committed(rocketmq, 1)
    message_id = rocketmq.send("orders", "pasta")
    clients = rocketmq._servers.running.tables.clients
    await until(lambda: clients.consumer_group("billing") is None)
    told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.OFFLINE
    assert told.findings[0].text == (
        "Group billing has no member connected: it is at offset 1 of the queue, so this message is "
        "its next."
    )
    assert [one.kind for one in told.findings].count("offline") == 1


async def test_not_subscribed(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    rocketmq.topic("payments")
    other = pocketmq.Consumer(rocketmq.address, group="billing", topics="payments", handler=accept)
    async with other:
        life = await explained(rocketmq, message_id, group="billing")
        nobody = await explained(rocketmq, message_id, group="biling")
    (told,) = life.groups
    assert told.status is Status.NOT_SUBSCRIBED
    assert "although 1 member of it is connected. They subscribe to payments." in (
        told.findings[0].text
    )
    assert nobody.groups[0].findings[0].kind == "no such group"


async def test_the_group_is_switched_off(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "pizza")
    groups = rocketmq._servers.running.tables.groups
    async with consumer(rocketmq):
        await rocketmq.settle()
        await until_committed(rocketmq, 1)
    config = groups.configs["billing"]
    rocketmq._thread.call(lambda: groups.put(replace(config, consume_enable=False)))
    message_id = rocketmq.send("orders", "soup")
    told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.FORBIDDEN
    assert "consumeEnable=false" in finding(told.findings, "group disabled").text


# -- filters --------------------------------------------------------------------------------------


async def test_filtered_by_tag(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza", tag="new")
    rocketmq.send("orders", "pizza", tag="paid")
    async with consumer(rocketmq, wants="paid || shipped"):
        await rocketmq.settle()
        await until_committed(rocketmq, 2)
        told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.FILTERED
    assert told.findings[0].text == (
        "Group billing passed it over, as its subscription does not want it: it wants the tag "
        "'paid' or 'shipped', and the message has the tag 'new'."
    )


@pytest.mark.rocketmq(enablePropertyFilter=True)
async def test_filtered_by_sql_with_the_values_it_saw(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza", properties={"amount": "7"})
    rocketmq.send("orders", "pizza", properties={"amount": "700", "region": "eu"})
    async with consumer(rocketmq, wants=Sql("amount > 100 AND region = 'eu'")):
        await rocketmq.settle()
        await until_committed(rocketmq, 2)
        told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.FILTERED
    assert "amount > 100 is false, as amount is '7'" in told.findings[0].text
    assert "region = 'eu' is unknown, as region is not set" in told.findings[0].text
    assert told.findings[0].evidence["amount > 100"] == "false"


async def test_members_that_subscribe_differently(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza", tag="new")
    async with consumer(rocketmq, wants="new") as one, consumer(rocketmq, wants="paid") as other:
        first, second = one.client_id, other.client_id
        told = finding(
            (await fate(rocketmq, message_id, "billing")).findings, "subscriptions differ"
        )
    assert told.evidence == {first: "the tags new", second: "the tags paid"}
    assert f"{second} wants the tags paid" in told.text


async def test_broadcast(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    async with consumer(rocketmq, broadcast=True):
        await rocketmq.settle()
        told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.BROADCAST
    assert "each of its 1 member gets every message" in told.findings[0].text


# -- failed ---------------------------------------------------------------------------------------


async def test_in_retry_until(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    async with consumer(rocketmq, fail):
        await rocketmq.settle()
        first = await fate(rocketmq, message_id, "billing")
        await rocketmq.clock.advance(seconds=10)
        await rocketmq.settle()
        second = await fate(rocketmq, message_id, "billing")
    assert (first.status, second.status) == (Status.RETRYING, Status.RETRYING)
    assert "failed to consume it once" in first.findings[0].text
    assert "retry 1 of at most 16 (delay level 3)" in first.findings[0].text
    assert "retry 2 of at most 16 (delay level 4)" in second.findings[0].text
    (waiting,) = rocketmq.waiting("%RETRY%billing")
    assert second.findings[0].evidence["due_ms"] == waiting.due_ms
    assert finding(second.findings, "failed before").evidence["failures"] == 2


async def test_a_retry_that_is_due_and_nobody_is_there(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    async with consumer(rocketmq, fail):
        await rocketmq.settle()
    await rocketmq.clock.advance(seconds=11)
    told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.RETRYING
    assert "can be fetched again since" in told.findings[0].text
    assert "No member of group billing" in finding(told.findings, "offline").text


async def test_consumed_at_a_retry(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")
    failures = [True]

    async def fail_once(message: pocketmq.ReceivedMessage) -> None:
        if failures:
            failures.pop()
            raise ConnectionError("the bank is down")

    async with consumer(rocketmq, fail_once):
        await rocketmq.settle()
        await rocketmq.clock.advance(seconds=11)
        await rocketmq.settle()
        offsets = rocketmq._servers.running.tables.offsets
        await until(lambda: offsets.query("billing", "%RETRY%billing", 0) == 1)
        told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.CONSUMED
    assert "consumed it at retry 1" in told.findings[0].text


async def test_dead_since(rocketmq: LocalBroker) -> None:
    message_id = rocketmq.send("orders", "pizza")

    async def reject(message: pocketmq.ReceivedMessage) -> None:
        message.reject()

    async with consumer(rocketmq, reject):
        await rocketmq.settle()
    told = await fate(rocketmq, message_id, "billing")
    assert told.status is Status.DEAD
    (dead,) = rocketmq.dead_letters("billing")
    assert told.findings[0].evidence["dead_since_ms"] == dead.stored_ms
    assert told.findings[0].command == "pocketmq dlq redrive billing"
