"""Request and reply through the broker, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.pulling import props, pull_all

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.properties import decode_properties
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

PUSH = RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT
TOPIC = "C_REPLY_TOPIC"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, ManualClock(1_795_240_000_000)) as app:
        yield app


@pytest.fixture
async def pair(broker: BrokerApp) -> AsyncIterator[tuple[Peer, Peer]]:
    """Who asks, and who replies."""
    async with connected(broker, "asker", "answerer") as (asker, answerer):
        await asker.heartbeat(producers=("askers",))
        asker.answers[PUSH] = Command.request(0)
        yield asker, answerer


async def reply(
    peer: Peer, to: str | None = "asker", *, v2: bool = True, topic: str = TOPIC, queue: int = 0
) -> Command:
    own = {} if to is None else {"REPLY_TO_CLIENT": to}
    properties = props(CORRELATION_ID="c-1", TTL=3000, MSG_TYPE="reply", **own)
    values = ["answerers", topic, "TBW102", 4, queue, 0, 1_700_000_000_000, 7, properties, 0]
    long_names = (
        "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag "
        "properties reconsumeTimes"
    )
    fields = dict(zip("abcdefghij" if v2 else long_names.split(), map(str, values), strict=True))
    code = RequestCode.SEND_REPLY_MESSAGE_V2 if v2 else RequestCode.SEND_REPLY_MESSAGE
    return await peer.call(code, fields, b"the answer")


@pytest.mark.parametrize("v2", [True, False])
async def test_a_reply_reaches_who_asked_and_is_stored(
    broker: BrokerApp, pair: tuple[Peer, Peer], v2: bool
) -> None:
    asker, answerer = pair
    answer = await reply(answerer, v2=v2)
    assert answer.code == 0, answer.remark
    assert len(answer.fields["msgId"]) == 32
    assert (answer.fields["queueId"], answer.fields["queueOffset"]) == ("0", "0")
    assert answer.fields["MSG_REGION"] == "DefaultRegion"
    (push,) = [command for command in asker.asked if command.code == PUSH]
    assert bytes(push.body) == b"the answer"
    assert push.fields["topic"] == TOPIC
    assert push.fields["flag"] == "7"
    assert push.fields["bornTimestamp"] == "1700000000000"
    assert push.fields["storeHost"] == str(broker.running.advertised)
    assert push.fields["storeTimestamp"] == "1795240000000"
    assert push.fields["bornHost"].startswith("127.0.0.1:")
    pushed = decode_properties(push.fields["properties"])
    assert pushed["PUSH_REPLY_TIME"] == "1795240000000"
    assert pushed["CORRELATION_ID"] == "c-1"
    (stored,) = await pull_all(asker, TOPIC)
    assert stored.body == b"the answer"
    assert "PUSH_REPLY_TIME" not in stored.properties


async def test_a_reply_to_a_client_that_is_gone_is_stored_and_refused(
    broker: BrokerApp, pair: tuple[Peer, Peer]
) -> None:
    asker, answerer = pair
    await asker.close()
    while broker.running.tables.clients.producer("asker") is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    answer = await reply(answerer)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert "channel of <asker> not found" in (answer.remark or "")
    assert len(await pull_all(answerer, TOPIC)) == 1


@pytest.mark.parametrize("to", ["stranger", None])
async def test_a_reply_to_nobody_is_refused(pair: tuple[Peer, Peer], to: str | None) -> None:
    answer = await reply(pair[1], to)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert ("stranger" if to else "REPLY_TO_CLIENT") in (answer.remark or "")


async def test_an_asker_that_refuses_or_leaves_is_reported(pair: tuple[Peer, Peer]) -> None:
    asker, answerer = pair
    asker.answers[PUSH] = Command.request(0).reply(1, "too late")
    answer = await reply(answerer)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert "too late" in (answer.remark or "")
    asker.answers[PUSH] = None
    waiting = asyncio.ensure_future(reply(answerer))
    while asker.asked_codes().count(PUSH) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await asker.close()
    answer = await waiting
    assert answer.code == ResponseCode.SYSTEM_ERROR


async def test_bad_replies_are_refused(pair: tuple[Peer, Peer]) -> None:
    _, answerer = pair
    assert (await reply(answerer, topic="a b")).code == ResponseCode.INVALID_PARAMETER
    assert (await reply(answerer, queue=9)).code == ResponseCode.INVALID_PARAMETER
    answer = await reply(answerer, topic="SCHEDULE_TOPIC_XXXX")
    assert answer.code == ResponseCode.NO_PERMISSION
    assert answer.fields["TRACE_ON"] == "true"
    answer = await answerer.call(RequestCode.SEND_REPLY_MESSAGE_V2, {"a": "p"})
    assert answer.code == ResponseCode.SYSTEM_ERROR


async def test_replies_need_not_be_stored(tmp_path: Path) -> None:
    send = replace(broker_config(tmp_path).send, store_replies=False)
    both = local_broker(tmp_path, send=send)
    async with both as app, connected(app, "asker", "answerer") as (asker, answerer):
        await asker.heartbeat(producers=("askers",))
        asker.answers[PUSH] = Command.request(0)
        answer = await reply(answerer)
        assert (answer.code, answer.fields["msgId"]) == (0, "0")
        assert await pull_all(asker, TOPIC) == []


async def test_a_client_is_found_until_it_left_all_its_groups(
    broker: BrokerApp, pair: tuple[Peer, Peer]
) -> None:
    asker, answerer = pair
    await asker.heartbeat(producers=("askers", "others"))
    leave = {"clientID": "asker", "producerGroup": "askers"}
    assert (await asker.call(RequestCode.UNREGISTER_CLIENT, leave)).code == 0
    assert (await reply(answerer)).code == 0
    leave["producerGroup"] = "others"
    assert (await asker.call(RequestCode.UNREGISTER_CLIENT, leave)).code == 0
    assert (await reply(answerer)).code == ResponseCode.SYSTEM_ERROR
