"""`explain` for messages that wait: delayed, timed, recalled, in a transaction, popped."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.explained import asked, explained, fate, finding
from tests.support.waiting import until

import pocketmq
from pocketmq.admin.explain import Finding, Status
from pocketmq.testing import LocalBroker


@pytest.fixture
async def producer(rocketmq: LocalBroker) -> AsyncIterator[pocketmq.Producer]:
    rocketmq.topic("orders", queues=1)
    async with pocketmq.Producer(rocketmq.address, group="shop") as opened:
        yield opened


async def told_of(rocketmq: LocalBroker, message_id: str, kind: str) -> Finding:
    return finding((await explained(rocketmq, message_id)).findings, kind)


# -- delayed and timed ----------------------------------------------------------------------------


async def test_delayed_until(rocketmq: LocalBroker, producer: pocketmq.Producer) -> None:
    receipt = await producer.send("orders", b"pizza", delay_level=5, keys="42")
    (waiting,) = rocketmq.waiting("orders")
    told = await told_of(rocketmq, receipt.message_id, "delayed")
    assert told.evidence["due_ms"] == waiting.due_ms
    assert "by delay level 5 until" in told.text
    (by_key,) = (await asked(rocketmq, key="42", topic="orders")).messages
    assert by_key.message_id == receipt.message_id
    await rocketmq.clock.advance(minutes=1)
    done = await told_of(rocketmq, receipt.message_id, "was delayed")
    assert done.evidence["delivered_ms"] == rocketmq.messages("orders")[0].stored_ms
    assert (await told_of(rocketmq, receipt.message_id, "stored")).evidence["queue_offset"] == 0


async def test_timed_until_and_not_yet_visible_for_a_group(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    consumer = pocketmq.Consumer(
        rocketmq.address, group="billing", topics="orders", handler=print, start_from="first"
    )
    async with consumer:
        receipt = await producer.send("orders", b"pizza", delay=5400)
        (waiting,) = rocketmq.waiting("orders")
        told = await told_of(rocketmq, receipt.message_id, "timed")
        (group,) = (await explained(rocketmq, receipt.message_id, group="billing")).groups
        assert (await explained(rocketmq, receipt.message_id)).groups == ()
    assert told.evidence["due_ms"] == waiting.due_ms
    assert "held back by a timer until" in told.text
    assert "(in 1 hour 2" in told.text or "(in 1 hour 30 minutes)" in told.text
    assert group.status is Status.NOT_YET


@pytest.mark.rocketmq(recallMessageEnable=True)
async def test_a_timed_message_that_was_recalled(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    async with pocketmq.Producer(
        rocketmq.address, group="traced", hooks=[pocketmq.Trace()]
    ) as traced:
        receipt = await traced.send("orders", b"pizza", delay=60)
        await traced.recall(receipt)
    told = await told_of(rocketmq, receipt.message_id, "recalled")
    assert "Its producer took it back" in told.text
    other = await producer.send("orders", b"pasta", delay=60)
    await producer.recall(other)
    await rocketmq.clock.advance(minutes=2)
    overdue = await told_of(rocketmq, other.message_id, "overdue")
    assert "Either its producer recalled it" in overdue.text


# -- transactions ---------------------------------------------------------------------------------


async def test_a_transaction_that_is_open_and_was_asked_about(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    async with producer.transaction("orders", b"pizza") as transaction:
        transaction.leave_open()
    told = await told_of(rocketmq, transaction.message_id, "transaction open")
    assert told.evidence["checks"] == 0
    assert "The broker has not asked yet; it asks every 30 seconds" in told.text
    producer.check(lambda message: None)
    await rocketmq.clock.advance(seconds=61)
    asked_twice = await told_of(rocketmq, transaction.message_id, "transaction open")
    assert asked_twice.evidence["checks"] == 2
    assert "has asked shop twice" in asked_twice.text


async def test_a_transaction_that_was_committed(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    async with producer.transaction("orders", b"pizza") as transaction:
        pass
    told = await told_of(rocketmq, transaction.message_id, "committed")
    assert "half of a transaction of shop, and committed" in told.text
    assert told.evidence["producer_group"] == "shop"


async def test_a_transaction_that_was_rolled_back(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    async with producer.transaction("orders", b"pizza") as transaction:
        await transaction.rollback()
    await rocketmq.clock.advance(seconds=4)
    store = rocketmq._servers.running.store
    await until(lambda: store.queue_offsets("RMQ_SYS_TRANS_OP_HALF_TOPIC", 0)[1] == 1)
    told = await told_of(rocketmq, transaction.message_id, "rolled back")
    assert "Nobody will see it" in told.text


@pytest.mark.rocketmq(transactionCheckMax=1)
async def test_a_transaction_that_was_given_up(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    async with producer.transaction("orders", b"pizza") as transaction:
        transaction.leave_open()
    await rocketmq.clock.advance(minutes=3)
    told = await told_of(rocketmq, transaction.message_id, "transaction given up")
    assert "is delivered to nobody" in told.text
    assert told.command.startswith("pocketmq message get ")


# -- popped ---------------------------------------------------------------------------------------


def popping(rocketmq: LocalBroker, **more: object) -> pocketmq.PopConsumer:
    return pocketmq.PopConsumer(
        rocketmq.address,
        group="billing",
        topics="orders",
        start_from="first",
        **more,  # type: ignore[arg-type]
    )


async def test_popped_and_invisible_until(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    receipt = await producer.send("orders", b"pizza")
    async with popping(rocketmq, invisible=30) as consumer:
        (message,) = await consumer.receive()
        told = await fate(rocketmq, receipt.message_id, "billing")
        await consumer.ack(message)
        acknowledged = await fate(rocketmq, receipt.message_id, "billing")
    assert told.status is Status.INVISIBLE
    popped_ms = told.findings[0].evidence["popped_ms"]
    assert isinstance(popped_ms, int)
    assert told.findings[0].evidence["invisible_until_ms"] == popped_ms + 30_000
    assert "It is invisible until" in told.findings[0].text
    assert acknowledged.status is Status.CONSUMED
    assert acknowledged.findings[0].kind == "acknowledged"


async def test_popped_and_delivered_again(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    receipt = await producer.send("orders", b"pizza")
    async with popping(rocketmq, invisible=10) as consumer:
        await consumer.receive()
        rocketmq.clock.jump(seconds=15)
        store = rocketmq._servers.running.store
        await until(lambda: store.queue_offsets("%RETRY%billing_orders", 0)[1] == 1)
        again = await fate(rocketmq, receipt.message_id, "billing")
        (message,) = await consumer.receive()
        assert message.attempt == 2
        popped = await fate(rocketmq, receipt.message_id, "billing")
        await consumer.ack(message)
        done = await fate(rocketmq, receipt.message_id, "billing")
    assert (again.status, again.findings[0].kind) == (Status.RETRYING, "retry is due")
    assert popped.status is Status.INVISIBLE
    assert done.status is Status.CONSUMED


# -- brokers that do not tell ---------------------------------------------------------------------


async def test_what_could_not_be_asked_is_said(
    rocketmq: LocalBroker, producer: pocketmq.Producer
) -> None:
    receipt = await producer.send("orders", b"pizza")
    consumer = pocketmq.Consumer(
        rocketmq.address, group="billing", topics="orders", handler=print, start_from="first"
    )
    async with consumer:
        await rocketmq.settle()
        with (
            rocketmq.faults.refuse("GET_CONSUMER_CONNECTION_LIST", remark="not today"),
            rocketmq.faults.refuse("GET_BROKER_RUNTIME_INFO", remark="not today"),
        ):
            life = await explained(rocketmq, receipt.message_id)
        with rocketmq.faults.refuse("QUERY_MESSAGE", remark="not today"):
            nothing = await asked(rocketmq, message_id=receipt.message_id)
        with rocketmq.faults.refuse("QUERY_CONSUMER_OFFSET", remark="not today"):
            lost = await fate(rocketmq, receipt.message_id, "billing")
    assert (lost.status, lost.findings[0].kind) == (Status.UNKNOWN, "position not known")
    (group,) = life.groups
    assert group.status in (Status.UNKNOWN, Status.CONSUMED)
    assert all(one.kind != "offline" for one in group.findings)
    assert "not today" in finding(group.findings, "not known").text
    assert "Whether it is flushed is not known" in finding(life.findings, "on disk").text
    assert "not today" in finding(nothing.findings, "broker not asked").text
