"""The SDK's clients in front of a broker that asks who they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.access import ALICE, access, entry, make_user
from tests.support.local_cluster import name_server
from tests.support.raw_peer import RawPeer
from tests.support.sdk_cluster import SdkCluster
from tests.support.waiting import until

import pocketmq
from pocketmq import errors
from pocketmq.security import Credentials

OPTIONS = pocketmq.ConsumerOptions(rebalance_interval_ms=1000, commit_interval_ms=100)
TOPIC, GROUP = "orders", "billing"
BOB = Credentials("bob", "bob-secret")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    """A cluster where alice may send and consume, and bob may nothing."""
    async with name_server() as names:
        cluster = SdkCluster(names, tmp_path, None)
        app = await cluster.start_broker("broker-a", access=access())
        cluster.create_topic(TOPIC)
        async with RawPeer(app.port) as peer:
            allowed = (entry(f"Topic:{TOPIC}", "Pub", "Sub"), entry(f"Group:{GROUP}", "Sub"))
            await make_user(peer, ALICE, *allowed)
            await make_user(peer, BOB)
        await app.running.registration.tell_changes(3)
        yield cluster
        await cluster.stop()


@pytest.mark.parametrize("credentials", [None, BOB, Credentials("alice", "wrong")])
async def test_a_send_without_the_right_is_refused_and_stores_nothing(
    cluster: SdkCluster, credentials: Credentials | None
) -> None:
    async with pocketmq.Producer(cluster.address, credentials=credentials) as producer:
        with pytest.raises(errors.ClientError, match=r"(?i)signed|permission|signature"):
            await producer.send(TOPIC, b"1")
    (app,) = cluster.brokers.values()
    assert [app.running.store.queue_offsets(TOPIC, queue)[1] for queue in range(4)] == [0] * 4


@pytest.mark.parametrize("kind", ["concurrent", "orderly", "pop"])
async def test_whoever_may_sends_and_consumes(cluster: SdkCluster, kind: str) -> None:
    heard: list[bytes] = []

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        heard.append(message.body)
        if heard == [b"0"]:
            raise ValueError("once more")

    async with pocketmq.Producer(cluster.address, credentials=ALICE) as producer:
        await producer.send(TOPIC, b"0")
    settings: dict[str, Any] = {"group": GROUP, "handler": handle, "start_from": "first"}
    settings |= {"topics": TOPIC, "retry_in": 1, "options": OPTIONS, "credentials": ALICE}
    if kind == "pop":
        one: Any = pocketmq.PopConsumer(cluster.address, **settings)
    else:
        one = pocketmq.Consumer(cluster.address, orderly=kind == "orderly", **settings)
    async with one, pocketmq.Producer(cluster.address, credentials=ALICE) as producer:
        async with producer.transaction(TOPIC, b"1"):
            pass
        await until(lambda: len(heard) >= 3)
    assert sorted(heard) == [b"0", b"0", b"1"]


async def test_a_consumer_without_the_right_is_no_member_and_gets_nothing(
    cluster: SdkCluster, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []

    async def handle(message: pocketmq.ReceivedMessage) -> None:
        heard.append(message.body)

    async with pocketmq.Producer(cluster.address, credentials=ALICE) as producer:
        await producer.send(TOPIC, b"0")
    consumer = pocketmq.Consumer(
        cluster.address,
        topics=TOPIC,
        group="others",
        handler=handle,
        start_from="first",
        options=OPTIONS,
        credentials=ALICE,
    )
    async with consumer:
        await until(lambda: "no permission to Sub Group:others" in caplog.text)
        (app,) = cluster.brokers.values()
        assert app.running.tables.clients.consumer_group("others") is None
    assert heard == []
