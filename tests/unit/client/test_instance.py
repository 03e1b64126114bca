"""One instance for each loop and config, shared by its users, but not by consumers of one group."""

from __future__ import annotations

import pytest

from pocketmq.client.config import ClientConfig
from pocketmq.client.instance import Instance
from pocketmq.errors import ConfigError

CONFIG = ClientConfig.of("127.0.0.1:1")


async def test_users_of_one_config_share_an_instance_until_the_last_leaves() -> None:
    first, second = Instance.obtain(CONFIG), Instance.obtain(CONFIG)
    assert first is second
    await first.release()
    assert Instance.obtain(CONFIG) is second
    await second.release()
    await second.release()
    fresh = Instance.obtain(CONFIG)
    assert fresh is not first
    await fresh.release()


async def test_other_settings_mean_another_instance() -> None:
    one = Instance.obtain(CONFIG)
    other = Instance.obtain(ClientConfig.of("127.0.0.1:1", namespace="n"))
    assert one is not other
    await one.release()
    await other.release()


async def test_two_consumers_of_one_group_are_told_apart() -> None:
    one = Instance.obtain(CONFIG, consumer_group="g")
    two = Instance.obtain(CONFIG, consumer_group="g")
    third = Instance.obtain(CONFIG, consumer_group="other")
    assert one.client_id != two.client_id
    assert third is one
    await one.release(consumer_group="g")
    again = Instance.obtain(CONFIG, consumer_group="g")
    assert again is one
    await again.release(consumer_group="g")
    await third.release(consumer_group="other")
    await two.release(consumer_group="g")


async def test_a_named_instance_can_have_a_group_once() -> None:
    named = ClientConfig.of("127.0.0.1:1", instance="billing-1")
    one = Instance.obtain(named, consumer_group="g")
    with pytest.raises(ConfigError, match="give each its own instance name"):
        Instance.obtain(named, consumer_group="g")
    assert one.client_id.endswith("@billing-1")
    await one.release(consumer_group="g")
