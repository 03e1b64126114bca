"""The topic that clients' message traces go to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.local_broker import connected, local_broker
from tests.support.pulling import props, pull_all

from pocketmq.broker.config import TopicsConfig
from pocketmq.protocol.codes import RequestCode
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
