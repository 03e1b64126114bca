"""Clients of a broker: heartbeats, groups, notices, locks and leaving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.connections import ConsumerConnections, ConsumerIds, ProducerTable
from pocketmq.protocol.bodies.heartbeat import CheckClientRequest, SubscriptionData
from pocketmq.protocol.bodies.queues import LockReply, LockRequest, MessageQueue
from pocketmq.protocol.bodies.stats import GroupSubscription
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.clients import (
    ConsumerGroupRequest,
    ProducerGroupRequest,
    UnregisterClientRequest,
)

NOTICE = RequestCode.NOTIFY_CONSUMER_IDS_CHANGED


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path) as app:
        yield app


async def client_ids(peer: Peer, group: str = "g") -> tuple[str, ...]:
    answer = await peer.call(RequestCode.GET_CONSUMER_LIST_BY_GROUP, ConsumerGroupRequest(group))
    return ConsumerIds.from_json(answer.body).consumer_id_list if answer.code == 0 else ()


async def test_a_heartbeat_makes_a_member_a_group_and_its_retry_topic(broker: BrokerApp) -> None:
    async with connected(broker, "one") as (one,):
        answer = await one.heartbeat("T", "U", producers=("p",))
        assert answer.code == 0
        assert answer.fields == {"IS_SUPPORT_HEART_BEAT_V2": "true", "IS_SUB_CHANGE": "true"}
        assert await client_ids(one) == ("one",)
        tables = broker.running.tables
        assert tables.groups.find("g") is not None
        retry = tables.topics.find("%RETRY%g")
        assert retry is not None
        assert (retry.read_queue_nums, retry.write_queue_nums, retry.perm) == (1, 1, 6)


async def test_all_members_are_told_when_one_comes_or_goes(broker: BrokerApp) -> None:
    async with connected(broker, "one", "two") as (one, two):
        await one.heartbeat("T")
        await until(lambda: one.asked_codes() == [NOTICE])
        await two.heartbeat("T")
        await until(lambda: one.asked_codes() == [NOTICE, NOTICE])
        await until(lambda: two.asked_codes() == [NOTICE])
        assert one.asked[0].fields == {"consumerGroup": "g"}
        assert one.asked[0].is_oneway
        await two.close()
        await until(lambda: len(one.asked) == 3)
        assert await client_ids(one) == ("one",)


async def test_a_renewed_heartbeat_or_another_expression_tells_nobody(broker: BrokerApp) -> None:
    async with connected(broker, "one") as (one,):
        await one.heartbeat("T")
        await one.heartbeat("T", version=2)
        await one.heartbeat("T", "U", version=3)
        await until(lambda: len(one.asked) == 2)
        await one.heartbeat("U", version=4)
        await until(lambda: len(one.asked) == 3)
        group = broker.running.tables.clients.consumer_group("g")
        assert group is not None
        assert list(group.subscriptions) == ["U"]


async def test_broadcasting_and_quiet_groups_are_not_told(broker: BrokerApp) -> None:
    broker.running.tables.groups.put(
        SubscriptionGroup("quiet", notify_consumer_ids_changed_enable=False)
    )
    async with connected(broker, "one") as (one,):
        await one.heartbeat("T", group="wide", model="BROADCASTING")
        await one.heartbeat("T", group="quiet")
        await one.heartbeat("T", group="told")
        await until(lambda: len(one.asked) == 1)
        assert one.asked[0].fields == {"consumerGroup": "told"}


async def test_a_group_that_is_refused_does_not_spoil_the_heartbeat(broker: BrokerApp) -> None:
    async with connected(broker, "one") as (one,):
        answer = await one.heartbeat("T", group="bad name")
        assert answer.code == 0
        assert await client_ids(one, "bad name") == ()


async def test_a_second_form_heartbeat_without_subscriptions_keeps_them(broker: BrokerApp) -> None:
    async with connected(broker, "one", "two") as (one, two):
        first = await one.heartbeat("T", fingerprint=7)
        assert first.fields["IS_SUB_CHANGE"] == "false"
        again = await one.heartbeat(fingerprint=7, without_sub=True)
        assert again.fields["IS_SUB_CHANGE"] == "false"
        assert broker.running.tables.clients.subscription("g", "T") is not None
        other = await two.heartbeat("T", "U", fingerprint=8, version=2)
        assert other.fields["IS_SUB_CHANGE"] == "true"


async def test_a_full_heartbeat_is_asked_for_when_the_group_was_forgotten(
    broker: BrokerApp,
) -> None:
    async with connected(broker, "one") as (one,):
        answer = await one.heartbeat(fingerprint=7, without_sub=True)
        assert answer.fields["IS_SUB_CHANGE"] == "true"


async def test_a_client_leaves_the_groups_it_names(broker: BrokerApp) -> None:
    async with connected(broker, "one") as (one,):
        await one.heartbeat("T", producers=("p", "q"))
        request = UnregisterClientRequest("one", producer_group="p", consumer_group="g")
        assert (await one.call(RequestCode.UNREGISTER_CLIENT, request)).code == 0
        assert await client_ids(one) == ()
        producers = await one.call(RequestCode.GET_ALL_PRODUCER_INFO)
        assert list(ProducerTable.from_json(producers.body).data) == ["q"]
        assert (await one.call(RequestCode.UNREGISTER_CLIENT, request)).code == 0


async def test_silent_clients_are_cut_off_and_the_others_told(tmp_path: Path) -> None:
    clock = ManualClock()
    async with local_broker(tmp_path, clock) as app, connected(app, "one", "two") as (one, two):
        await one.heartbeat("T")
        clock.advance(seconds=100)
        await two.heartbeat("T")
        clock.advance(seconds=21)
        assert app.running.clients.step() == 1
        await until(lambda: len(two.asked) == 2)
        assert await client_ids(two) == ("two",)
        connection = await two.connection()
        assert connection.is_open


async def test_tools_see_who_is_connected(broker: BrokerApp) -> None:
    async with connected(broker, "one", "two") as (one, two):
        await one.heartbeat("T")
        await two.heartbeat(producers=("p",))
        asked = await two.call(RequestCode.GET_CONSUMER_CONNECTION_LIST, ConsumerGroupRequest("g"))
        seen = ConsumerConnections.from_json(asked.body)
        assert [client.client_id for client in seen.connection_set] == ["one"]
        assert seen.connection_set[0].client_addr.startswith("127.0.0.1:")
        assert seen.connection_set[0].language == "PYTHON"
        assert seen.subscription_table["T"].sub_string == "*"
        assert (seen.consume_type, seen.message_model) == ("CONSUME_PASSIVELY", "CLUSTERING")
        absent = await two.call(
            RequestCode.GET_CONSUMER_CONNECTION_LIST, ConsumerGroupRequest("none")
        )
        assert absent.code == ResponseCode.CONSUMER_NOT_ONLINE
        producers = await two.call(
            RequestCode.GET_PRODUCER_CONNECTION_LIST, ProducerGroupRequest("p")
        )
        assert producers.code == 0
        missing = await two.call(
            RequestCode.GET_PRODUCER_CONNECTION_LIST, ProducerGroupRequest("g")
        )
        assert missing.code == ResponseCode.SYSTEM_ERROR
        answer = await two.call(
            RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, {"group": "g", "topic": "T"}
        )
        found = GroupSubscription.from_json(answer.body)
        assert found.subscription_data is not None
        assert found.subscription_data.topic == "T"


async def test_queues_are_locked_by_one_client_at_a_time(broker: BrokerApp) -> None:
    queues = tuple(MessageQueue("T", "b", number) for number in range(3))

    async def lock(peer: Peer, *wanted: MessageQueue) -> set[MessageQueue]:
        request = LockRequest("g", peer.client_id, wanted)
        answer = await peer.call(RequestCode.LOCK_BATCH_MQ, body=request.to_json())
        assert answer.code == 0
        return set(LockReply.from_json(answer.body).locked)

    async with connected(broker, "one", "two") as (one, two):
        assert await lock(one, *queues[:2]) == set(queues[:2])
        assert await lock(two, *queues) == {queues[2]}
        request = LockRequest("g", "one", queues)
        await one.call(RequestCode.UNLOCK_BATCH_MQ, body=request.to_json())
        assert await lock(two, *queues) == set(queues)
        blank = await one.call(RequestCode.LOCK_BATCH_MQ, body=LockRequest().to_json())
        assert blank.code == ResponseCode.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("subscription", "code"),
    [
        (None, 0),
        (SubscriptionData("T", "a || b"), 0),
        (SubscriptionData("T", "||"), 0),
        (SubscriptionData("T", "a = 1", expression_type="SQL92"), ResponseCode.SYSTEM_ERROR),
    ],
)
async def test_a_client_may_ask_whether_its_filter_works(
    broker: BrokerApp, subscription: SubscriptionData | None, code: int
) -> None:
    async with connected(broker, "one") as (one,):
        body = CheckClientRequest("one", "g", subscription).to_json()
        assert (await one.call(RequestCode.CHECK_CLIENT_CONFIG, body=body)).code == code
