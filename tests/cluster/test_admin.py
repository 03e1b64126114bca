"""What operators do, through `pocketmq.admin`, on a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.waiting import until

import pocketmq
from pocketmq.admin import Admin
from pocketmq.admin.offsets import TO_THE_END
from pocketmq.errors import BrokerRefused, ConfigError, NameServersUnreachable, NoRoute
from pocketmq.testing import LocalBroker


@pytest.fixture
async def admin(rocketmq: LocalBroker) -> AsyncIterator[Admin]:
    async with Admin(rocketmq.address) as opened:
        yield opened


async def _consume(rocketmq: LocalBroker, group: str = "billing") -> None:
    """Let a group consume all there is in `orders`, and leave."""

    async def accept(message: pocketmq.ReceivedMessage) -> None:
        return None

    async with pocketmq.Consumer(
        rocketmq.address, group=group, topics={"orders": "*"}, handler=accept, start_from="first"
    ):
        await rocketmq.settle()
    # Its last commit is one-way, so it may arrive a moment later.
    offsets = rocketmq._servers.running.tables.offsets
    await until(lambda: offsets.query(group, "orders", 0) == 1)


async def test_the_brokers_of_a_cluster_and_their_figures(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    (broker,) = await admin.clusters.brokers()
    assert (broker.cluster, broker.name, broker.id) == ("DefaultCluster", "pocketmq", 0)
    assert (broker.address, broker.is_master) == (rocketmq.broker_address, True)
    assert await admin.clusters.brokers("DefaultCluster") == [broker]
    assert "bootTimestamp" in await admin.clusters.runtime(broker)
    with pytest.raises(ConfigError, match="no cluster 'Other'; the name server knows Default"):
        await admin.clusters.brokers("Other")


async def test_topics_come_and_go(admin: Admin, rocketmq: LocalBroker) -> None:
    assert await admin.topics.names() == []
    await admin.topics.create("orders", queues=3, attributes={"message.type": "FIFO"})
    (part,) = await admin.topics.parts("orders")
    assert (part.broker, part.read_queues, part.write_queues) == ("pocketmq", 3, 3)
    assert (part.permission, part.address) == (6, rocketmq.broker_address)
    assert await admin.topics.names() == ["orders"]
    assert {"orders", "TBW102"} < set(await admin.topics.names(everything=True))
    assert len(await admin.topics.delete("orders")) == 1
    assert await admin.topics.names() == []
    with pytest.raises(NoRoute, match="orders"):
        await admin.topics.parts("orders")
    with pytest.raises(NoRoute, match="orders"):
        await admin.topics.extents("orders")
    with pytest.raises(ConfigError, match="is illegal"):
        await admin.topics.create("or ders")


async def test_what_queues_hold(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    for _ in range(3):
        rocketmq.send("orders", "pizza")
    first, second = await admin.topics.extents("orders")
    assert [(one.queue_id, one.first, one.end, one.messages) for one in (first, second)] == [
        (0, 0, 2, 2),
        (1, 0, 1, 1),
    ]
    newest = max(message.stored_ms for message in rocketmq.messages("orders"))
    assert max(first.updated_ms, second.updated_ms) == newest


async def test_how_far_groups_are_and_who_is_in_them(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "1")
    await _consume(rocketmq)
    rocketmq.send("orders", "2")
    rocketmq.send("orders", "3")
    assert await admin.groups.names() == ["billing"]
    (queue,) = await admin.groups.progress("billing", "orders")
    assert (queue.topic, queue.broker, queue.queue_id) == ("orders", "pocketmq", 0)
    assert (queue.end, queue.consumed, queue.lag) == (3, 1, 2)
    assert await admin.groups.members("billing") == []
    (summary,) = await admin.groups.summaries()
    assert (summary.name, summary.members, summary.lag) == ("billing", 0, 2)
    consumer = pocketmq.Consumer(
        rocketmq.address, group="billing", topics={"orders": "paid"}, handler=print
    )
    async with consumer:
        await rocketmq.settle()
        (member,) = await admin.groups.members("billing")
        assert (member.client_id, member.language) == (consumer.client_id, "PYTHON")
        assert member.subscriptions["orders"] == "paid"
        with pytest.raises(ConfigError, match="has 1 connected consumers"):
            await admin.groups.delete("billing")


async def test_groups_come_and_go(admin: Admin) -> None:
    await admin.groups.create("billing", retries_max=3)
    assert await admin.groups.names() == ["billing"]
    assert {"billing", "TOOLS_CONSUMER"} <= set(await admin.groups.names(everything=True))
    assert await admin.groups.progress("billing") == []
    await admin.groups.delete("billing")
    assert await admin.groups.names() == []
    assert await admin.groups.members("billing") == []


async def test_positions_are_set_back_and_forward(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "1")
    await _consume(rocketmq)
    rocketmq.send("orders", "2")
    (back,) = await admin.offsets.reset("billing", "orders", 0)
    assert (back.broker, back.queue_id, back.offset) == ("pocketmq", 0, 0)
    (queue,) = await admin.groups.progress("billing", "orders")
    assert queue.lag == 2
    (end,) = await admin.offsets.reset("billing", "orders", TO_THE_END)
    assert end.offset == 2
    (queue,) = await admin.groups.progress("billing", "orders")
    assert queue.lag == 0


async def test_what_goes_wrong_is_said(rocketmq: LocalBroker, admin: Admin) -> None:
    refusing = rocketmq.faults.refuse("UPDATE_AND_CREATE_TOPIC", remark="not today")
    with refusing, pytest.raises(BrokerRefused, match="not today"):
        await admin.topics.create("orders")
    with rocketmq.faults.partition(broker=False), pytest.raises(NameServersUnreachable):
        await admin.topics.names()
