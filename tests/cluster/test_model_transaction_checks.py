"""Producers that are asked about half messages left open, over real sockets."""

from __future__ import annotations

import pytest
from tests.support.local_broker import Peer, connected
from tests.support.pulling import pull_all
from tests.support.transactions import (
    GIVEN_UP,
    HALF,
    ROLLBACK,
    asked_half,
    begin,
    bodies,
    end,
    open_transactions,
    questions,
    record_at,
    round_of_checks,
)
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode, ResponseCode


async def test_a_producer_is_asked_as_apache_asks(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await peer.heartbeat(producers=("p",))
    half = await begin(peer)
    clock.advance(ms=6000)
    assert await round_of_checks(broker) == 0, "it is immune for six seconds"
    clock.advance(ms=1)
    assert await round_of_checks(broker) == 1
    await until(lambda: questions(peer))
    (question,) = questions(peer)
    copy = asked_half(question)
    assert question.is_oneway
    assert copy.queue_offset == half.queue_offset + 1
    assert question.fields == {
        "topic": HALF,
        "tranStateTableOffset": str(copy.queue_offset),
        "commitLogOffset": str(copy.log_offset),
        "msgId": "K1",
        "transactionId": "K1",
        "offsetMsgId": question.fields["offsetMsgId"],
        "bname": "b",
    }
    assert decode_offset_message_id(question.fields["offsetMsgId"]).log_offset == copy.log_offset
    message, original = decode_record(question.body), record_at(broker, half.log_offset)
    assert (message.topic, message.queue_id) == ("T", 2)
    assert (message.queue_offset, message.log_offset) == (copy.queue_offset, copy.log_offset)
    assert message.store_timestamp_ms == original.store_timestamp_ms
    assert message.body == original.body
    assert message.size == len(question.body)
    counted = {**original.properties, "TRANSACTION_CHECK_TIMES": "1"}
    assert message.properties == {**counted, "WAIT": "false"}
    assert record_at(broker, copy.log_offset).properties == counted
    assert (await end(peer, copy, fromTransactionCheck="true")).code == 0
    assert await bodies(peer) == [b"K1"]
    clock.advance(seconds=60)
    assert await round_of_checks(broker) == 0
    assert open_transactions(broker) == 0


async def test_a_late_end_of_the_first_copy_ends_the_newest_too(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await peer.heartbeat(producers=("p",))
    halves = [await begin(peer), await begin(peer, "K2")]
    for _ in range(3):
        clock.advance(seconds=30)
        assert await round_of_checks(broker) == 2
    await until(lambda: len(questions(peer)) == 6)
    assert (await end(peer, halves[0])).code == 0
    assert (await end(peer, halves[1], ROLLBACK)).code == 0
    newest = [asked_half(question) for question in questions(peer)]
    assert (await end(peer, newest[-2], fromTransactionCheck="true")).code == 0
    assert await bodies(peer) == [b"K1"]
    clock.advance(seconds=30)
    assert await round_of_checks(broker) == 0
    assert open_transactions(broker) == 0


async def test_all_producers_of_the_group_take_turns(broker: BrokerApp, clock: ManualClock) -> None:
    async with connected(broker, "a", "b", "c", "stranger") as peers:
        for one in peers[:3]:
            await one.heartbeat(producers=("p",))
        await peers[3].heartbeat(producers=("q",))
        for number in range(6):
            await begin(peers[0], f"K{number}")
        clock.advance(seconds=7)
        assert await round_of_checks(broker) == 6
        await until(lambda: sum(len(questions(one)) for one in peers) == 6)
        assert [len(questions(one)) for one in peers] == [2, 2, 2, 0]


async def test_without_a_producer_the_check_counts_and_nothing_is_lost(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await begin(peer)
    clock.advance(seconds=7)
    assert await round_of_checks(broker) == 1
    await peer.heartbeat(producers=("p",))
    clock.advance(seconds=30)
    assert await round_of_checks(broker) == 1
    await until(lambda: questions(peer))
    copy = asked_half(questions(peer)[0])
    assert (await end(peer, copy, fromTransactionCheck="true")).code == 0
    assert await bodies(peer) == [b"K1"]


async def test_after_fifteen_checks_a_message_is_given_up_until_an_operator_resumes_it(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await peer.heartbeat(producers=("p",))
    await begin(peer)
    for number in range(15):
        clock.advance(seconds=30)
        assert await round_of_checks(broker) == 1, number
    clock.advance(seconds=30)
    assert await round_of_checks(broker) == 0
    (given_up,) = await pull_all(peer, GIVEN_UP)
    assert given_up.body == b"K1"
    assert given_up.properties["TRANSACTION_CHECK_TIMES"] == "15"
    assert open_transactions(broker) == 0
    topic = broker.running.tables.topics.find(GIVEN_UP)
    assert topic is not None
    assert (topic.write_queue_nums, topic.perm) == (1, 6)
    message_id = (broker.running.advertised.packed().hex() + f"{given_up.log_offset:016x}").upper()
    resumed = await peer.call(
        RequestCode.RESUME_CHECK_HALF_MESSAGE, {"topic": "T", "msgId": message_id}
    )
    assert resumed.code == 0
    assert open_transactions(broker) == 1
    clock.advance(seconds=30)
    assert await round_of_checks(broker) == 1
    await until(lambda: len(questions(peer)) == 16)
    assert decode_record(questions(peer)[-1].body).properties["TRANSACTION_CHECK_TIMES"] == "1"
    copy = asked_half(questions(peer)[-1])
    assert (await end(peer, copy, fromTransactionCheck="true")).code == 0
    assert await bodies(peer) == [b"K1"]
    assert open_transactions(broker) == 0


@pytest.mark.parametrize("message_id", ["", "zz", "00" * 16, "7F000001" + "0" * 23 + "9"])
async def test_only_half_messages_are_checked_again(peer: Peer, message_id: str) -> None:
    await peer.send("T", b"plain", 0)
    answer = await peer.call(RequestCode.RESUME_CHECK_HALF_MESSAGE, {"msgId": message_id})
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert answer.remark


async def test_a_message_that_is_too_old_is_given_up(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await begin(peer)
    clock.advance(seconds=72 * 3600)
    assert await round_of_checks(broker) == 1
    clock.advance(ms=1)
    assert await round_of_checks(broker) == 0
    assert [message.body for message in await pull_all(peer, GIVEN_UP)] == [b"K1"]


async def test_a_message_with_its_own_immunity_makes_way_for_others(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await peer.heartbeat(producers=("p",))
    immune = await begin(peer, "immune", CHECK_IMMUNITY_TIME_IN_SECONDS=100)
    await begin(peer, "other")
    clock.advance(seconds=30)
    assert await round_of_checks(broker) == 1, "only the other one"
    renewed = (await pull_all(peer, HALF))[2]
    assert renewed.properties["TRAN_PREPARED_QUEUE_OFFSET"] == str(immune.queue_offset)
    assert "TRANSACTION_CHECK_TIMES" not in renewed.properties
    clock.advance(seconds=30)
    await round_of_checks(broker)
    renewed = (await pull_all(peer, HALF))[-2]
    assert renewed.properties["TRAN_PREPARED_QUEUE_OFFSET"] == str(immune.queue_offset)
    assert (await end(peer, immune)).code == 0
    clock.advance(seconds=60)
    assert await round_of_checks(broker) == 1, "the end of the first place ended its copy"
    assert await bodies(peer) == [b"immune"]


async def test_a_young_message_holds_up_those_behind_it(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    clock.advance(ms=1)
    for key in ("young", "behind"):
        await begin(peer, key)
    clock.advance(seconds=5)
    assert await round_of_checks(broker) == 0
    clock.advance(seconds=5)
    assert await round_of_checks(broker) == 2
