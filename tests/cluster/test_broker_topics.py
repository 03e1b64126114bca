"""Topics and groups by request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker

from pocketmq.broker.app import BrokerApp
from pocketmq.protocol.bodies.subscription_group import (
    GroupForbidden,
    SubscriptionGroup,
    SubscriptionGroupList,
    SubscriptionGroupTable,
)
from pocketmq.protocol.bodies.topic_config import (
    TopicConfig,
    TopicConfigList,
    TopicConfigTable,
    TopicList,
)
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.groups import (
    DeleteGroupRequest,
    GroupForbiddenRequest,
    GroupRequest,
)
from pocketmq.protocol.requests.topics import (
    AllTopicConfigRequest,
    CreateTopicRequest,
    TopicRequest,
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path) as app:
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "tool") as (one,):
        yield one


async def create(
    peer: Peer, name: str, queues: int = 4, perm: int = 6, attributes: str | None = None
) -> Command:
    request = CreateTopicRequest(name, "TBW102", queues, queues, perm, attributes=attributes)
    return await peer.call(RequestCode.UPDATE_AND_CREATE_TOPIC, request)


async def config(peer: Peer, name: str) -> TopicConfig | None:
    answer = await peer.call(RequestCode.GET_TOPIC_CONFIG, TopicRequest(name))
    if answer.code == ResponseCode.TOPIC_NOT_EXIST:
        return None
    return TopicConfig.from_json(answer.body)


async def test_a_created_topic_is_on_the_disk_when_the_answer_comes(
    peer: Peer, tmp_path: Path
) -> None:
    assert (await create(peer, "T", queues=3)).code == 0
    saved = TopicConfigTable.from_json((tmp_path / "config" / "topics.json").read_bytes())
    assert saved.topic_config_table["T"] == TopicConfig("T", 3, 3)
    assert await config(peer, "T") == TopicConfig("T", 3, 3)


async def test_a_topic_survives_a_restart(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "tool") as (peer,):
        await create(peer, "T", attributes="+message.type=FIFO")
        await peer.send("made-by-sending")
    async with local_broker(tmp_path) as app, connected(app, "tool") as (peer,):
        kept = await config(peer, "T")
        assert kept is not None
        assert kept.attributes == {"message.type": "FIFO"}
        assert await config(peer, "made-by-sending") is not None


@pytest.mark.parametrize(
    ("name", "queues", "perm", "attributes", "code"),
    [
        ("bad name", 4, 6, None, ResponseCode.INVALID_PARAMETER),
        ("T" * 128, 4, 6, None, ResponseCode.INVALID_PARAMETER),
        ("TBW102", 4, 6, None, ResponseCode.INVALID_PARAMETER),
        ("rmq_sys_x", 4, 6, None, ResponseCode.INVALID_PARAMETER),
        ("T", -1, 6, None, ResponseCode.INVALID_PARAMETER),
        ("T", 65_536, 6, None, ResponseCode.INVALID_PARAMETER),
        ("T", 4, 8, None, ResponseCode.INVALID_PARAMETER),
        ("T", 4, 6, "+message.type=MIXED", ResponseCode.INVALID_PARAMETER),
        ("T", 4, 6, "+message.type=ODD", ResponseCode.SYSTEM_ERROR),
        ("T", 4, 6, "+no.such=1", ResponseCode.SYSTEM_ERROR),
        ("T", 4, 6, "-message.type", ResponseCode.SYSTEM_ERROR),
        ("T", 4, 6, "message.type=FIFO", ResponseCode.SYSTEM_ERROR),
        ("T", 4, 6, "+reserve.time=-2", ResponseCode.SYSTEM_ERROR),
        ("T", 4, 6, "+reserve.time=soon", ResponseCode.SYSTEM_ERROR),
        ("T", 4, 6, "+cleanup.policy=COMPACTION", ResponseCode.SYSTEM_ERROR),
    ],
)
async def test_a_topic_that_cannot_be_is_refused_with_a_reason(
    peer: Peer, name: str, queues: int, perm: int, attributes: str | None, code: int
) -> None:
    answer = await create(peer, name, queues, perm, attributes)
    assert answer.code == code
    assert answer.remark
    assert await config(peer, "T") is None


async def test_attributes_change_one_by_one_and_some_never(peer: Peer) -> None:
    await create(peer, "T", attributes="+message.type=FIFO,+reserve.time=1000,+queue.type=SimpleCQ")
    assert (await create(peer, "T", attributes="-reserve.time,+message.type=NORMAL")).code == 0
    kept = await config(peer, "T")
    assert kept is not None
    assert kept.attributes == {"message.type": "NORMAL", "queue.type": "SimpleCQ"}
    assert (await create(peer, "T", queues=8)).code == 0
    kept = await config(peer, "T")
    assert kept is not None
    assert (kept.write_queue_nums, len(kept.attributes)) == (8, 2)
    refused = await create(peer, "T", attributes="-queue.type")
    assert refused.code == ResponseCode.SYSTEM_ERROR


async def test_a_list_of_topics_is_made_whole_or_not_at_all(peer: Peer) -> None:
    async def create_list(*topics: TopicConfig) -> int:
        body = TopicConfigList(topics).to_json()
        return (await peer.call(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST, body=body)).code

    assert await create_list(TopicConfig("A"), TopicConfig("bad name")) == 29
    assert await config(peer, "A") is None
    assert await create_list(TopicConfig("A"), TopicConfig("B")) == 0
    assert await create_list(TopicConfig("A"), TopicConfig("C2", 2, 2)) == 0
    assert await config(peer, "C2") == TopicConfig("C2", 2, 2)


async def test_a_deleted_topic_takes_everything_along(broker: BrokerApp, peer: Peer) -> None:
    tables = broker.running.tables
    await peer.send("T")
    tables.offsets.commit("g", "T", 0, 1)
    tables.topics.put(TopicConfig("%RETRY%g_T", 1, 1))
    tables.topics.put(TopicConfig("%RETRY%g+T", 1, 1))
    assert (await peer.call(RequestCode.DELETE_TOPIC_IN_BROKER, TopicRequest("T"))).code == 0
    assert await config(peer, "T") is None
    assert await config(peer, "%RETRY%g_T") is None
    assert await config(peer, "%RETRY%g+T") is None
    assert tables.offsets.groups_of("T") == []
    assert "T" not in broker.running.store.topics()
    assert tables.statistics.figures("TOPIC_PUT_NUMS", "T") is None


@pytest.mark.parametrize("name", ["", "TBW102", "rmq_sys_x", "C"])
async def test_the_brokers_own_topics_cannot_be_deleted(peer: Peer, name: str) -> None:
    answer = await peer.call(RequestCode.DELETE_TOPIC_IN_BROKER, TopicRequest(name))
    assert answer.code == ResponseCode.INVALID_PARAMETER


async def test_all_topics_come_at_once_or_in_pages(broker: BrokerApp, peer: Peer) -> None:
    everything = await peer.call(RequestCode.GET_ALL_TOPIC_CONFIG)
    assert everything.fields == {}
    table = TopicConfigTable.from_json(everything.body)
    assert table.topic_config_table == dict(broker.running.tables.topics.configs)
    names: list[str] = []
    version = table.data_version.to_json().decode()
    while len(names) < len(table.topic_config_table):
        request = AllTopicConfigRequest(len(names), version, 5)
        page = await peer.call(RequestCode.GET_ALL_TOPIC_CONFIG, request)
        assert page.fields == {"totalTopicNum": str(len(table.topic_config_table))}
        names += TopicConfigTable.from_json(page.body).topic_config_table
    assert sorted(names) == sorted(table.topic_config_table)
    other = AllTopicConfigRequest(5, '{"counter":999}', 5)
    restarted = await peer.call(RequestCode.GET_ALL_TOPIC_CONFIG, other)
    assert sorted(names)[:5] == list(TopicConfigTable.from_json(restarted.body).topic_config_table)


async def test_reserved_names_are_listed(peer: Peer) -> None:
    answer = await peer.call(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER)
    names = TopicList.from_json(answer.body).topic_list
    assert {"TBW102", "C", "b", "rmq_sys_REVIVE_LOG_C", "CHECKPOINT_TOPIC"} <= set(names)


# -- groups ------------------------------------------------------------------------------------


async def test_a_group_is_created_changed_and_kept(peer: Peer, tmp_path: Path) -> None:
    code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
    group = SubscriptionGroup("g", retry_max_times=3, consume_message_orderly=True)
    assert (await peer.call(code, body=group.to_json())).code == 0
    answer = await peer.call(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, GroupRequest("g"))
    assert SubscriptionGroup.from_json(answer.body) == group
    path = tmp_path / "config" / "subscriptionGroup.json"
    assert json.loads(path.read_bytes())["subscriptionGroupTable"]["g"]["retryMaxTimes"] == 3
    for name in ("", "bad name", "g" * 121):
        refused = await peer.call(code, body=SubscriptionGroup(name).to_json())
        assert refused.code == ResponseCode.INVALID_PARAMETER


async def test_a_list_of_groups_is_made_whole_or_not_at_all(peer: Peer) -> None:
    code = RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST
    bad = SubscriptionGroupList((SubscriptionGroup("a"), SubscriptionGroup("b b")))
    assert (await peer.call(code, body=bad.to_json())).code == ResponseCode.INVALID_PARAMETER
    good = SubscriptionGroupList((SubscriptionGroup("a"), SubscriptionGroup("b")))
    assert (await peer.call(code, body=good.to_json())).code == 0
    answer = await peer.call(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
    table = SubscriptionGroupTable.from_json(answer.body).subscription_group_table
    assert {"a", "b", "TOOLS_CONSUMER"} <= set(table)


async def test_deleting_a_group_keeps_its_offsets_unless_told(
    broker: BrokerApp, peer: Peer
) -> None:
    tables = broker.running.tables
    tables.groups.put(SubscriptionGroup("g"))
    tables.offsets.commit("g", "T", 0, 5)
    delete = RequestCode.DELETE_SUBSCRIPTIONGROUP
    assert (await peer.call(delete, DeleteGroupRequest("g"))).code == 0
    absent = await peer.call(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, GroupRequest("g"))
    assert absent.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    assert tables.offsets.query("g", "T", 0) == 5
    assert (await peer.call(delete, DeleteGroupRequest("g", True))).code == 0
    assert tables.offsets.query("g", "T", 0) is None


async def test_a_group_is_forbidden_a_topic_and_allowed_again(
    broker: BrokerApp, peer: Peer
) -> None:
    broker.running.tables.groups.put(SubscriptionGroup("g"))

    async def ask(readable: bool | None) -> bool:
        request = GroupForbiddenRequest("g", "T", readable)
        answer = await peer.call(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, request)
        return GroupForbidden.from_json(answer.body).readable

    assert await ask(None)
    assert not await ask(False)
    assert not await ask(None)
    assert await ask(True)
    unknown = GroupForbiddenRequest("none", "T", False)
    answer = await peer.call(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, unknown)
    assert answer.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
