"""`explain` and `doctor` with several brokers, one of which may be gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.explained import finding
from tests.support.sdk_cluster import SdkCluster, sdk_cluster
from tests.support.waiting import until

import pocketmq
from pocketmq.admin import Admin
from pocketmq.admin.doctor import Limits, examine
from pocketmq.admin.explain import Status, explain
from pocketmq.client.messages import MessageQueue

OPTIONS = pocketmq.ConsumerOptions(commit_interval_ms=50, rebalance_interval_ms=200)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path, "a", "b") as opened:
        opened.create_topic("orders", queues=1)
        yield opened


async def test_a_message_is_explained_by_the_broker_it_lies_on(cluster: SdkCluster) -> None:
    got: list[str] = []

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        got.append(message.text)
        if message.text == "bad":
            raise ConnectionError("the bank is down")

    async with (
        Admin(cluster.address) as admin,
        pocketmq.Producer(cluster.address, group="shop") as producer,
        pocketmq.Consumer(
            cluster.address,
            group="billing",
            topics="orders",
            handler=handle,
            start_from="first",
            options=OPTIONS,
        ),
    ):
        at = {name: MessageQueue("orders", name, 0) for name in ("a", "b")}
        await producer.send("orders", b"first", queue=at["a"])
        receipt = await producer.send("orders", b"bad", queue=at["b"])
        await until(lambda: "bad" in got)
        table = cluster.brokers["b"].running.tables.offsets
        await until(lambda: table.query("billing", "orders", 0) == 1)
        (life,) = (await explain(admin, message_id=receipt.message_id)).messages
        by_place = await explain(admin, message_id=receipt.offset_message_id)
        diagnosis = await examine(admin, Limits(apart_seconds=0))
    assert finding(life.findings, "stored").evidence["broker"] == "b"
    (fate,) = life.groups
    assert (fate.group, fate.status) == ("billing", Status.RETRYING)
    assert by_place.messages[0].message_id == receipt.message_id
    assert [one.what for one in diagnosis.findings] == []
    assert diagnosis.brokers == 2


async def test_a_broker_that_is_gone_is_said_and_the_rest_is_told(cluster: SdkCluster) -> None:
    async with (
        Admin(cluster.address) as admin,
        pocketmq.Producer(cluster.address, group="shop") as producer,
    ):
        at = MessageQueue("orders", "a", 0)
        receipt = await producer.send("orders", b"first", queue=at)
        await cluster.stop_broker("b")
        # A clean stop takes the broker off the list; a crash leaves it there for a while.
        await cluster.register("b", "127.0.0.1:1", "orders")
        told = await explain(admin, message_id=receipt.message_id, topic="orders")
        diagnosis = await examine(admin, Limits(apart_seconds=0))
    assert finding(told.messages[0].findings, "stored").evidence["broker"] == "a"
    missing = finding(told.findings, "broker not asked")
    assert "The broker at 127.0.0.1:1 could not be asked" in missing.text
    assert [(one.check, one.subject) for one in diagnosis.findings] == [("brokers answer", "b")]


async def test_an_ordered_queue_that_a_message_holds_up(cluster: SdkCluster) -> None:
    tries: list[int] = []

    async def fail(message: pocketmq.ReceivedMessage) -> None:
        tries.append(message.attempt)
        raise ConnectionError("the bank is down")

    ordered = pocketmq.Consumer(
        cluster.address,
        group="billing",
        topics="orders",
        handler=fail,
        orderly=True,
        start_from="first",
        options=OPTIONS,
    )
    async with (
        Admin(cluster.address) as admin,
        pocketmq.Producer(cluster.address, group="shop") as producer,
    ):
        queue = MessageQueue("orders", "a", 0)
        ids = [await producer.send("orders", body, queue=queue) for body in (b"1", b"2")]
        async with ordered:
            await until(lambda: len(tries) >= 2)
            lives = [await explain(admin, message_id=one.message_id) for one in ids]
            first, second = (told.messages[0].groups[0] for told in lives)
    assert (first.status, second.status) == (Status.HANDLING, Status.HANDLING)
    assert first.findings[0].evidence["locked"] is True
    assert "it is the oldest that is not finished" in first.findings[0].text
    assert "1 message before it is not finished" in second.findings[0].text
