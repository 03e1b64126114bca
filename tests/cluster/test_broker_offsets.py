"""Positions in queues, finding messages, and operators who move groups."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import PullConfig
from pocketmq.clock import ManualClock
from pocketmq.message.positions import LogOffset, QueueOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.offsets import (
    ConsumerStatus,
    CorrectionOffsets,
    QueueOffsetList,
    QueueOffsets,
)
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.stats import ConsumeQueuePage
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import LanguageCode, RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.offsets import (
    CloneOffsetRequest,
    CommitOffsetRequest,
    ConsumerStatusRequest,
    CorrectionOffsetRequest,
    QueryOffsetRequest,
    QueueRequest,
    ResetOffsetRequest,
    SearchOffsetRequest,
)
from pocketmq.protocol.requests.pull import PullRequest
from pocketmq.protocol.requests.queries import (
    QueryMessageRequest,
    QueryQueueRequest,
    ViewMessageRequest,
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, ManualClock()) as app:
        app.running.tables.groups.put(SubscriptionGroup("g"))
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
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
        answer = await peer.send("T", b"%d" % number, properties=f"KEYS\x01k{number}")
        assert answer.code == 0
        clock.advance(seconds=1)
    return first


async def query(peer: Peer, group: str = "g", zero: bool | None = None) -> int | None:
    request = QueryOffsetRequest(group, "T", 0, zero)
    answer = await peer.call(RequestCode.QUERY_CONSUMER_OFFSET, request)
    if answer.code == ResponseCode.QUERY_NOT_FOUND:
        return None
    assert answer.code == 0
    return int(answer.fields["offset"])


async def commit(peer: Peer, offset: int | None, queue_id: int | None = 0) -> int:
    position = None if offset is None else QueueOffset(offset)
    request = CommitOffsetRequest("g", "T", queue_id, position)
    return (await peer.call(RequestCode.UPDATE_CONSUMER_OFFSET, request)).code


async def test_a_new_group_begins_at_zero_while_the_whole_queue_is_recent(
    broker: BrokerApp, peer: Peer
) -> None:
    assert await query(peer) is None
    await filled(broker, peer, 1)
    assert await query(peer) == 0
    assert await query(peer, zero=True) == 0
    assert await query(peer, zero=False) is None


async def test_what_was_committed_is_answered(peer: Peer) -> None:
    for offset in (7, 3, 2**63 - 1):
        assert await commit(peer, offset) == 0
        assert await query(peer) == offset


async def test_a_commit_needs_a_group_a_topic_and_numbers(peer: Peer) -> None:
    async def code(group: str, topic: str) -> int:
        request = CommitOffsetRequest(group, topic, 0, QueueOffset(1))
        return (await peer.call(RequestCode.UPDATE_CONSUMER_OFFSET, request)).code

    assert await code("none", "none") == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    assert await code("g", "none") == ResponseCode.TOPIC_NOT_EXIST
    assert await commit(peer, None) == ResponseCode.INVALID_PARAMETER
    assert await commit(peer, 1, None) == ResponseCode.INVALID_PARAMETER
    assert await commit(peer, 1, 65_536) == ResponseCode.INVALID_PARAMETER


async def test_offsets_survive_a_restart(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        app.running.tables.groups.put(SubscriptionGroup("g"))
        app.running.tables.topics.put(TopicConfig("T"))
        assert await commit(peer, 42) == 0
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        assert await query(peer) == 42


async def test_a_queue_tells_its_extent_and_its_times(broker: BrokerApp, peer: Peer) -> None:
    async def number(code: int, field: str, topic: str) -> int:
        answer = await peer.call(code, QueueRequest(topic, 0))
        assert answer.code == 0
        return int(answer.fields[field])

    first = await filled(broker, peer, 3)
    assert await number(RequestCode.GET_MAX_OFFSET, "offset", "T") == 3
    assert await number(RequestCode.GET_MIN_OFFSET, "offset", "T") == 0
    assert await number(RequestCode.GET_EARLIEST_MSG_STORETIME, "timestamp", "T") == first
    assert await number(RequestCode.GET_MAX_OFFSET, "offset", "unknown") == 0
    assert await number(RequestCode.GET_EARLIEST_MSG_STORETIME, "timestamp", "unknown") == -1


async def test_a_moment_is_found_from_below_and_from_above(broker: BrokerApp, peer: Peer) -> None:
    first = await filled(broker, peer, 4)

    async def search(after_ms: int, boundary: str | None = None) -> int:
        request = SearchOffsetRequest("T", 0, first + after_ms, boundary)
        answer = await peer.call(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, request)
        return int(answer.fields["offset"])

    assert [await search(ms) for ms in (-5000, 0, 1, 1000, 99_000)] == [0, 0, 1, 1, 4]
    assert [await search(ms, "upper") for ms in (-5000, 0, 1, 1999, 99_000)] == [0, 0, 0, 1, 3]
    assert await search(1, "nonsense") == 1


async def test_messages_are_found_by_key_and_by_place(broker: BrokerApp, peer: Peer) -> None:
    first = await filled(broker, peer, 3)
    request = QueryMessageRequest("T", "k1", 10, first, first + 10_000)
    found = await peer.call(RequestCode.QUERY_MESSAGE, request)
    assert found.code == 0
    record = decode_record(found.body)
    assert bytes(record.body) == b"1"
    assert int(found.fields["indexLastUpdateTimestamp"]) == first + 2000
    place = ViewMessageRequest(LogOffset(record.log_offset))
    viewed = await peer.call(RequestCode.VIEW_MESSAGE_BY_ID, place)
    assert viewed.body == found.body
    absent = QueryMessageRequest("T", "other", 10, first, first + 10_000)
    missing = await peer.call(RequestCode.QUERY_MESSAGE, absent)
    assert missing.code == ResponseCode.QUERY_NOT_FOUND
    for offset in (record.log_offset + 1, -1, 2**62):
        nothing = ViewMessageRequest(LogOffset(offset))
        answer = await peer.call(RequestCode.VIEW_MESSAGE_BY_ID, nothing)
        assert answer.code == ResponseCode.SYSTEM_ERROR


async def test_queue_entries_are_shown_with_what_a_group_would_take(
    broker: BrokerApp, peer: Peer
) -> None:
    await filled(broker, peer, 5)
    await peer.heartbeat("T")
    request = QueryQueueRequest("T", 0, QueueOffset(1), 2, "g")
    answer = await peer.call(RequestCode.QUERY_CONSUME_QUEUE, request)
    page = ConsumeQueuePage.from_json(answer.body)
    assert page.queue_data is not None
    assert (page.min_queue_index, page.max_queue_index, len(page.queue_data)) == (0, 5, 2)
    assert all(entry.eval for entry in page.queue_data)
    assert page.subscription_data is not None
    outside = QueryQueueRequest("T", 0, QueueOffset(5), 2)
    answer = await peer.call(RequestCode.QUERY_CONSUME_QUEUE, outside)
    assert (answer.code, bytes(answer.body)) == (0, b"")
    assert answer.remark
    unknown = await peer.call(RequestCode.QUERY_CONSUME_QUEUE, QueryQueueRequest("none"))
    assert unknown.code == ResponseCode.SYSTEM_ERROR


# -- operators ---------------------------------------------------------------------------------


async def reset(peer: Peer, *, language: int | None = None, **fields: int) -> Command:
    request = ResetOffsetRequest(
        "g",
        "T",
        fields.get("queue_id", -1),
        QueueOffset(fields.get("offset", -1)),
        fields.get("timestamp", -1),
        True,
    )
    code = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
    return await peer.call(code, request, language=language)


async def pull(peer: Peer, offset: int) -> Command:
    request = PullRequest("g", "T", 0, QueueOffset(offset), 32, 0, QueueOffset(0), 0, "*", 1, "TAG")
    return await peer.call(RequestCode.PULL_MESSAGE, request)


async def test_a_reset_holds_until_the_next_pull_has_seen_it(broker: BrokerApp, peer: Peer) -> None:
    first = await filled(broker, peer, 5)
    await peer.heartbeat("T")
    await commit(peer, 5)
    answer = await reset(peer, timestamp=first + 2000)
    assert QueueOffsets.from_json(answer.body).offset_table == {
        MessageQueue("T", "b", 0): 2,
        **{MessageQueue("T", "b", number): 0 for number in (1, 2, 3)},
    }
    assert await commit(peer, 5) == 0
    assert await query(peer) == 2
    moved = await pull(peer, 5)
    assert moved.code == ResponseCode.PULL_OFFSET_MOVED
    assert moved.fields["nextBeginOffset"] == "2"
    assert (await pull(peer, 2)).code == 0
    assert await commit(peer, 4) == 0
    assert await query(peer) == 4


async def test_one_queue_is_reset_to_an_offset_it_has(broker: BrokerApp, peer: Peer) -> None:
    await filled(broker, peer, 3)
    assert (await reset(peer, queue_id=0, offset=3)).code == 0
    assert await query(peer) == 3
    assert (await reset(peer, queue_id=0, offset=5)).code == ResponseCode.SYSTEM_ERROR
    assert (await reset(peer)).code == 0
    assert await query(peer) == 3


async def test_a_reset_needs_a_topic_and_a_group(peer: Peer) -> None:
    code = RequestCode.INVOKE_BROKER_TO_RESET_OFFSET
    no_topic = await peer.call(code, ResetOffsetRequest("g", "none"))
    assert no_topic.code == ResponseCode.TOPIC_NOT_EXIST
    no_group = await peer.call(code, ResetOffsetRequest("none", "T"))
    assert no_group.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST


async def test_the_older_reset_asks_the_consumers(tmp_path: Path) -> None:
    config = PullConfig(server_side_reset=False)
    async with (
        local_broker(tmp_path, ManualClock(), pull=config) as app,
        connected(app, "one", "tool") as (one, tool),
    ):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        app.running.tables.groups.put(SubscriptionGroup("g"))
        await filled(app, one, 3)
        assert (await reset(tool)).code == ResponseCode.CONSUMER_NOT_ONLINE
        await one.heartbeat("T")
        assert (await reset(tool)).code == ResponseCode.SYSTEM_ERROR
        await commit(one, 3)
        assert (await reset(tool, timestamp=0)).code == 0
        code = RequestCode.RESET_CONSUMER_CLIENT_OFFSET
        await until(lambda: code in one.asked_codes())
        told = QueueOffsets.from_json(one.asked[-1].body).offset_table
        assert told == {MessageQueue("T", "b", 0): 0}
        await reset(tool, timestamp=0, language=LanguageCode.CPP)
        await until(lambda: one.asked_codes().count(code) == 2)
        listed = QueueOffsetList.from_json(one.asked[-1].body).offset_table
        assert [(item.queue_id, item.offset) for item in listed] == [(0, 0)]
        assert await query(one) == 3


async def test_consumers_are_asked_where_they_are(broker: BrokerApp) -> None:
    async with connected(broker, "one", "two", "tool") as (one, two, tool):
        for peer, offset in ((one, 3), (two, 9)):
            await peer.heartbeat("T")
            body = ConsumerStatus({MessageQueue("T", "b", 0): offset}).to_json()
            peer.answers[RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT] = Command(0, body=body)
        code = RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS
        everyone = await tool.call(code, ConsumerStatusRequest("T", "g"))
        table = ConsumerStatus.from_json(everyone.body).consumer_table
        assert {name: list(queues.values()) for name, queues in table.items()} == {
            "one": [3],
            "two": [9],
        }
        single = await tool.call(code, ConsumerStatusRequest("T", "g", "two"))
        assert list(ConsumerStatus.from_json(single.body).consumer_table) == ["two"]
        nobody = await tool.call(code, ConsumerStatusRequest("T", "none"))
        assert nobody.code == ResponseCode.SYSTEM_ERROR


async def test_groups_are_compared_and_copied(broker: BrokerApp, peer: Peer) -> None:
    offsets = broker.running.tables.offsets
    for group, offset in (("g", 5), ("slow", 3), ("fast", 9)):
        offsets.commit(group, "T", 0, offset)
    offsets.commit("fast", "T", 1, 7)
    offsets.commit("g", "T", 1, 5)

    async def correction(filtered: str) -> dict[int, int]:
        request = CorrectionOffsetRequest("g", "T", filtered)
        answer = await peer.call(RequestCode.QUERY_CORRECTION_OFFSET, request)
        return CorrectionOffsets.from_json(answer.body).correction_offsets

    assert await correction("g") == {0: 3, 1: 2**63 - 1}
    assert await correction("g,slow") == {0: 2**63 - 1, 1: 2**63 - 1}
    clone = CloneOffsetRequest("fast", "copy", "T")
    assert (await peer.call(RequestCode.CLONE_GROUP_OFFSET, clone)).code == 0
    assert offsets.of("copy", "T") == {0: 9, 1: 7}
    everything = CloneOffsetRequest("slow", "copy")
    assert (await peer.call(RequestCode.CLONE_GROUP_OFFSET, everything)).code == 0
    assert offsets.of("copy", "T") == {0: 3, 1: 7}


async def test_an_online_group_is_copied_only_where_it_is_subscribed(
    broker: BrokerApp, peer: Peer
) -> None:
    tables = broker.running.tables
    tables.topics.put(TopicConfig("U"))
    await peer.heartbeat("U")
    for topic in ("T", "U"):
        tables.offsets.commit("g", topic, 0, 5)
    await peer.call(RequestCode.CLONE_GROUP_OFFSET, CloneOffsetRequest("g", "copy"))
    assert tables.offsets.topics_of("copy") == ["U"]
    await peer.call(RequestCode.CLONE_GROUP_OFFSET, CloneOffsetRequest("g", "copy", "T", True))
    assert tables.offsets.topics_of("copy") == ["T", "U"]
