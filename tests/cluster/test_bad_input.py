"""Bad input to each message model: told what is wrong, nothing stored, nobody else troubled.

Each test has a bystander: a consumer whose pull is held, and which must get exactly the next good
message, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support import pops
from tests.support.local_broker import MIB, Peer, broker_config, connected, local_broker
from tests.support.pulling import Pulled, props, pull_all
from tests.support.transactions import COMMIT, ROLLBACK, Half, begin, bodies, end
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.batch import encode_batch
from pocketmq.message.ids import offset_message_id
from pocketmq.message.positions import QueueOffset
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import JSON, ROCKETMQ, Command
from pocketmq.protocol.framing import encode_frame
from pocketmq.protocol.requests.pull import HAS_SUBSCRIPTION, MAY_SUSPEND, PullRequest
from pocketmq.store.config import RetentionConfig

QUEUE = 3
NAMES = (
    "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag "
    "properties reconsumeTimes"
)


@asynccontextmanager
async def bystander(broker: BrokerApp) -> AsyncIterator[None]:
    """What happens in this block stores nothing, and a consumer that waits does not notice."""
    store = broker.running.store
    async with connected(broker, "bystander") as (other,):
        log_end, queue_end = store.log_end, store.queue_offsets("T", QUEUE)[1]
        flags = HAS_SUBSCRIPTION | MAY_SUSPEND
        place, zero = QueueOffset(queue_end), QueueOffset(0)
        request = PullRequest("g", "T", QUEUE, place, 32, flags, zero, 9000, "*", 0, "TAG")
        held_before = broker.running.long_poll.count
        held = asyncio.ensure_future(
            other.call(RequestCode.PULL_MESSAGE, request, timeout_ms=10_000)
        )
        await until(lambda: broker.running.long_poll.count > held_before)
        yield
        assert store.log_end == log_end, "bad input was stored"
        assert not held.done()
        assert (await other.send("T", b"good", QUEUE)).code == 0
        answer = await held
        record = decode_record(bytes(answer.body))
        assert (bytes(record.body), record.queue_offset) == (b"good", queue_end)
        assert int(answer.fields["nextBeginOffset"]) == queue_end + 1


def assert_refused(answer: Command, code: int, hint: str) -> None:
    assert (answer.code, hint in str(answer.remark)) == (code, True), (answer.code, answer.remark)


# -- properties -----------------------------------------------------------------------------


def letters(properties: str, **more: str) -> dict[str, str]:
    fields = {"a": "p", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0"}
    fields |= {"g": "1700000000000", "h": "0", "i": properties, "j": "0", "k": "false"}
    return {**fields, "m": "false", **more}


async def send(peer: Peer, code: int, fields: dict[str, str], body: bytes, form: int) -> Command:
    command = Command.request(code, fields, body)
    command.serialization = form
    return await (await peer.connection()).call(command, 5000)


async def send_v1(peer: Peer, properties: str, form: int) -> Command:
    names = dict(zip("abcdefghij", NAMES.split(), strict=True))
    fields = {names[key]: value for key, value in letters(properties).items() if key in names}
    return await send(peer, RequestCode.SEND_MESSAGE, fields, b"body", form)


@pytest.mark.parametrize("form", [JSON, ROCKETMQ])
@pytest.mark.parametrize("code", [RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2])
@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "\x02\x02\x02",
        "\x01\x02\x01\x02",
        "TAGS\x02KEYS\x02",
        "\x01value\x02",
        "name\x01\x02",
        "\x00\x00\x00",
        "a\x01b\x01c",
    ],
)
async def test_a_damaged_properties_string_costs_its_damaged_parts_and_nothing_else(
    broker: BrokerApp, peer: Peer, text: str, code: int, form: int
) -> None:
    whole = f"own\x01x\x02{text}\x02UNIQ_KEY\x01U\x02TAGS\x01a"
    if code == RequestCode.SEND_MESSAGE:
        answer = await send_v1(peer, whole, form)
    else:
        answer = await send(peer, code, letters(whole), b"body", form)
    assert (answer.code, answer.fields["transactionId"]) == (0, "U")
    async with bystander(broker):
        (stored,) = await pull_all(peer, "T")
    assert stored.body == b"body"
    wanted = {"own": "x", "UNIQ_KEY": "U", "TAGS": "a", "CLUSTER": "C"}
    wanted |= {"MSG_REGION": "DefaultRegion", "TRACE_ON": "true"}
    if text == "a\x01b\x01c":
        wanted["a"] = "b\x01c"
    assert stored.properties == wanted


@pytest.mark.parametrize("code", [RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2])
async def test_properties_that_are_too_long_are_refused(
    broker: BrokerApp, peer: Peer, code: int
) -> None:
    text = props(UNIQ_KEY="U", own="x" * 32_768)
    async with bystander(broker):
        if code == RequestCode.SEND_MESSAGE:
            answer = await send_v1(peer, text, JSON)
        else:
            answer = await send(peer, code, letters(text), b"body", JSON)
        assert_refused(answer, ResponseCode.MESSAGE_ILLEGAL, "exceed the limit of 32767")


@pytest.mark.parametrize("form", [JSON, ROCKETMQ])
@pytest.mark.parametrize("code", [RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2])
async def test_properties_that_are_no_utf8_are_not_stored(
    broker: BrokerApp, peer: Peer, code: int, form: int
) -> None:
    assert (await peer.send("T", b"good")).code == 0
    fields = letters(props(UNIQ_KEY="U", own="SPOILT"))
    if code == RequestCode.SEND_MESSAGE:
        names = dict(zip("abcdefghij", NAMES.split(), strict=True))
        fields = {names[key]: value for key, value in fields.items() if key in names}
    command = Command.request(code, fields, b"bad")
    command.serialization, command.opaque = form, 7
    frame = bytes(encode_frame(command)).replace(b"SPOILT", b"\xff\xfe\x80abc")
    async with bystander(broker):
        reader, writer = await asyncio.open_connection(*broker.address)
        writer.write(frame)
        size = await reader.read(4)  # nothing, when the broker hangs up
        if size:
            answer = await reader.readexactly(int.from_bytes(size, "big"))
            assert b"UTF-8" in answer or b"utf-8" in answer
        writer.close()


# -- delays ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "hint"),
    [
        ({"TIMER_DELAY_SEC": 259_201}, "timerMaxDelaySec"),
        ({"TIMER_DELAY_MS": 259_200_001}, "timerMaxDelaySec"),
        ({"TIMER_DELIVER_MS": 2**62}, "timerMaxDelaySec"),
        ({"TIMER_DELIVER_MS": "later"}, "TIMER_DELIVER_MS"),
        ({"DELAY": "later"}, "delay level"),
    ],
)
async def test_a_delay_beyond_the_maximum(
    broker: BrokerApp, peer: Peer, own: dict[str, object], hint: str
) -> None:
    async with bystander(broker):
        answer = await peer.send("T", b"x", 0, props(UNIQ_KEY="U", **own))
        assert_refused(answer, ResponseCode.MESSAGE_ILLEGAL, hint)


# -- transactions ---------------------------------------------------------------------------


@pytest.mark.parametrize("decision", [COMMIT, ROLLBACK])
async def test_an_end_of_an_unknown_or_foreign_transaction(
    broker: BrokerApp, peer: Peer, decision: int
) -> None:
    half = await begin(peer)
    plain = await peer.send("T", b"plain", 1)
    outside = int(plain.fields["msgId"][-16:], 16)
    async with bystander(broker):
        for place in (half.log_offset + 1, outside, outside + 10_000, -1):
            answer = await end(peer, Half(half.queue_offset, place, 2), decision)
            assert_refused(
                answer, ResponseCode.SYSTEM_ERROR, "Find prepared transaction message failed"
            )
        answer = await end(peer, half, decision, producerGroup="other")
        assert_refused(answer, ResponseCode.SYSTEM_ERROR, "The producer group wrong")
        answer = await end(peer, half, decision, tranStateTableOffset=9)
        assert_refused(
            answer, ResponseCode.SYSTEM_ERROR, "The transaction state table offset wrong"
        )
    assert (await end(peer, half)).code == 0
    assert await bodies(peer) == [b"K1"], "the transaction itself is unharmed"


# -- filters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "kind"), [("||", "TAG"), ("a >", "SQL92"), ("a IN (", "SQL92"), ("LUA", "LUA")]
)
async def test_a_filter_that_does_not_parse(
    broker: BrokerApp, peer: Peer, expression: str, kind: str
) -> None:
    assert (await peer.send("T")).code == 0
    zero = QueueOffset(0)
    request = PullRequest("g", "T", 0, zero, 32, HAS_SUBSCRIPTION, zero, 0, expression, 0, kind)
    async with bystander(broker):
        answer = await peer.call(RequestCode.PULL_MESSAGE, request)
        assert_refused(answer, ResponseCode.SUBSCRIPTION_PARSE_FAILED, expression)
        assert not len(answer.body)


# -- batches --------------------------------------------------------------------------------


async def send_batch(peer: Peer, raw: bytes, properties: str = "", **more: str) -> Command:
    fields = letters(properties, m="true", **more)
    return await send(peer, RequestCode.SEND_BATCH_MESSAGE, fields, raw, JSON)


async def test_messages_of_a_batch_that_name_other_topics_stay_in_its_one_topic(
    broker: BrokerApp, peer: Peer
) -> None:
    """On the wire a batch has one topic; its messages can only claim to be for another."""
    broker.running.tables.topics.put(TopicConfig("U", 4, 4))
    claims = [props(REAL_TOPIC="U", REAL_QID=0, UNIQ_KEY="1"), props(RETRY_TOPIC="U", own="x")]
    raw = encode_batch([(0, b"%d" % n, claim.encode()) for n, claim in enumerate(claims)])
    answer = await send_batch(peer, raw)
    assert (answer.code, answer.fields["msgId"].count(",")) == (0, 1)
    async with bystander(broker):
        found: list[Pulled] = await pull_all(peer, "T")
        assert [(message.topic, message.body) for message in found] == [("T", b"0"), ("T", b"1")]
        assert await pull_all(peer, "U") == []


@pytest.mark.parametrize(
    ("topic", "properties", "hint"),
    [
        ("%RETRY%g", "", "retry"),
        ("T", props(DELAY=1), "one by one"),
        ("T", props(TIMER_DELAY_SEC=1), "one by one"),
        ("T", props(TRAN_MSG="true"), "one by one"),
        ("t" * 128, "", "128"),
    ],
)
async def test_a_batch_that_asks_for_what_batches_cannot_do(
    broker: BrokerApp, peer: Peer, topic: str, properties: str, hint: str
) -> None:
    raw = encode_batch([(0, b"one", b""), (0, b"two", b"")])
    async with bystander(broker):
        answer = await send_batch(peer, raw, properties, b=topic)
        assert answer.code in (ResponseCode.MESSAGE_ILLEGAL, ResponseCode.INVALID_PARAMETER)
        assert hint in str(answer.remark)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\x00",
        lambda raw: b"\x7f\xff\xff\xff" + raw[4:],
        lambda raw: b"\x00\x00\x00\x00" + raw[4:],
        lambda raw: raw[:30],
    ],
)
async def test_a_batch_whose_last_message_is_damaged_stores_none(
    broker: BrokerApp, peer: Peer, spoil: Callable[[bytes], bytes]
) -> None:
    raw = encode_batch([(0, b"one", b"TAGS\x01a\x02"), (0, b"two", b"TAGS\x01b\x02")])
    async with bystander(broker):
        assert_refused(await send_batch(peer, spoil(raw)), ResponseCode.MESSAGE_ILLEGAL, "batch")


# -- pops -----------------------------------------------------------------------------------

RENEW = RequestCode.CHANGE_MESSAGE_INVISIBLETIME


@pytest.mark.parametrize("code", [RequestCode.ACK_MESSAGE, RENEW])
@pytest.mark.parametrize(
    ("changed", "refusal", "hint"),
    [
        ({"extraInfo": "nonsense"}, ResponseCode.MESSAGE_ILLEGAL, "handle"),
        ({"extraInfo": "0 1 2 3 7 b 0"}, ResponseCode.MESSAGE_ILLEGAL, "handle"),
        ({"extraInfo": "x y z 0 0 b 0 0"}, ResponseCode.MESSAGE_ILLEGAL, "handle"),
        ({"offset": 99}, ResponseCode.NO_MESSAGE, "99"),
        ({"offset": -1}, ResponseCode.NO_MESSAGE, "-1"),
        ({"queueId": 9}, ResponseCode.MESSAGE_ILLEGAL, "9"),
        ({"topic": "missing"}, ResponseCode.TOPIC_NOT_EXIST, "missing"),
    ],
)
async def test_a_forged_handle_of_a_pop(
    broker: BrokerApp,
    peer: Peer,
    code: int,
    changed: dict[str, object],
    refusal: int,
    hint: str,
) -> None:
    assert (await peer.send("T")).code == 0
    broker.running.dispatch.drain()
    (good,) = pops.handles(await pops.pop(peer))
    async with bystander(broker):
        answer = await pops.tell(peer, code, good, **({"invisibleTime": 5000} | changed))
        assert_refused(answer, refusal, hint)
    assert (await pops.ack(peer, good)).code == 0, "the pop itself is unharmed"


# -- returns --------------------------------------------------------------------------------


async def test_a_message_that_is_purged_cannot_be_sent_back(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = replace(
        broker_config(tmp_path).store,
        retention=RetentionConfig(
            reserved_hours=1,
            delete_when=";".join([f"{hour:02}" for hour in range(24)]),
            disk_full_percent=100,
        ),
    )
    async with (
        local_broker(tmp_path, clock, store=store) as app,
        connected(app, "one") as (peer,),
    ):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        first = await peer.send("T", b"first")
        place = int(first.fields["msgId"][-16:], 16)
        while app.running.store.log_end < 9 * MIB:
            assert (await peer.send("T", bytes(MIB))).code == 0
        app.running.store.flush_log()
        clock.advance(hours=24 * 365 * 20)
        await app.running.retention.step()
        assert app.running.store.min_log_offset > place
        fields = {"offset": str(place), "group": "g", "delayLevel": "0", "unitMode": "false"}
        fields |= {"originMsgId": offset_message_id(bytes(8), place), "originTopic": "T"}
        async with bystander(app):
            answer = await peer.call(RequestCode.CONSUMER_SEND_MSG_BACK, fields)
            assert_refused(answer, ResponseCode.SYSTEM_ERROR, "look message by offset failed")
            assert "expired" in str(answer.remark)


# -- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        RequestCode.HEART_BEAT,
        RequestCode.CHECK_CLIENT_CONFIG,
        RequestCode.LOCK_BATCH_MQ,
        RequestCode.UNLOCK_BATCH_MQ,
        RequestCode.BATCH_ACK_MESSAGE,
        RequestCode.QUERY_ASSIGNMENT,
        RequestCode.SET_MESSAGE_REQUEST_MODE,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        RequestCode.UPDATE_AND_CREATE_TOPIC_LIST,
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
    ],
)
async def test_a_body_of_eight_million_characters_is_refused_before_it_is_read(
    broker: BrokerApp, peer: Peer, code: int
) -> None:
    async with bystander(broker):
        assert_refused(
            await peer.call(code, {}, b"{1:" * 2_700_000), ResponseCode.SYSTEM_ERROR, "long"
        )
