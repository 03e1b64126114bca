"""Brokers and positions through `pocketmq.admin`: states, settings, clones and skips."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import pocketmq
from pocketmq.admin import Admin
from pocketmq.errors import BrokerRefused, ConfigError
from pocketmq.testing import LocalBroker


@pytest.fixture
async def admin(rocketmq: LocalBroker) -> AsyncIterator[Admin]:
    async with Admin(rocketmq.address) as opened:
        yield opened


async def test_a_broker_at_a_glance(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=1)
    rocketmq.send("orders", "pizza")
    (state,) = await admin.brokers.states()
    assert (state.broker.name, state.problem) == ("pocketmq", "")
    assert state.version
    assert state.started_ms > 0
    assert state.log_end > state.log_first
    assert 0 <= state.disk_used < 1
    assert state.figures["bootTimestamp"] == str(state.started_ms)
    with rocketmq.faults.cut("GET_BROKER_RUNTIME_INFO"):
        (state,) = await admin.brokers.states()
    assert state.broker.name == "pocketmq"
    assert state.problem
    assert state.version == ""


async def test_brokers_are_found_by_name_and_address(admin: Admin, rocketmq: LocalBroker) -> None:
    (by_name,) = await admin.brokers.find("pocketmq")
    assert await admin.brokers.find(rocketmq.broker_address) == [by_name]
    assert await admin.brokers.find("pocketmq:0") == [by_name]
    with pytest.raises(ConfigError, match="no broker 'other'; the name server knows pocketmq"):
        await admin.brokers.find("other")


async def test_settings_are_read_and_the_safe_ones_changed(admin: Admin) -> None:
    (broker,) = await admin.clusters.brokers()
    settings = await admin.brokers.settings(broker)
    assert settings["brokerName"] == "pocketmq"
    changed = await admin.brokers.update(broker, {"autoCreateTopicEnable": "false"})
    assert changed == {"autoCreateTopicEnable": "false"}
    assert (await admin.brokers.settings(broker))["autoCreateTopicEnable"] == "false"
    with pytest.raises(BrokerRefused, match="cannot be changed by request"):
        await admin.brokers.update(broker, {"storePathRootDir": "/tmp/elsewhere"})
    with pytest.raises(ConfigError, match="knows no setting 'odd'"):
        await admin.brokers.update(broker, {"odd": "1"})


async def test_name_servers_settings(admin: Admin, rocketmq: LocalBroker) -> None:
    settings = await admin.brokers.name_server_settings()
    assert list(settings) == [rocketmq.address]
    assert "listenPort" in settings[rocketmq.address]


async def test_offsets_are_cloned_skipped_and_set(admin: Admin, rocketmq: LocalBroker) -> None:
    rocketmq.topic("orders", queues=2)
    rocketmq.topic("payments", queues=1)
    for number in range(6):
        rocketmq.send("orders", str(number), queue_id=number % 2)
    rocketmq.send("payments", "1")
    await admin.groups.create("billing")
    await admin.groups.create("audit")
    with pytest.raises(ConfigError, match="'billing' has no offsets in orders"):
        await admin.offsets.clone("billing", "audit", "orders")
    one = await admin.offsets.set("billing", "orders", "pocketmq", 1, 2)
    assert (one.queue_id, one.offset) == (1, 2)
    await admin.offsets.set("billing", "orders", "pocketmq", 0, 1)
    await admin.offsets.set("billing", "payments", "pocketmq", 0, 1)
    cloned = await admin.offsets.clone("billing", "audit", "orders")
    assert [(one.topic, one.queue_id, one.offset) for one in cloned] == [
        ("orders", 0, 1),
        ("orders", 1, 2),
    ]
    assert {one.topic for one in await admin.groups.progress("audit")} == {"orders"}
    await admin.offsets.clone("billing", "audit")
    assert {one.topic for one in await admin.groups.progress("audit")} == {"orders", "payments"}
    skipped = await admin.offsets.skip("audit", "orders")
    assert [one.offset for one in skipped] == [3, 3]
    assert rocketmq.lag("audit", "orders") == 0
    assert rocketmq.lag("billing", "orders") == 3
    with pytest.raises(ConfigError, match="holds 0 to 3, so 4 is outside of it"):
        await admin.offsets.set("billing", "orders", "pocketmq", 0, 4)
    with pytest.raises(ConfigError, match="has no queue on 'other'"):
        await admin.offsets.set("billing", "orders", "other", 0, 1)


async def test_a_group_with_members_is_moved_but_not_overwritten(
    admin: Admin, rocketmq: LocalBroker
) -> None:
    rocketmq.topic("orders", queues=1)
    for number in range(3):
        rocketmq.send("orders", str(number))
    await admin.groups.create("audit")
    await admin.offsets.skip("audit", "orders")
    seen: list[str] = []

    async def accept(message: pocketmq.ReceivedMessage) -> None:
        seen.append(message.text)

    async with pocketmq.Consumer(
        rocketmq.address, group="billing", topics="orders", handler=accept, start_from="first"
    ):
        await rocketmq.settle()
        with pytest.raises(ConfigError, match="would overwrite its offsets"):
            await admin.offsets.clone("audit", "billing")
        await admin.offsets.set("billing", "orders", "pocketmq", 0, 2)
        rocketmq.send("orders", "3")
        await rocketmq.settle()
    assert seen[:3] == ["0", "1", "2"]
    assert seen[3:] == ["2", "3"]
