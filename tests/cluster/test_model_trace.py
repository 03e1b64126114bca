"""The topic that clients' message traces go to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pops import START_MS, pop, revive
from tests.support.pulling import props, pull_all

from pocketmq.broker.config import TopicsConfig
from pocketmq.clock import ManualClock
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.requests.queries import QueryMessageRequest

TRACE = "RMQ_SYS_TRACE_TOPIC"
PUB = b"Pub\x011\x01DefaultRegion\x01p\x01T\x01U1\x01a\x01k\x01h:1\x015\x012\x010\x01O1\x01true\x02"


@pytest.mark.parametrize("made_at_start", [True, False])
async def test_traces_are_kept_as_they_come_and_found_by_message_id(
    tmp_path: Path, made_at_start: bool
) -> None:
    topics = TopicsConfig(trace_topic=made_at_start)
    running = local_broker(tmp_path, topics=topics)
    async with running as app, connected(app, "one") as (peer,):
        known = app.running.tables.topics.find(TRACE)
        assert (known is not None) is made_at_start
        answer = await peer.send(TRACE, PUB, 0, props(KEYS="U1 k", UNIQ_KEY="X"))
        assert answer.code == 0, answer.remark
        known = app.running.tables.topics.find(TRACE)
        assert known is not None
        assert known.write_queue_nums == (1 if made_at_start else 4)
        assert [message.body for message in await pull_all(peer, TRACE)] == [PUB]
        request = QueryMessageRequest(TRACE, "U1", 32, 0, 2**62)
        found = await peer.call(RequestCode.QUERY_MESSAGE, request)
        assert found.code == 0, found.remark


async def test_the_trace_topic_may_have_another_name(tmp_path: Path) -> None:
    topics = TopicsConfig(trace_topic=True, trace_topic_name="traces", auto_create=False)
    running = local_broker(tmp_path, topics=topics)
    async with running as app, connected(app, "one") as (peer,):
        assert (await peer.send("traces", PUB)).code == 0
        assert (await peer.send(TRACE, PUB)).code == 17, "and no topic is made without leave"


async def test_clients_are_told_whether_to_trace(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        assert (await peer.send("T")).fields["TRACE_ON"] == "true"


def points_in(bodies: list[bytes]) -> list[list[str]]:
    """The points of trace messages, field by field."""
    return [
        point.split("\x01") for body in bodies for point in body.decode().split("\x02") if point
    ]


async def life_of(peer: Peer, key: str, begin_ms: int = 0) -> list[list[str]]:
    """What a query for a trace tells."""
    request = QueryMessageRequest(TRACE, key, 32, begin_ms, 2**62)
    answer = await peer.call(RequestCode.QUERY_MESSAGE, request)
    if answer.code != 0:
        assert answer.code == ResponseCode.QUERY_NOT_FOUND
        return []
    bodies, at, body = [], 0, bytes(answer.body)
    while at < len(body):
        record = decode_record(body, at)
        assert record.topic == TRACE
        assert key in record.properties["KEYS"].split(" ")
        bodies.append(bytes(record.body))
        at += record.size
    return points_in(bodies)


async def test_one_query_tells_the_life_of_a_message(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        tables = app.running.tables
        tables.topics.put(TopicConfig("T", 1, 1))
        for number in (1, 2):
            sent = props(UNIQ_KEY=f"U{number}", KEYS=f"k{number}", TAGS="a")
            assert (await peer.send("T", b"body", 0, sent)).code == 0
        app.running.dispatch.drain()
        (stored,) = await life_of(peer, "U1")
        assert stored[0] == "Pub"
        assert stored[1:4] == [str(START_MS), "DefaultRegion", "store@b"]
        assert stored[4:8] == ["T", "U1", "a", "k1"]
        assert (stored[9], stored[11], stored[13]) == ("4", "0", "true")
        clock.advance(seconds=10)
        tables.offsets.commit("g", "T", 0, 1)
        await app.running.models.life.step()
        clock.advance(seconds=60)
        tables.offsets.commit("g", "T", 0, 2)
        await app.running.models.life.step()
        points = await life_of(peer, "k1")
        assert [point[0] for point in points] == ["Pub", "SubBefore", "SubAfter"]
        before, after = points[1], points[2]
        assert (before[1], before[3], before[5]) == (str(START_MS + 10_000), "g@b", "U1")
        assert (after[1], after[2], after[4]) == (before[4], "U1", "true")
        assert [point[1] for point in await life_of(peer, "U2")][1] == str(START_MS + 70_000)
        assert await life_of(peer, "U1", START_MS + 1) == [], "it was stored before"
        assert await life_of(peer, "nothing") == []


async def test_the_topic_of_a_message_nobody_traced_is_found_among_hundreds(
    tmp_path: Path,
) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        for number in range(300):
            own = props(UNIQ_KEY=f"U{number}", KEYS="of-all")
            assert (await peer.send(f"T{number}", b"body", 0, own)).code == 0
        app.running.dispatch.drain()
        for number in (0, 150, 299):
            (stored,) = await life_of(peer, f"U{number}")
            assert (stored[0], stored[3], stored[4]) == ("Pub", "store@b", f"T{number}")
        assert len(await life_of(peer, "of-all")) == 64, "a key of many messages is no life"


async def test_the_life_goes_on_in_retry_topics(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        sent = props(UNIQ_KEY="U1", KEYS="k1")
        assert (await peer.send("T", b"body", 0, sent)).code == 0
        app.running.dispatch.drain()
        assert (await pop(peer)).code == 0
        clock.advance(seconds=12)
        assert await revive(app) == 1
        traced = props(KEYS="U1 k1", UNIQ_KEY="X")
        assert (await peer.send(TRACE, PUB, 0, traced)).code == 0
        app.running.dispatch.drain()
        points = await life_of(peer, "U1")
        assert [(point[0], point[3], point[4]) for point in points if point[0] == "Pub"] == [
            ("Pub", "p", "T"),
            ("Pub", "store@b", "T"),
            ("Pub", "store@b", "%RETRY%g_T"),
        ], "the producer's own point, then the broker's"
        assert [point[3] for point in points if point[0] == "SubBefore"] == ["g@b"]


async def test_the_broker_may_keep_to_what_clients_wrote(tmp_path: Path) -> None:
    topics = TopicsConfig(trace_points=False)
    running = local_broker(tmp_path, topics=topics)
    async with running as app, connected(app, "one") as (peer,):
        assert (await peer.send("T", b"body", 0, props(UNIQ_KEY="U1"))).code == 0
        app.running.dispatch.drain()
        assert await life_of(peer, "U1") == []
