"""Delays, recalls, transactions and requests of the SDK's producer, against our servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.support.local_broker import START_MS, Peer, connected
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.broker.config import TimersConfig, TransactionsConfig
from pocketmq.client.hooks import EndTransactionContext, Hook, RecallContext, SendContext
from pocketmq.clock import ManualClock
from pocketmq.protocol.command import Command

HALF = "RMQ_SYS_TRANS_HALF_TOPIC"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def cluster(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SdkCluster]:
    timers = TimersConfig(recall=True, log_file_bytes=52 * 100)
    asking = TransactionsConfig(check_interval_ms=10, immunity_ms=1)
    async with sdk_cluster(tmp_path, clock=clock, timers=timers, transactions=asking) as cluster:
        yield cluster


@pytest.fixture
async def producer(cluster: SdkCluster) -> AsyncIterator[pocketmq.Producer]:
    async with pocketmq.Producer(cluster.address, group="senders") as producer:
        yield producer


async def until_stored(cluster: SdkCluster, topic: str, *bodies: bytes) -> None:
    """Return when a topic holds exactly these."""
    for _ in range(500):
        if sorted(await cluster.bodies(topic)) == sorted(bodies):
            return
        await asyncio.sleep(0.01)
    assert sorted(await cluster.bodies(topic)) == sorted(bodies)


# -- delays ---------------------------------------------------------------------------------------


async def test_a_message_with_a_delay_level_comes_when_its_time_has_come(
    cluster: SdkCluster, producer: pocketmq.Producer, clock: ManualClock
) -> None:
    await producer.send("orders", b"now")
    await producer.send("orders", b"in ten seconds", delay_level=3)
    await until_stored(cluster, "orders", b"now")
    assert await cluster.bodies("orders") == [b"now"]
    clock.advance(seconds=11)
    await until_stored(cluster, "orders", b"now", b"in ten seconds")
    assert sorted(await cluster.bodies("orders")) == [b"in ten seconds", b"now"], "and once"


@pytest.mark.parametrize("way", ["seconds", "timedelta", "datetime", "timestamp"])
async def test_a_delayed_message_comes_when_its_time_has_come(
    cluster: SdkCluster, producer: pocketmq.Producer, clock: ManualClock, way: str
) -> None:
    moment = START_MS / 1000 + 5400
    await producer.send("orders", b"now")
    if way == "seconds":
        receipt = await producer.send("orders", b"later", delay=5400)
    elif way == "timedelta":
        receipt = await producer.send("orders", b"later", delay=timedelta(minutes=90))
    elif way == "datetime":
        at = datetime.fromtimestamp(moment, timezone.utc)
        receipt = await producer.send("orders", b"later", deliver_at=at)
    else:
        receipt = await producer.send("orders", b"later", deliver_at=moment)
    assert receipt.recall_handle
    clock.advance(seconds=5390)
    await until_stored(cluster, "orders", b"now")
    clock.advance(seconds=20)
    await until_stored(cluster, "orders", b"now", b"later")


async def test_a_delay_of_nothing_is_no_delay(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    receipt = await producer.send("orders", b"now", delay=0)
    assert not receipt.recall_handle
    assert await cluster.bodies("orders") == [b"now"]


async def test_a_recalled_message_never_comes(
    cluster: SdkCluster, producer: pocketmq.Producer, clock: ManualClock
) -> None:
    recalled = await producer.send("orders", b"recalled", delay=60)
    by_handle = await producer.send("orders", b"recalled too", delay=60)
    await producer.send("orders", b"kept", delay=60)
    assert await producer.recall(recalled) == recalled.message_id
    assert await producer.recall("orders", by_handle.recall_handle) == by_handle.message_id
    clock.advance(seconds=70)
    await until_stored(cluster, "orders", b"kept")


async def test_a_recall_that_cannot_work_says_why(producer: pocketmq.Producer) -> None:
    plain = await producer.send("orders", b"x")
    with pytest.raises(errors.RecallUnavailable, match="delay= or deliver_at="):
        await producer.recall(plain)
    with pytest.raises(errors.RecallUnavailable, match="not a recall handle"):
        await producer.recall("orders", "nonsense")
    delayed = await producer.send("orders", b"x", delay=60)
    with pytest.raises(errors.RecallUnavailable, match="answered"):
        await producer.recall("other", delayed.recall_handle)


# -- transactions ---------------------------------------------------------------------------------


async def test_a_transaction_is_committed_when_its_body_succeeds(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    async with producer.transaction("orders", b"paid", tag="t", keys="k") as transaction:
        assert await cluster.bodies("orders") == []
        assert transaction.message_id == transaction.receipt.message_id
    assert transaction.outcome == "commit"
    (stored,) = await cluster.stored("orders")
    assert (stored.body, stored.properties["TAGS"]) == (b"paid", "t")
    assert stored.properties["UNIQ_KEY"] == transaction.message_id


async def test_a_transaction_is_rolled_back_when_its_body_raises(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with producer.transaction("orders", b"never") as transaction:
            raise ZeroDivisionError
    assert transaction.outcome == "rollback"
    async with producer.transaction("orders", b"neither") as second:
        await second.rollback()
    async with producer.transaction("orders", b"this") as third:
        await third.commit()
        with pytest.raises(errors.ClientError, match="decided already"):
            await third.rollback()
    await until_stored(cluster, "orders", b"this")


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_transaction_left_open_is_settled_by_the_check(
    cluster: SdkCluster, producer: pocketmq.Producer, clock: ManualClock, kind: str
) -> None:
    asked: list[str] = []

    def answer(message: pocketmq.ReceivedMessage) -> bool | None:
        """A commit that is only known when asked for the second time, and a rollback."""
        assert message.topic == "orders"
        asked.append(message.text)
        if message.text == "rollback":
            return False
        return None if asked.count("commit") == 1 else True

    if kind == "plain":
        producer.check(answer)
    else:

        @producer.check
        async def check(message: pocketmq.ReceivedMessage) -> bool | None:
            await asyncio.sleep(0)
            return answer(message)

    for body in ("commit", "rollback"):
        async with producer.transaction("orders", body) as transaction:
            transaction.leave_open()
        assert transaction.outcome == "unknown"
    for _ in range(400):
        clock.advance(seconds=40)
        await asyncio.sleep(0.01)
        if await cluster.bodies("orders") and "rollback" in asked:
            break
    await until_stored(cluster, "orders", b"commit")
    assert asked.count("commit") >= 2


async def test_a_check_that_raises_or_answers_nonsense_is_asked_again(
    cluster: SdkCluster, producer: pocketmq.Producer, clock: ManualClock
) -> None:
    answers: list[object] = [ValueError("the database is down"), "yes", True]

    @producer.check
    def check(message: pocketmq.ReceivedMessage) -> bool | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    async with producer.transaction("orders", b"at last") as transaction:
        transaction.leave_open()
    for _ in range(400):
        clock.advance(seconds=40)
        await asyncio.sleep(0.01)
        if not answers:
            break
    await until_stored(cluster, "orders", b"at last")


# -- requests -------------------------------------------------------------------------------------


async def test_a_request_gets_the_reply_of_whoever_consumes_it(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    async with pocketmq.Producer(cluster.address, group="repliers") as replier:
        asking = asyncio.ensure_future(producer.request("questions", b"how many?", timeout=5))
        request = None
        while request is None:
            await asyncio.sleep(0.01)
            request = next(iter(await cluster.received("questions")), None)
        assert request.text == "how many?"
        await replier.reply(request, b"42" * 4000, properties={"colour": "blue"})
        reply = await asking
    assert reply.body == b"42" * 4000
    assert reply.properties["colour"] == "blue"


async def test_a_request_that_nobody_answers_times_out_and_a_late_reply_does_no_harm(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    with pytest.raises(errors.RequestTimeout, match="nobody replied to request"):
        await producer.request("questions", b"anyone?", timeout=0.5)
    (request,) = await cluster.received("questions")
    await producer.reply(request, b"too late")
    assert not producer.instance.reply_waiters


async def test_a_message_that_is_no_request_cannot_be_replied_to(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await producer.send("orders", b"x")
    (message,) = await cluster.received("orders")
    with pytest.raises(errors.MessageInvalid, match="wants no reply"):
        await producer.reply(message, b"y")


async def test_a_reply_to_who_is_gone_is_refused_by_name(cluster: SdkCluster) -> None:
    async with pocketmq.Producer(cluster.address, group="gone") as asker:
        with pytest.raises(errors.RequestTimeout):
            await asker.request("questions", b"anyone?", timeout=0.5)
    (request,) = await cluster.received("questions")
    async with pocketmq.Producer(cluster.address, group="repliers") as replier:
        with pytest.raises(errors.BrokerRefused, match="the reply to"):
            await replier.reply(request, b"hello?")


# -- hooks ----------------------------------------------------------------------------------------


class Recording(Hook):
    """Notes everything, and adds a property to what is sent."""

    def __init__(self) -> None:
        self.sent: list[SendContext] = []
        self.ended: list[EndTransactionContext] = []
        self.recalled: list[RecallContext] = []
        self.life: list[str] = []

    def before_send(self, context: SendContext) -> None:
        for properties in context.properties:
            properties["hooked"] = "yes"

    def after_send(self, context: SendContext) -> None:
        self.sent.append(context)

    def after_end_transaction(self, context: EndTransactionContext) -> None:
        self.ended.append(context)

    def after_recall(self, context: RecallContext) -> None:
        self.recalled.append(context)

    async def start(self, instance: object) -> None:
        self.life.append("start")

    async def stop(self) -> None:
        self.life.append("stop")


class Broken(Hook):
    """Raises wherever it can."""

    def before_send(self, context: SendContext) -> None:
        raise ValueError("broken hook")

    def after_send(self, context: SendContext) -> None:
        raise ValueError("broken hook")


async def test_hooks_see_every_kind_of_send_and_may_add_properties(cluster: SdkCluster) -> None:
    hook = Recording()
    options = pocketmq.ProducerOptions(body_bytes_max=8_000_000, compression="none")
    async with pocketmq.Producer(
        cluster.address, group="senders", hooks=[Broken(), hook], options=options
    ) as producer:
        await producer.send("orders", b"1")
        await producer.send("orders", b"2", order_by="k")
        await producer.send_oneway("orders", b"3")
        await producer.send_batch("orders", [b"4", b"5"])
        producer.send_soon("orders", b"6")
        await producer.flush()
        receipt = await producer.send("orders", b"7", delay=60)
        await producer.recall(receipt)
        async with producer.transaction("orders", b"8"):
            pass
        with pytest.raises(errors.SendFailed):
            await producer.send("orders", bytes(5_000_000))
    kinds = [context.kind for context in hook.sent]
    assert kinds == [
        "normal", "ordered", "oneway", "batch", "normal", "delayed", "transaction", "normal",
    ]  # fmt: skip
    assert [len(context.unique_keys) for context in hook.sent] == [1, 1, 1, 2, 1, 1, 1, 1]
    assert isinstance(hook.sent[-1].error, errors.SendFailed)
    for context in hook.sent[:-1]:
        if context.kind != "oneway":
            assert context.receipt is not None
            assert context.broker_address == str(cluster.brokers["broker-a"].address)
    assert [context.outcome for context in hook.ended] == ["commit"]
    assert [context.unique_key for context in hook.recalled] == [receipt.message_id]
    assert hook.life == ["start", "stop"]
    stored = await cluster.stored("orders")
    assert {m.body for m in stored} == {b"1", b"2", b"3", b"4", b"5", b"6", b"8"}
    assert {m.properties.get("hooked") for m in stored} == {"yes"}


async def test_a_client_answers_requests_it_does_not_know(
    cluster: SdkCluster, producer: pocketmq.Producer
) -> None:
    await producer.send("orders", b"x")
    app = cluster.brokers["broker-a"]
    clients = app.running.tables.clients
    await until(lambda: clients.producers("senders"))
    (client,) = clients.producers("senders")
    answer = await client.connection.call(Command.request(31), 1000)
    assert answer.code == 3
    async with connected(app, "other") as (peer,):
        assert isinstance(peer, Peer)


class Refusing(Hook):
    """A hook that cannot start."""

    async def start(self, instance: object) -> None:
        raise ValueError("the trace topic is missing")


async def test_a_hook_that_cannot_start_keeps_the_producer_from_starting(
    cluster: SdkCluster,
) -> None:
    producer = pocketmq.Producer(cluster.address, hooks=[Refusing()])
    with pytest.raises(ValueError, match="trace topic"):
        await producer.start()
    with pytest.raises(errors.ClientClosed, match="is closed"):
        await producer.send("orders", b"x")
    await producer.close()


async def test_a_producer_that_was_not_started_says_so(cluster: SdkCluster) -> None:
    producer = pocketmq.Producer(cluster.address, group="early")
    for attempt in (producer.send("t", b"x"), producer.flush()):
        with pytest.raises(errors.ClientClosed, match="early was not started; use `async with`"):
            await attempt
    with pytest.raises(errors.ConfigError, match="illegal"):
        pocketmq.Producer(cluster.address, group="not a group")
