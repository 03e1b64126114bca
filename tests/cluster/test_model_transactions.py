"""Transactions over real sockets: half messages and their ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support import golden_store
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.pulling import props, pull_all
from tests.support.transactions import (
    COMMIT,
    HALF,
    OPERATIONS,
    ROLLBACK,
    UNKNOWN,
    Half,
    asked_half,
    begin,
    bodies,
    end,
    ending,
    open_transactions,
    questions,
    record_at,
    round_of_checks,
)
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import IdentityConfig
from pocketmq.broker.state.transactions import HALVES_MAX
from pocketmq.clock import ManualClock
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

# -- ends -----------------------------------------------------------------------------------


async def test_a_half_message_is_seen_by_nobody_until_it_is_committed(
    broker: BrokerApp, peer: Peer
) -> None:
    half = await begin(peer)
    assert half.queue_id == 2, "the answer names the queue of the topic"
    assert await bodies(peer) == []
    assert open_transactions(broker) == 1
    (stored,) = await pull_all(peer, HALF)
    assert (await end(peer, half)).code == 0
    (message,) = await pull_all(peer, "T", 2)
    assert message.body == b"K1"
    assert message.properties == stored.properties, "as Apache delivers it, REAL_TOPIC and all"
    assert message.properties["TRAN_MSG"] == "true"
    assert message.properties["__transactionId__"] == "K1"
    assert message.sys_flag & 0xC == COMMIT
    assert (message.flag, message.born_timestamp_ms) == (stored.flag, stored.born_timestamp_ms)
    record = broker.running.store.decoded_record_at(message.log_offset)
    assert record is not None
    assert record.prepared_offset == half.log_offset
    assert record.born_host == record_at(broker, half.log_offset).born_host
    assert open_transactions(broker) == 0


async def test_both_ways_of_sending_store_the_same_half_message(
    broker: BrokerApp, peer: Peer
) -> None:
    await peer.send("T", b"opens the topic for the short way", 1)
    halves = [await begin(peer, "K1"), await begin(peer, "K1", code=RequestCode.SEND_MESSAGE)]
    recent = broker.running.tables.transactions.recent
    kept = [recent.find(str(half.log_offset)) is not None for half in halves]
    assert kept == [True, False], "the first went the short way"
    short, long = (record_at(broker, half.log_offset) for half in halves)
    assert short.properties == long.properties
    assert (short.sys_flag, short.queue_id) == (long.sys_flag, long.queue_id) == (0, 0)
    assert short.flag == 77
    for half in halves:
        assert (await end(peer, half)).code == 0
    messages = await pull_all(peer, "T", 2)
    assert messages[0].properties == messages[1].properties == long.properties
    assert [message.sys_flag for message in messages] == [COMMIT, COMMIT]
    assert recent.find(str(halves[0].log_offset)) is None


@pytest.mark.parametrize("decision", [COMMIT, ROLLBACK])
async def test_a_message_at_hand_is_ended_once(
    broker: BrokerApp, peer: Peer, decision: int
) -> None:
    await begin(peer, "opens the topic")
    half = await begin(peer)
    for wrong in ({"producerGroup": "q"}, {"tranStateTableOffset": 9}):
        assert (await end(peer, half, decision, **wrong)).code == ResponseCode.SYSTEM_ERROR
    for _ in range(2):
        assert (await end(peer, half, decision)).code == 0
    other = COMMIT + ROLLBACK - decision
    assert (await end(peer, half, other)).code == ResponseCode.SYSTEM_ERROR
    assert await bodies(peer) == ([b"K1"] if decision == COMMIT else [])
    assert open_transactions(broker) == 1


async def test_the_oldest_of_many_half_messages_at_hand_are_forgotten_but_end_all_the_same(
    broker: BrokerApp, peer: Peer
) -> None:
    await begin(peer, "opens the topic")
    half = await begin(peer)
    recent = broker.running.tables.transactions.recent
    known = recent.find(str(half.log_offset))
    assert known is not None
    for number in range(HALVES_MAX):
        recent.put(f"other {number}", known)
    assert recent.find(str(half.log_offset)) is None
    assert (await end(peer, half)).code == 0
    assert await bodies(peer) == [b"K1"]


async def test_a_rolled_back_message_is_never_seen(broker: BrokerApp, peer: Peer) -> None:
    half = await begin(peer)
    assert (await end(peer, half, ROLLBACK)).code == 0
    assert await bodies(peer) == []
    assert open_transactions(broker) == 0


async def test_ends_without_waiting_are_done_and_never_answered(
    broker: BrokerApp, peer: Peer
) -> None:
    half, other = await begin(peer), await begin(peer, "K2")
    connection = await peer.connection()
    for header in (ending(half), ending(other, ROLLBACK), ending(half, producerGroup="foreign")):
        connection.notify(Command.request(RequestCode.END_TRANSACTION, header))
    await peer.heartbeat()
    assert await bodies(peer) == [b"K1"]
    assert open_transactions(broker) == 0


async def test_no_decision_gets_no_answer(broker: BrokerApp, peer: Peer) -> None:
    half = await begin(peer)
    connection = await peer.connection()
    connection.send_command(Command.request(RequestCode.END_TRANSACTION, ending(half, UNKNOWN)))
    assert await bodies(peer) == []
    assert open_transactions(broker) == 1
    assert (await end(peer, half)).code == 0


async def test_ending_twice_the_same_way_delivers_once(broker: BrokerApp, peer: Peer) -> None:
    half, dropped = await begin(peer), await begin(peer, "K2")
    for _ in range(2):
        assert (await end(peer, half)).code == 0
        assert (await end(peer, dropped, ROLLBACK)).code == 0
    assert await bodies(peer) == [b"K1"]
    assert open_transactions(broker) == 0


async def test_the_first_decision_stands(peer: Peer) -> None:
    half, dropped = await begin(peer), await begin(peer, "K2")
    await end(peer, half)
    await end(peer, dropped, ROLLBACK)
    contradiction = await end(peer, half, ROLLBACK)
    assert contradiction.code == ResponseCode.SYSTEM_ERROR
    assert "committed already" in (contradiction.remark or "")
    assert (await end(peer, dropped)).code == ResponseCode.SYSTEM_ERROR
    assert await bodies(peer) == [b"K1"]


async def test_one_message_object_sent_twice_is_two_transactions(
    peer: Peer, clock: ManualClock
) -> None:
    # Official clients keep the unique key of a message that is sent again.
    for half in [await begin(peer), await begin(peer)]:
        assert (await end(peer, half)).code == 0
    assert await bodies(peer) == [b"K1", b"K1"]


@pytest.mark.parametrize("decision", [COMMIT, ROLLBACK])
@pytest.mark.parametrize(
    ("changed", "remark"),
    [
        ({"producerGroup": "foreign"}, "The producer group wrong"),
        ({"tranStateTableOffset": 7}, "The transaction state table offset wrong"),
        ({"commitLogOffset": 5}, "Find prepared transaction message failed"),
        ({"commitLogOffset": 10**15}, "Find prepared transaction message failed"),
        ({"commitLogOffset": -1}, "Find prepared transaction message failed"),
    ],
)
async def test_an_end_of_something_else_is_refused(
    broker: BrokerApp, peer: Peer, decision: int, changed: dict[str, int | str], remark: str
) -> None:
    half = await begin(peer)
    answer = await end(peer, half, decision, **changed)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert (answer.remark or "").startswith(remark)
    assert await bodies(peer) == []
    assert open_transactions(broker) == 1
    assert (await end(peer, half)).code == 0, "the transaction itself is unharmed"
    assert await bodies(peer) == [b"K1"]


@pytest.mark.parametrize(
    "changed",
    [
        {"commitOrRollback": "5"},
        {"commitOrRollback": "x"},
        {"producerGroup": ""},
        {"commitLogOffset": ""},
        {"tranStateTableOffset": "1.5"},
    ],
)
async def test_a_malformed_end_is_refused(peer: Peer, changed: dict[str, str]) -> None:
    half = await begin(peer)
    answer = await peer.call(RequestCode.END_TRANSACTION, {**ending(half), **changed})
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert answer.remark
    assert await bodies(peer) == []


async def test_an_ordinary_message_cannot_be_committed(peer: Peer) -> None:
    forged = props(PGROUP="p", REAL_TOPIC="T", REAL_QID=2, UNIQ_KEY="U")
    answer = await peer.send("T", b"plain", 2, forged)
    place = decode_offset_message_id(answer.fields["msgId"])
    refused = await end(peer, Half(0, place.log_offset, 2))
    assert refused.code == ResponseCode.SYSTEM_ERROR
    assert await bodies(peer) == [b"plain"]


async def test_a_half_message_forged_in_a_body_cannot_be_committed(
    broker: BrokerApp, peer: Peer
) -> None:
    half = await begin(peer)
    at = record_at(broker, half.log_offset)
    genuine = broker.running.store.record_at(half.log_offset)
    assert genuine is not None
    answer = await peer.send("T", bytes(genuine), 1)
    outer = decode_offset_message_id(answer.fields["msgId"]).log_offset
    inner = outer + 88
    assert inner != at.log_offset
    copy = bytearray(genuine)
    copy[28:36] = (inner + record_at(broker, outer).size).to_bytes(8, "big")
    await peer.send("T", bytes(copy), 1)
    refused = await end(peer, Half(half.queue_offset, inner + record_at(broker, outer).size, 2))
    assert refused.code == ResponseCode.SYSTEM_ERROR
    assert await bodies(peer) == []


async def test_an_end_after_the_producers_own_immunity_is_refused_unless_it_was_asked(
    peer: Peer, clock: ManualClock
) -> None:
    half = await begin(peer, CHECK_IMMUNITY_TIME_IN_SECONDS=10)
    short = await begin(peer, "K2", CHECK_IMMUNITY_TIME_IN_SECONDS=1)
    clock.advance(seconds=6)
    assert (await end(peer, short)).code == 0, "never shorter than transactionTimeOut"
    clock.advance(seconds=4)
    clock.advance(ms=1)
    for decision in (COMMIT, ROLLBACK):
        late = await end(peer, half, decision)
        assert late.code == ResponseCode.ILLEGAL_OPERATION
    assert await bodies(peer) == [b"K2"]
    assert (await end(peer, half, fromTransactionCheck="true")).code == 0
    assert await bodies(peer) == [b"K2", b"K1"]


async def test_a_replica_ends_no_transactions(tmp_path: Path, clock: ManualClock) -> None:
    identity = IdentityConfig(cluster="C", name="b", role="SLAVE", id=1)
    async with (
        local_broker(tmp_path, clock, identity=identity) as app,
        connected(app, "one") as (peer,),
    ):
        answer = await end(peer, Half(0, 0, 0))
        assert answer.code == ResponseCode.SLAVE_NOT_AVAILABLE


async def test_a_broker_that_rejects_transactions_takes_no_half_message(
    tmp_path: Path, clock: ManualClock
) -> None:
    send = replace(broker_config(tmp_path).send, reject_transactions=True)
    async with local_broker(tmp_path, clock, send=send) as app, connected(app, "one") as (peer,):
        answer = await peer.send("T", b"x", 0, props(TRAN_MSG="true", PGROUP="p"))
        assert answer.code == ResponseCode.NO_PERMISSION


async def test_a_committed_message_may_still_be_delayed(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    # Apache of other versions stores such half messages; producers cannot send them to us.
    half = await begin(peer, LATER=3)
    raw = record_at(broker, half.log_offset).raw_properties
    text = bytes(raw).replace(b"LATER", b"DELAY")
    raw.obj[  # type: ignore[index]
        raw_start(broker, half) : raw_start(broker, half) + len(text)
    ] = text
    assert (await end(peer, half)).code == 0
    assert await bodies(peer) == []
    clock.advance(seconds=10)
    await broker.running.models.delay.step()
    broker.running.dispatch.drain()
    assert await bodies(peer) == [b"K1"]


def raw_start(app: BrokerApp, half: Half) -> int:
    record = record_at(app, half.log_offset)
    return half.log_offset + record.size - len(record.raw_properties)


# -- operation messages ---------------------------------------------------------------------


async def test_ended_half_messages_are_listed_as_apache_lists_them(
    broker: BrokerApp, peer: Peer
) -> None:
    halves = [await begin(peer, f"K{number}") for number in range(5)]
    for half in halves[1:4]:
        await end(peer, half)
    assert broker.running.models.transactions.step() == 3
    broker.running.dispatch.drain()
    (message,) = await pull_all(peer, OPERATIONS)
    assert message.body == b"1,2,3,"
    assert message.properties == {"TAGS": "d", "WAIT": "true"}


async def test_a_long_list_is_cut_into_several(broker: BrokerApp, peer: Peer) -> None:
    for number in range(1000):
        broker.running.models.transactions.mark(number, COMMIT)
    assert broker.running.models.transactions.step() == 1000
    broker.running.dispatch.drain()
    lists = await pull_all(peer, OPERATIONS)
    listed = [int(text) for one in lists for text in one.body.decode().split(",") if text]
    assert listed == list(range(1000))
    assert all(len(one.body) <= 4096 + 4 for one in lists)


# -- restarts -------------------------------------------------------------------------------


async def test_transactions_go_on_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        async with connected(app, "one") as (peer,):
            halves = [await begin(peer, f"K{number}") for number in range(5)]
            await end(peer, halves[0])
            await end(peer, halves[1], ROLLBACK)
    clock.advance(seconds=7)
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        assert open_transactions(app) == 3
        assert (await end(peer, halves[0])).code == 0, "again, and in vain"
        assert (await end(peer, halves[2])).code == 0
        assert (await end(peer, halves[3], ROLLBACK)).code == 0
        await peer.heartbeat(producers=("p",))
        assert await round_of_checks(app) == 1
        await until(lambda: questions(peer))
        copy = asked_half(questions(peer)[0])
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        assert (await end(peer, copy, fromTransactionCheck="true")).code == 0
        assert (await end(peer, halves[4])).code == 0, "its copy was committed"
        assert await bodies(peer) == [b"K0", b"K2", b"K4"]
        clock.advance(seconds=60)
        assert await round_of_checks(app) == 0
        assert open_transactions(app) == 0


async def test_an_end_of_the_first_copy_after_a_restart_delivers_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        async with connected(app, "one") as (peer,):
            half = await begin(peer)
            clock.advance(seconds=7)
            assert await round_of_checks(app) == 1
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        for _ in range(2):
            assert (await end(peer, half)).code == 0
        clock.advance(seconds=30)
        await peer.heartbeat(producers=("p",))
        await round_of_checks(app)
        assert questions(peer) == []
        assert await bodies(peer) == [b"K1"]
        assert open_transactions(app) == 0


async def test_what_apache_left_open_is_finished_here(tmp_path: Path) -> None:
    root = golden_store.unpack("sync-clean", tmp_path)
    config = golden_store.config_of("sync-clean", root)
    made = golden_store.expected("sync-clean")["config"]
    pending = [
        record
        for record in golden_store.expected("sync-clean")["records"]
        if record["topic"] == HALF and record["queueOffset"] >= 57
    ]
    assert len(pending) == 4
    clock = ManualClock(golden_store.NOW_MS)
    identity = IdentityConfig(cluster=made["brokerClusterName"], name=made["brokerName"])
    config = replace(config, retention=replace(config.retention, reserved_hours=720))
    async with (
        local_broker(root, clock, store=config, identity=identity) as app,
        connected(app, "one") as (peer,),
    ):
        await peer.heartbeat(producers=("golden_tx",))
        counts = app.running.tables.transactions
        assert counts.open("golden_Orders") == 2
        before = await bodies(peer, "golden_Orders", 2)
        assert await round_of_checks(app) == 4
        await until(lambda: len(questions(peer)) == 4)
        for question in questions(peer):
            asked = decode_record(question.body)
            kind = COMMIT if asked.queue_id == 2 else ROLLBACK
            answer = await end(
                peer,
                asked_half(question),
                kind,
                producerGroup="golden_tx",
                fromTransactionCheck="true",
            )
            assert answer.code == 0
        store = app.running.store
        await until(lambda: store.flushed_offset == store.log_end)
        app.running.dispatch.drain()
        after = await bodies(peer, "golden_Orders", 2)
        assert len(after) == len(before) + 1
        assert counts.open("golden_Orders") == 0
        clock.advance(seconds=60)
        assert await round_of_checks(app) == 0
