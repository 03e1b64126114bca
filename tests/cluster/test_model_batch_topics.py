"""Topics with queue.type=BatchCQ over real sockets: made, written, read, and across a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pulling import props, pull_all

from pocketmq.broker.app import BrokerApp
from pocketmq.message.batch import decode_batch, encode_batch
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

BATCH = {"queue.type": "BatchCQ"}


def make(app: BrokerApp) -> None:
    app.running.tables.topics.put(TopicConfig("B", 1, 1, attributes=dict(BATCH)))


async def send_batch(
    peer: Peer, *bodies: bytes, topic: str = "B", properties: str = "", raw: bytes | None = None
) -> Command:
    fields = {
        "a": "p", "b": topic, "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1700000000000",
        "h": "0", "i": properties, "j": "0", "k": "false", "m": "true",
    }  # fmt: skip
    items = [(0, body, props(own=n).encode()) for n, body in enumerate(bodies)]
    body = encode_batch(items) if raw is None else raw
    return await peer.call(RequestCode.SEND_BATCH_MESSAGE, fields, body)


async def test_a_batch_is_one_record_and_takes_as_many_offsets_as_messages(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        make(app)
        first = await send_batch(
            one, b"a", b"b", b"c", properties=props(UNIQ_KEY="U1", WAIT="true")
        )
        assert (first.code, first.fields["queueOffset"], first.fields["batchUniqId"]) == (
            0,
            "0",
            "U1",
        )
        single = await one.send("B", b"single", 0, props(UNIQ_KEY="U2"))
        assert (single.code, single.fields["queueOffset"]) == (0, "3")
        second = await send_batch(one, b"d", b"e", properties=props(UNIQ_KEY="U3"))
        assert second.fields["queueOffset"] == "4"
        app.running.dispatch.drain()
        assert app.running.store.queue_offsets("B", 0) == (0, 6)
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        third = await send_batch(one, b"f", properties=props(UNIQ_KEY="U4"))
        assert third.fields["queueOffset"] == "6"
        app.running.dispatch.drain()
        found = await pull_all(one, "B")
    assert [message.sys_flag & 0xC0 for message in found] == [0xC0, 0, 0xC0, 0xC0]
    assert [message.queue_offset for message in found] == [0, 3, 4, 6]
    inner = decode_batch(found[0].body)
    assert [bytes(item.body) for item in inner] == [b"a", b"b", b"c"]
    stored = found[0].properties
    assert (stored["INNER_NUM"], stored["INNER_BASE"]) == ("3", "0")
    assert {"UNIQ_KEY", "WAIT", "CLUSTER", "MSG_REGION", "TRACE_ON"} <= set(stored)
    assert found[2].properties["INNER_BASE"] == "4"


async def test_a_batch_without_a_key_of_its_own_is_taken_apart(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        make(app)
        answer = await send_batch(one, b"a", b"b")
        assert answer.code == 0 and "batchUniqId" not in answer.fields
        app.running.dispatch.drain()
        found = await pull_all(one, "B")
    assert [message.body for message in found] == [b"a", b"b"]


async def test_the_queue_type_is_set_once(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        fields = {
            "topic": "N", "defaultTopic": "TBW102", "readQueueNums": "1", "writeQueueNums": "1",
            "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false",
            "attributes": "+queue.type=BatchCQ",
        }  # fmt: skip
        made = await one.call(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
        assert made.code == 0
        answer = await send_batch(one, b"a", b"b", topic="N", properties=props(UNIQ_KEY="U"))
        assert answer.fields["batchUniqId"] == "U"
        changed = await one.call(
            RequestCode.UPDATE_AND_CREATE_TOPIC, {**fields, "attributes": "+queue.type=SimpleCQ"}
        )
        assert changed.code == ResponseCode.SYSTEM_ERROR


@pytest.mark.parametrize("raw", [b"", b"\x00\x00\x00\x01", b"\x00" * 40])
async def test_a_damaged_batch_is_refused_and_nothing_is_stored(tmp_path: Path, raw: bytes) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        make(app)
        end = app.running.store.log_end
        answer = await send_batch(one, raw=raw, properties=props(UNIQ_KEY="U"))
        assert answer.code == ResponseCode.MESSAGE_ILLEGAL
        assert app.running.store.log_end == end


async def test_a_whole_batch_for_an_ordinary_topic_is_refused(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (one,):
        app.running.tables.topics.put(TopicConfig("T", 1, 1))
        for properties in (props(INNER_NUM=3), props(INNER_BASE=0)):
            answer = await one.send("T", b"x", 0, properties)
            assert answer.code == ResponseCode.MESSAGE_ILLEGAL
