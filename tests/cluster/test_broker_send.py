"""Sends over real sockets: what is stored, what is answered, what is refused and why."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.message.batch import encode_batch
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import JSON, ROCKETMQ, Command

KEY = "UNIQ_KEY\x01ABC\x02"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path) as app:
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "sender") as (one,):
        yield one


def letters(topic: str = "T", properties: str = KEY, **changes: str) -> dict[str, str]:
    fields = {"a": "p", "b": topic, "c": "TBW102", "d": "4", "e": "0", "f": "0"}
    fields |= {"g": "1700000000000", "h": "7", "i": properties, "j": "0", "k": "false"}
    return {**fields, "m": "false", **changes}


async def send(
    peer: Peer,
    fields: dict[str, str],
    body: bytes = b"body",
    code: int = RequestCode.SEND_MESSAGE_V2,
    serialization: int = JSON,
) -> Command:
    command = Command.request(code, fields, body)
    command.serialization = serialization
    return await (await peer.connection()).call(command, 5000)


def stored(broker: BrokerApp, answer: Command) -> tuple[bytes, dict[str, str], int]:
    """Body, properties and flag of the record that an answer's id names."""
    log_offset = int(answer.fields["msgId"][-16:], 16)
    view = broker.running.store.record_at(log_offset)
    assert view is not None
    record = decode_record(view, 0)
    return bytes(record.body), record.properties, record.flag


@pytest.mark.parametrize("serialization", [JSON, ROCKETMQ])
async def test_a_plain_send_is_stored_as_it_came_and_answered_in_kind(
    broker: BrokerApp, peer: Peer, serialization: int
) -> None:
    await send(peer, letters())
    answer = await send(peer, letters(), b"second", serialization=serialization)
    assert answer.code == ResponseCode.SUCCESS
    assert answer.serialization == serialization
    assert answer.fields["queueOffset"] == "1"
    assert answer.fields["transactionId"] == "ABC"
    assert answer.fields["MSG_REGION"] == "DefaultRegion"
    assert answer.fields["TRACE_ON"] == "true"
    body, properties, flag = stored(broker, answer)
    assert (body, flag) == (b"second", 7)
    assert properties["UNIQ_KEY"] == "ABC"
    assert properties["CLUSTER"] == "C"
    assert properties["MSG_REGION"] == "DefaultRegion"


async def test_a_message_without_a_key_gets_one(broker: BrokerApp, peer: Peer) -> None:
    answer = await send(peer, letters(properties="TAGS\x01A"))
    _, properties, _ = stored(broker, answer)
    assert len(properties["UNIQ_KEY"]) == 32
    assert properties["UNIQ_KEY"] == answer.fields["transactionId"]
    assert properties["TAGS"] == "A"


async def test_what_the_broker_sets_itself_is_not_taken_from_the_client(
    broker: BrokerApp, peer: Peer
) -> None:
    await send(peer, letters())
    odd = KEY + "CLUSTER\x01other\x02POP_CK\x01forged\x02\x01damaged\x02TAGS\x01A\x02"
    _, properties, _ = stored(broker, await send(peer, letters(properties=odd)))
    assert properties["CLUSTER"] == "C"
    assert "POP_CK" not in properties
    assert properties["TAGS"] == "A"


@pytest.mark.parametrize(
    ("fields", "body", "code", "hint"),
    [
        (letters("no such/topic"), b"x", ResponseCode.INVALID_PARAMETER, "use only"),
        (letters("SCHEDULE_TOPIC_XXXX"), b"x", ResponseCode.NO_PERMISSION, "your own"),
        (letters("U", c="missing"), b"x", ResponseCode.TOPIC_NOT_EXIST, "autoCreateTopicEnable"),
        (letters(e="99"), b"x", ResponseCode.INVALID_PARAMETER, "queues 0 to"),
        (letters(), b"", ResponseCode.MESSAGE_ILLEGAL, "no body"),
        (letters(f="128"), b"x", ResponseCode.MESSAGE_ILLEGAL, ""),
        (
            letters(properties="A\x01" + "x" * 40000 + "\x02"),
            b"x",
            ResponseCode.MESSAGE_ILLEGAL,
            "",
        ),
        (letters(), b"x" * (4 * 1024 * 1024 + 1), ResponseCode.MESSAGE_ILLEGAL, "4194304"),
        (letters(g="no number"), b"x", ResponseCode.SYSTEM_ERROR, "`g`"),
        ({"a": "p"}, b"x", ResponseCode.SYSTEM_ERROR, "required"),
    ],
)
async def test_a_refused_send_says_why_and_stores_nothing(
    broker: BrokerApp, peer: Peer, fields: dict[str, str], body: bytes, code: int, hint: str
) -> None:
    await send(peer, letters())
    before = broker.running.store.log_end
    answer = await send(peer, fields, body)
    assert (answer.code, hint in (answer.remark or "")) == (code, True), answer.remark
    assert broker.running.store.log_end == before
    assert (await send(peer, letters())).code == ResponseCode.SUCCESS


