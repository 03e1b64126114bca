"""Routes are asked for once by many, kept fresh, and bounded in number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_cluster import name_server
from tests.support.sdk_cluster import SdkCluster
from tests.support.waiting import until

from pocketmq.client.config import ClientConfig
from pocketmq.client.instance import Instance
from pocketmq.client.routes import Route
from pocketmq.errors import NameServersUnreachable, NoRoute


@pytest.fixture
async def names(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with name_server() as server:
        cluster = SdkCluster(server, tmp_path, None)
        yield cluster
        await cluster.stop()


@pytest.fixture
async def instance(names: SdkCluster) -> AsyncIterator[Instance]:
    config = replace(ClientConfig.of(names.address), routes_max=3, route_refresh_interval_ms=50)
    instance = Instance.obtain(config)
    yield instance
    await instance.release()


async def test_a_route_tells_queues_and_addresses(names: SdkCluster, instance: Instance) -> None:
    await names.register("broker-a", "127.0.0.1:1", "T", queues=2)
    route = await instance.routes.get("T")
    assert route.topic == "T"
    assert [queue.queue_id for queue in route.read_queues] == [0, 1]
    assert route.master("broker-a") == "127.0.0.1:1"
    assert route.clusters == {"broker-a": "C"}
    assert instance.routes.known("T") is route
    assert instance.routes.broker_name("127.0.0.1:1") == "broker-a"
    assert instance.routes.broker_name("127.0.0.1:9") == ""


async def test_many_who_ask_at_once_share_one_question(
    names: SdkCluster, instance: Instance
) -> None:
    await names.register("broker-a", "127.0.0.1:1", "T")
    found = await asyncio.gather(*(instance.routes.refresh("T") for _ in range(50)))
    assert all(route is found[0] for route in found)


async def test_who_asks_and_leaves_does_not_spoil_it_for_others(
    names: SdkCluster, instance: Instance
) -> None:
    await names.register("broker-a", "127.0.0.1:1", "T")
    first, second = (asyncio.ensure_future(instance.routes.get("T")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).topic == "T"


async def test_listeners_hear_of_changes_alone(names: SdkCluster, instance: Instance) -> None:
    heard: list[Route] = []
    await names.register("broker-a", "127.0.0.1:1", "T")
    instance.routes.listen("T", heard.append)
    for _ in range(3):
        await instance.routes.refresh("T")
    assert len(heard) == 1
    await names.register("broker-b", "127.0.0.1:2", "T")
    await instance.routes.refresh("T")
    assert [sorted(route.brokers) for route in heard] == [["broker-a"], ["broker-a", "broker-b"]]
    instance.routes.unlisten("T", heard.append)


async def test_routes_in_use_are_refreshed_in_the_background(
    names: SdkCluster, instance: Instance
) -> None:
    class Member:
        group = "g"

        def topics(self) -> list[str]:
            return ["T", "missing"]

        def check_transaction(self, *_: object) -> None:
            raise AssertionError("nobody asks")

    await names.register("broker-a", "127.0.0.1:1", "T")
    member = Member()
    instance.add_producer(member)
    await until(lambda: instance.routes.known("T"))
    await names.register("broker-b", "127.0.0.1:2", "T")
    await until(lambda: len((instance.routes.known("T") or route_of_nothing()).brokers) == 2)
    await instance.remove_producer(member)


def route_of_nothing() -> Route:
    return Route("T", {}, (), (), {})


async def test_a_topic_that_does_not_exist_is_told_with_the_cure(instance: Instance) -> None:
    with pytest.raises(NoRoute, match=r"no route for topic T: .* create it") as raised:
        await instance.routes.get("T")
    assert raised.value.topic == "T"
    assert instance.routes.known("T") is None


async def test_only_so_many_routes_are_kept(names: SdkCluster, instance: Instance) -> None:
    topics = [f"T{number}" for number in range(5)]
    await names.register("broker-a", "127.0.0.1:1", *topics)
    for topic in topics:
        await instance.routes.get(topic)
    assert [route.topic for route in instance.routes.all()] == topics[-3:]


async def test_name_servers_that_do_not_answer_are_all_named() -> None:
    instance = Instance.obtain(ClientConfig.of("127.0.0.1:1;127.0.0.1:2"))
    with pytest.raises(NameServersUnreachable) as raised:
        await instance.routes.get("T")
    assert set(raised.value.problems) == {"127.0.0.1:1", "127.0.0.1:2"}
    await instance.release()
