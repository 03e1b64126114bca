"""The SDK as type checkers see it: `make types` reads this file with mypy --strict.

A line that is meant to be wrong says which error it must give; mypy complains when it does not.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pocketmq
from pocketmq import blocking

if TYPE_CHECKING:
    from typing_extensions import assert_type


async def sends() -> None:
    """What a producer takes and gives."""
    async with pocketmq.Producer(["a:1", "b:2"], group="g") as producer:
        assert_type(producer, pocketmq.Producer)
        receipt = await producer.send("t", b"x", tag="a", keys=["k"], delay=timedelta(seconds=1))
        assert_type(receipt, pocketmq.SendReceipt)
        assert_type(receipt.status, pocketmq.SendStatus)
        assert_type(receipt.queue, pocketmq.MessageQueue)
        await producer.send(pocketmq.Message("t", {"a": 1}, deliver_at=datetime.now()))
        await producer.send_soon("t", "x")
        assert_type(await producer.send_batch("t", [b"a", "b"]), list[pocketmq.SendReceipt])
        assert_type(await producer.request("t", b"x"), pocketmq.ReceivedMessage)
        async with producer.transaction("t", b"x") as transaction:
            assert_type(transaction.message_id, str)
        await producer.send("t", b"x", tag=5)  # type: ignore[arg-type]
        await producer.send("t", b"x", dealy=5)  # type: ignore[call-arg]
        await producer.recall(5)  # type: ignore[arg-type]


async def consumes() -> None:
    """What a consumer takes and gives."""
    consumer = pocketmq.Consumer(
        "a:1", group="g", topics={"t": "a || b", "u": pocketmq.Sql("x > 1")}, start_from="first"
    )

    @consumer.handler
    async def handle(message: pocketmq.ReceivedMessage) -> pocketmq.RetryIn | None:
        assert_type(message.body, bytes)
        assert_type(message.text, str)
        assert_type(message.keys, tuple[str, ...])
        assert_type(message.properties, dict[str, str])
        assert_type(message.value, Any)
        return pocketmq.RetryIn(5) if message.attempt == 1 else None

    async with consumer:
        async for message in consumer:
            assert_type(message, pocketmq.ReceivedMessage)
        assert_type(consumer.lag(), int)
    pocketmq.Consumer("a:1", topics="t")  # type: ignore[call-arg]
    pocketmq.Consumer("a:1", group="g", start_from=[])  # type: ignore[arg-type]


def plainly() -> None:
    """The plain clients have the same parameters."""
    producer = blocking.Producer("a:1", group="g", credentials=pocketmq.Credentials("a", "b"))
    with producer as entered:
        assert_type(entered, blocking.Producer)
        assert_type(producer.send("t", b"x"), pocketmq.SendReceipt)
        assert_type(producer.queues("t"), list[pocketmq.MessageQueue])
        assert_type(producer.send_batch("t", [b"x"]), list[pocketmq.SendReceipt])
        with producer.transaction("t", b"x") as transaction:
            assert_type(transaction.outcome, str)
        producer.queues(5)  # type: ignore[arg-type]
    with blocking.Consumer("a:1", group="g", topics="t") as consumer:
        assert_type(iter(consumer), Iterator[pocketmq.ReceivedMessage])
        assert_type(consumer.lag(), int)
    with blocking.PopConsumer("a:1", group="g", topics="t") as popper:
        for message in popper.receive(10, wait=5):
            assert_type(message, pocketmq.ReceivedMessage)
            popper.ack(message)
    blocking.Producer(group=5)  # type: ignore[arg-type]
    blocking.Consumer("a:1")  # type: ignore[call-arg]


def test_the_plain_clients_have_the_parameters_of_the_others() -> None:
    for name in ("Producer", "Consumer", "PopConsumer", "PullConsumer", "LitePullConsumer"):
        plain, other = getattr(blocking, name), getattr(pocketmq, name)
        assert inspect.signature(plain) == inspect.signature(other)
        theirs = {member for member in dir(other) if not member.startswith("_")}
        inner = {"outbox", "session", "instance", "broker_address"}
        state = {"group", "namespace", "wire_group", "options", "hooks", "client_config"}
        missing = {member for member in theirs - set(dir(plain)) if member not in inner | state}
        assert not missing, f"{name} lacks {missing}"


def test_send_takes_what_the_awaited_one_takes() -> None:
    for name in ("send", "send_soon", "transaction"):
        plain = inspect.signature(getattr(blocking.Producer, name)).parameters
        other = inspect.signature(getattr(pocketmq.Producer, name)).parameters
        assert list(plain.values()) == list(other.values())


def test_every_public_name_can_be_imported() -> None:
    for name in pocketmq.__all__:
        assert getattr(pocketmq, name) is not None
    for name in blocking.__all__:
        assert getattr(blocking, name) is not None