async def test_a_batch_becomes_neighbours_with_their_own_properties(
    broker: BrokerApp, peer: Peer
) -> None:
    batch = encode_batch([(1, b"one", b"TAGS\x01A\x02"), (2, b"two", b"KEYS\x01k\x02")])
    answer = await send(peer, letters(m="true"), batch, RequestCode.SEND_BATCH_MESSAGE)
    assert answer.code == ResponseCode.SUCCESS
    ids = answer.fields["msgId"].split(",")
    assert len(ids) == 2
    assert answer.fields["queueOffset"] == "0"
    found = [stored(broker, Command(0, fields={"msgId": one})) for one in ids]
    assert found == [(b"one", {"TAGS": "A"}, 1), (b"two", {"KEYS": "k"}, 2)]


async def test_a_oneway_send_is_stored_and_never_answered(broker: BrokerApp, peer: Peer) -> None:
    await send(peer, letters())
    connection = await peer.connection()
    connection.notify(Command.request(RequestCode.SEND_MESSAGE_V2, letters(), b"silent"))
    connection.notify(Command.request(RequestCode.SEND_MESSAGE_V2, letters(e="99"), b"refused"))
    answer = await send(peer, letters(), b"after")
    assert answer.fields["queueOffset"] == "2"
    assert not peer.asked


async def test_many_sends_in_flight_are_matched_by_their_numbers(peer: Peer) -> None:
    await send(peer, letters())
    connection = await peer.connection()
    commands = [
        Command.request(
            RequestCode.SEND_MESSAGE_V2, letters(properties=f"UNIQ_KEY\x01K{n}\x02"), b"x"
        )
        for n in range(300)
    ]
    waiting = [connection.call(command, 5000) for command in commands]
    for number, call in enumerate(waiting):
        assert (await call).fields["transactionId"] == f"K{number}"


async def test_sends_beyond_the_bound_are_refused_while_the_disk_is_slow(tmp_path: Path) -> None:
    config = broker_config(tmp_path)
    store = replace(config.store, flush=replace(config.store.flush, mode="SYNC_FLUSH"))
    bounded = replace(config.send, waiting_for_disk_max=1)
    async with (
        local_broker(tmp_path, store=store, send=bounded) as app,
        connected(app, "sender") as (one,),
    ):
        await send(one, letters())
        connection = await one.connection()
        code = RequestCode.SEND_MESSAGE_V2
        frames = [Command.request(code, letters(), b"x") for _ in range(50)]
        disk_is_free = threading.Event()
        app.running.flush._thread.submit(disk_is_free.wait)
        try:
            # The bound is looked at once a read, so the send that reaches it goes alone.
            calls = [asyncio.ensure_future(connection.call(frames[0], 15_000))]
            await until(lambda: app.running.flush.is_full)
            calls += [asyncio.ensure_future(connection.call(frame, 15_000)) for frame in frames[1:]]
            await until(lambda: sum(call.done() for call in calls) == 49)
        finally:
            disk_is_free.set()
        codes = sorted([(await call).code for call in calls])
        assert codes == [ResponseCode.SUCCESS] + 49 * [ResponseCode.SYSTEM_BUSY]
        assert app.running.store.flushed_offset == app.running.store.log_end


async def test_held_pulls_are_answered_when_the_broker_stops(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "consumer") as (one,):
        await send(one, letters())
        fields = {"consumerGroup": "g", "topic": "T", "queueId": "1", "queueOffset": "0"}
        fields |= {"maxMsgNums": "32", "sysFlag": "6", "commitOffset": "0", "subVersion": "1"}
        fields |= {"suspendTimeoutMillis": "15000", "subscription": "*"}
        held = asyncio.ensure_future(one.call(RequestCode.PULL_MESSAGE, fields, timeout_ms=15_000))
        await until(lambda: app.running.long_poll.count)
        await app.stop()
        assert (await held).code == ResponseCode.PULL_NOT_FOUND
