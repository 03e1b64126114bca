"""What operators' tools ask a broker: figures, settings, relays, cleaning and dumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.golden_wire import session_frames
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.offsets import ConsumerOffsets, DelayOffsets
from pocketmq.protocol.bodies.pop import MessageRequestModes
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.replicas import ReplicationStatus
from pocketmq.protocol.bodies.stats import (
    BrokerConsumeStats,
    BrokerStats,
    ConsumeStats,
    ConsumeTimeSpan,
    GroupOffset,
    TopicOffset,
    TopicStats,
)
from pocketmq.protocol.bodies.subscription_group import GroupList, SubscriptionGroup
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.bodies.topic_config import TopicConfig, TopicList
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.admin import BrokerStatsRequest
from pocketmq.protocol.requests.clients import ConsumeDirectlyRequest, ConsumerRunningRequest
from pocketmq.protocol.requests.groups import (
    BrokerConsumeStatsRequest,
    ConsumeStatsRequest,
    GroupRequest,
    GroupTopicRequest,
)
from pocketmq.protocol.requests.pull import PullRequest
from pocketmq.protocol.requests.topics import TopicRequest

FIRST, SECOND = MessageQueue("T", "b", 0), MessageQueue("T", "b", 1)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, ManualClock()) as app:
        app.running.tables.groups.put(SubscriptionGroup("g"))
        app.running.tables.topics.put(TopicConfig("T", 2, 2))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def filled(broker: BrokerApp, peer: Peer, count: int) -> int:
    """Send `count` messages to queue 0 of T, a second apart; return when the first was stored."""
    clock = broker.running.clock
    assert isinstance(clock, ManualClock)
    first = clock.now_ms()
    for number in range(count):
        await peer.send("T", b"%d" % number)
        clock.advance(seconds=1)
        broker.running.tables.statistics.step()
    return first


async def pull(peer: Peer, offset: int, count: int) -> Command:
    zero = QueueOffset(0)
    request = PullRequest("g", "T", 0, QueueOffset(offset), count, 4, zero, 0, "*", 1, "TAG")
    return await peer.call(RequestCode.PULL_MESSAGE, request)


# -- figures -----------------------------------------------------------------------------------


async def test_a_topic_shows_its_queues(broker: BrokerApp, peer: Peer) -> None:
    first = await filled(broker, peer, 3)
    answer = await peer.call(RequestCode.GET_TOPIC_STATS_INFO, TopicRequest("T"))
    stats = TopicStats.from_json(answer.body)
    assert stats.offset_table == {
        FIRST: TopicOffset(0, 3, first + 2000),
        SECOND: TopicOffset(0, 0, 0),
    }
    assert stats.topic_put_tps == 1.0
    missing = await peer.call(RequestCode.GET_TOPIC_STATS_INFO, TopicRequest("none"))
    assert missing.code == ResponseCode.TOPIC_NOT_EXIST


async def test_a_group_shows_how_far_it_is(broker: BrokerApp, peer: Peer) -> None:
    first = await filled(broker, peer, 5)
    assert (await pull(peer, 0, 4)).code == 0
    broker.running.tables.offsets.commit("g", "T", 0, 2)

    async def stats(**fields: str) -> ConsumeStats:
        request = ConsumeStatsRequest("g", **fields)
        answer = await peer.call(RequestCode.GET_CONSUME_STATS, request)
        assert answer.code == 0
        return ConsumeStats.from_json(answer.body)

    shown = await stats()
    assert shown.offset_table == {
        FIRST: GroupOffset(5, 2, 4, first + 1000),
        SECOND: GroupOffset(0, 0, 0, 0),
    }
    assert shown.consume_tps > 0
    assert (await stats(topic="T")).offset_table == shown.offset_table
    assert (await stats(topic_list="T;none")).offset_table == shown.offset_table
    assert (await stats(topic="none")).offset_table == {}
    await peer.heartbeat("U")
    assert (await stats()).offset_table == {}
    assert (await stats(topic_list="T")).offset_table == shown.offset_table


async def test_all_groups_show_how_far_they_are(broker: BrokerApp, peer: Peer) -> None:
    await filled(broker, peer, 5)
    broker.running.tables.offsets.commit("g", "T", 0, 2)

    async def behind(ordered: bool) -> tuple[int, int]:
        request = BrokerConsumeStatsRequest(ordered)
        answer = await peer.call(RequestCode.GET_BROKER_CONSUME_STATS, request)
        stats = BrokerConsumeStats.from_json(answer.body)
        assert stats.broker_addr == peer.address
        tables = {name: value for item in stats.consume_stats_list for name, value in item.items()}
        return stats.total_diff, len(tables["g"])

    assert await behind(False) == (3, 1)
    assert await behind(True) == (0, 0)


async def test_a_group_shows_how_old_what_it_waits_for_is(broker: BrokerApp, peer: Peer) -> None:
    first = await filled(broker, peer, 4)
    broker.running.tables.offsets.commit("g", "T", 0, 2)
    answer = await peer.call(RequestCode.QUERY_CONSUME_TIME_SPAN, GroupTopicRequest("g", "T"))
    span = ConsumeTimeSpan.from_json(answer.body).consume_time_span_set[0]
    assert span.message_queue == FIRST
    assert (span.min_time_stamp, span.max_time_stamp) == (first, first + 3000)
    assert (span.consume_time_stamp, span.delay_time) == (first + 1000, 2000)
    missing = await peer.call(RequestCode.QUERY_CONSUME_TIME_SPAN, GroupTopicRequest("g", "none"))
    assert missing.code == ResponseCode.TOPIC_NOT_EXIST


async def test_statistics_have_rocketmqs_names(broker: BrokerApp, peer: Peer) -> None:
    await filled(broker, peer, 3)
    await pull(peer, 0, 2)

    async def total(name: str, key: str) -> int:
        answer = await peer.call(RequestCode.VIEW_BROKER_STATS_DATA, BrokerStatsRequest(name, key))
        assert answer.code == 0
        return BrokerStats.from_json(answer.body).stats_minute.sum

    assert await total("TOPIC_PUT_NUMS", "T") == 3
    assert await total("BROKER_PUT_NUMS", "C") == 3
    assert await total("GROUP_GET_NUMS", "T@g") == 2
    assert await total("TOPIC_PUT_SIZE", "T") > 3 * 91
    unknown = BrokerStatsRequest("TOPIC_PUT_NUMS", "none")
    answer = await peer.call(RequestCode.VIEW_BROKER_STATS_DATA, unknown)
    assert answer.code == ResponseCode.SYSTEM_ERROR


async def test_groups_of_a_topic_and_topics_of_a_group(broker: BrokerApp, peer: Peer) -> None:
    await peer.heartbeat("T", group="subscribed")
    broker.running.tables.offsets.commit("offline", "T", 0, 1)
    answer = await peer.call(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, TopicRequest("T"))
    assert GroupList.from_json(answer.body).group_list == ("offline", "subscribed")
    answer = await peer.call(RequestCode.QUERY_TOPICS_BY_CONSUMER, GroupRequest("offline"))
    assert TopicList.from_json(answer.body) == TopicList(("T",), peer.address)


async def test_the_runtime_table_has_every_key_of_apaches(broker: BrokerApp, peer: Peer) -> None:
    await filled(broker, peer, 12)
    answer = await peer.call(RequestCode.GET_BROKER_RUNTIME_INFO)
    table = KvTable.from_json(answer.body).table
    golden = next(
        KvTable.from_json(frame.body).table
        for frame in session_frames("mqadmin-brokerStatus")
        if frame.is_answer
    )
    not_ours = ("scheduleMessageOffset_", "commitLogDiskRatio_")
    theirs = {key for key in golden if not key.startswith(not_ours)}
    assert theirs <= set(table)
    assert table["brokerVersionDesc"] == "V5_3_3"
    assert table["msgPutTotalTodayNow"] == "12"
    assert table["putMessageTimesTotal"] == "12"
    assert [float(rate) for rate in table["putTps"].split()] == [1.0, 1.0, 1.0]
    assert 0 <= float(table["commitLogDiskRatio"]) <= 1
    assert int(table["earliestMessageTimeStamp"]) <= broker.running.clock.now_ms()
    assert table["runtime"] == "[ 0 days, 0 hours, 0 minutes, 12 seconds ]"
    assert table["remainHowManyDataToFlush"].endswith("B")


async def test_a_broker_without_replicas_says_where_its_log_ends(
    broker: BrokerApp, peer: Peer
) -> None:
    await filled(broker, peer, 2)
    status = ReplicationStatus.from_json((await peer.call(RequestCode.GET_BROKER_HA_STATUS)).body)
    end = broker.running.store.log_end
    assert status == ReplicationStatus(master=True, master_commit_log_max_offset=end)
    assert end > 0


# -- settings ----------------------------------------------------------------------------------


async def settings(peer: Peer) -> tuple[dict[str, str], DataVersion]:
    answer = await peer.call(RequestCode.GET_BROKER_CONFIG)
    return parse_properties(answer.body), DataVersion.from_json(answer.fields["version"])


async def change(peer: Peer, text: str) -> Command:
    return await peer.call(RequestCode.UPDATE_BROKER_CONFIG, body=text.encode())


async def test_settings_are_shown_under_rocketmqs_names(peer: Peer) -> None:
    shown, _ = await settings(peer)
    assert shown["brokerName"] == "b"
    assert shown["brokerClusterName"] == "C"
    assert shown["flushDiskType"] == "ASYNC_FLUSH"
    assert shown["fileReservedTime"] == "72"


async def test_a_changed_setting_takes_effect_and_outlives_a_restart(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        _, before = await settings(peer)
        assert (await change(peer, "autoCreateTopicEnable=false\n")).code == 0
        shown, after = await settings(peer)
        assert shown["autoCreateTopicEnable"] == "false"
        assert after.counter == before.counter + 1
        assert (await peer.send("new")).code == ResponseCode.TOPIC_NOT_EXIST
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        assert (await peer.send("new")).code == ResponseCode.TOPIC_NOT_EXIST
        assert (await change(peer, "autoCreateTopicEnable=true")).code == 0
        assert (await peer.send("new")).code == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("brokerConfigPath=/x", ResponseCode.NO_PERMISSION),
        ("rocketmqHome=/x", ResponseCode.NO_PERMISSION),
        ("configBlackList=x", ResponseCode.NO_PERMISSION),
        ("storePathRootDir=/x", ResponseCode.NO_PERMISSION),
        ("namesrvAddr=evil:9876", ResponseCode.NO_PERMISSION),
        ("brokerIP1=evil", ResponseCode.NO_PERMISSION),
        ("tls.server.keyPath=/etc/passwd", ResponseCode.NO_PERMISSION),
        ("brokerPermission=9", ResponseCode.INVALID_PARAMETER),
        ("brokerPermission=x", ResponseCode.INVALID_PARAMETER),
    ],
)
async def test_a_setting_that_may_not_be_changed_changes_nothing(
    peer: Peer, text: str, code: int
) -> None:
    answer = await change(peer, f"autoCreateSubscriptionGroup=false\n{text}\n")
    assert answer.code == code
    assert answer.remark
    shown, _ = await settings(peer)
    assert shown["autoCreateSubscriptionGroup"] == "true"


async def test_settings_that_do_nothing_here_are_refused_with_a_reason(peer: Peer) -> None:
    answer = await change(peer, "autoCreateTopicEnable=false\nwaitTimeMillsInSendQueue=300\n")
    assert answer.code == ResponseCode.INVALID_PARAMETER
    assert "waitTimeMillsInSendQueue has no effect here: PocketMQ bounds" in (answer.remark or "")
    answer = await change(peer, "noSuchThing=1")
    assert answer.code == ResponseCode.INVALID_PARAMETER
    assert "no setting is called 'noSuchThing'" in (answer.remark or "")
    assert (await settings(peer))[0]["autoCreateTopicEnable"] == "true"


async def test_settings_that_stay_as_they_are_may_be_repeated(peer: Peer) -> None:
    shown, before = await settings(peer)
    text = "".join(f"{key}={value}\n" for key, value in shown.items() if "\\" not in value)
    assert (await change(peer, text)).code == 0
    assert (await change(peer, "")).code == 0
    assert await settings(peer) == (shown, before), "a repeated value is no change to be kept"


async def test_the_brokers_permission_changes_at_once(broker: BrokerApp, peer: Peer) -> None:
    assert (await change(peer, "brokerPermission=2")).code == 0
    assert (await pull(peer, 0, 1)).code == ResponseCode.NO_PERMISSION


# -- relays ------------------------------------------------------------------------------------


async def test_a_consumers_answer_is_passed_on_as_it_is(broker: BrokerApp) -> None:
    async with connected(broker, "one", "tool") as (one, tool):
        await one.heartbeat("T")
        body = b'{"mqTable":{{"queueId":0}:{"$ref":"$.x"}}}'
        one.answers[RequestCode.GET_CONSUMER_RUNNING_INFO] = Command(0, remark="r", body=body)
        request = ConsumerRunningRequest("g", "one")
        answer = await tool.call(RequestCode.GET_CONSUMER_RUNNING_INFO, request)
        assert (answer.code, answer.remark, bytes(answer.body)) == (0, "r", body)
        asked = one.asked[-1]
        assert asked.fields["clientId"] == "one"
        absent = ConsumerRunningRequest("g", "two")
        answer = await tool.call(RequestCode.GET_CONSUMER_RUNNING_INFO, absent)
        assert answer.code == ResponseCode.SYSTEM_ERROR


async def test_a_consumer_that_leaves_while_it_is_asked_gives_an_error(broker: BrokerApp) -> None:
    async with connected(broker, "one", "tool") as (one, tool):
        await one.heartbeat("T")
        connection = await one.connection()
        code = RequestCode.GET_CONSUMER_RUNNING_INFO
        asking = asyncio.ensure_future(tool.call(code, ConsumerRunningRequest("g", "one")))
        await until(lambda: code in one.asked_codes())
        connection.abort("the test says so")
        assert (await asking).code == ResponseCode.SYSTEM_ERROR


async def test_a_consumer_is_given_one_stored_message(broker: BrokerApp) -> None:
    async with connected(broker, "one", "tool") as (one, tool):
        await one.heartbeat("T")
        sent = await tool.send("T", b"again")
        one.answers[RequestCode.CONSUME_MESSAGE_DIRECTLY] = Command(0, body=b"{}")
        message_id = sent.fields["msgId"]
        request = ConsumeDirectlyRequest("g", "one", message_id, topic="T")
        assert (await tool.call(RequestCode.CONSUME_MESSAGE_DIRECTLY, request)).code == 0
        asked = one.asked[-1]
        assert b"again" in bytes(asked.body)
        assert asked.fields["brokerName"] == "b"
        assert (asked.fields["topicSysFlag"], asked.fields["groupSysFlag"]) == ("0", "0")
        for wrong in ("nonsense", message_id[:-1] + "1"):
            request = ConsumeDirectlyRequest("g", "one", wrong, topic="T")
            answer = await tool.call(RequestCode.CONSUME_MESSAGE_DIRECTLY, request)
            assert answer.code == ResponseCode.SYSTEM_ERROR


# -- cleaning and dumps ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE, RequestCode.DELETE_EXPIRED_COMMITLOG]
)
async def test_cleaning_is_started_and_answered(peer: Peer, code: int) -> None:
    assert (await peer.call(code)).code == 0


async def test_queues_without_a_topic_are_cleaned_away(broker: BrokerApp, peer: Peer) -> None:
    await peer.send("T")
    await peer.send("gone")
    broker.running.tables.topics.delete("gone")
    assert (await peer.call(RequestCode.CLEAN_UNUSED_TOPIC)).code == 0
    assert broker.running.store.topics() == ["T"]


async def test_tables_are_dumped_for_replicas(broker: BrokerApp, peer: Peer) -> None:
    broker.running.tables.offsets.commit("g", "T", 0, 5)
    answer = await peer.call(RequestCode.GET_ALL_CONSUMER_OFFSET)
    assert ConsumerOffsets.from_json(answer.body).offset_table == {"T@g": {0: 5}}
    answer = await peer.call(RequestCode.GET_ALL_DELAY_OFFSET)
    assert DelayOffsets.from_json(answer.body).offset_table == {}
    answer = await peer.call(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE)
    assert MessageRequestModes.from_json(answer.body).message_request_mode_map == {}


@pytest.mark.parametrize(
    "code",
    [
        RequestCode.CONTROLLER_ELECT_MASTER,
        RequestCode.REGISTER_MESSAGE_FILTER_CLASS,
    ],
)
async def test_what_is_not_served_is_named(peer: Peer, code: int) -> None:
    answer = await peer.call(code)
    assert answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED
    assert str(int(code)) in (answer.remark or "")
