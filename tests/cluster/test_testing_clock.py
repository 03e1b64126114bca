"""Moving the broker's clock: what is due happens, one after the other, and what is not does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.cluster.test_testing_broker import At
from tests.support.local_broker import Peer
from tests.support.waiting import until

from pocketmq.clock import SystemClock
from pocketmq.message.properties import encode_properties
from pocketmq.message.topics import CHECK_MAX_TOPIC
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.send import SendRequest
from pocketmq.testing import LocalBroker, NotSettled


@pytest.fixture
async def peer(rocketmq: LocalBroker) -> AsyncIterator[Peer]:
    opened = Peer(At(rocketmq))
    yield opened
    await opened.close()


def bodies(rocketmq: LocalBroker, topic: str) -> list[str]:
    return [message.text for message in rocketmq.messages(topic)]


def test_delays_are_over_when_the_clock_has_passed_them(rocketmq: LocalBroker) -> None:
    with rocketmq.clock.frozen():
        rocketmq.send("orders", "in an hour", delay=3600)
        rocketmq.send("orders", "in two hours", delay_level=18)
        rocketmq.clock.advance(minutes=59, seconds=59)
        assert bodies(rocketmq, "orders") == []
        rocketmq.clock.advance(seconds=2)
        assert bodies(rocketmq, "orders") == ["in an hour"]
        rocketmq.clock.advance(hours=1)
        assert bodies(rocketmq, "orders") == ["in an hour", "in two hours"]


def test_what_waits_is_listed_with_its_moment(rocketmq: LocalBroker) -> None:
    rocketmq.clock.freeze()
    rocketmq.send("orders", "later", delay=3600)
    rocketmq.send("orders", "sooner", delay_level=4)
    rocketmq.send("invoices", "elsewhere", delay=5)
    assert [one.message.text for one in rocketmq.waiting()] == ["elsewhere", "sooner", "later"]
    sooner, later = rocketmq.waiting("orders")
    assert sooner.due_ms == rocketmq.clock.now_ms + 30_000
    # The timer delivers at the last tick before the moment, a whole one before when it is a tick.
    assert 0 < rocketmq.clock.now_ms + 3_600_000 - later.due_ms <= 100
    rocketmq.clock.advance(minutes=1)
    assert [one.message.text for one in rocketmq.waiting()] == ["later"]


def test_days_pass_as_quickly_as_seconds(rocketmq: LocalBroker) -> None:
    for hour in range(1, 72, 10):
        rocketmq.send("orders", str(hour), delay=hour * 3600)
    rocketmq.clock.advance(days=3)
    assert bodies(rocketmq, "orders") == [str(hour) for hour in range(1, 72, 10)]
    gaps = [message.stored_ms for message in rocketmq.messages("orders")]
    assert all(abs(later - gaps[0] - n * 36_000_000) < 1000 for n, later in enumerate(gaps))


def test_time_runs_on_by_itself_unless_it_is_frozen(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "soon", delay=0.2)
    rocketmq.clock.freeze()
    at = rocketmq.clock.now_ms
    rocketmq.settle()
    assert rocketmq.clock.now_ms == at
    rocketmq.clock.thaw()
    began = rocketmq.clock.now
    while not bodies(rocketmq, "orders"):
        assert (rocketmq.clock.now - began).total_seconds() < 10
    assert rocketmq.clock.now_ms > at


def test_a_jump_waits_for_nothing_and_settling_does(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "later", delay=3600)
    rocketmq.clock.jump(hours=2)
    rocketmq.settle()
    assert bodies(rocketmq, "orders") == ["later"]


@pytest.mark.parametrize("move", ["advance", "jump"])
def test_the_clock_does_not_run_backwards(rocketmq: LocalBroker, move: str) -> None:
    with pytest.raises(ValueError, match="backwards"):
        getattr(rocketmq.clock, move)(seconds=-1)


def test_time_passes_while_the_broker_is_down(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "later", delay=3600)
    with rocketmq.faults.broker_down():
        rocketmq.clock.advance(hours=2)
    rocketmq.settle()
    assert bodies(rocketmq, "orders") == ["later"]


async def _half_message(peer: Peer) -> Command:
    await peer.heartbeat(producers=("p",))
    properties = encode_properties({"TRAN_MSG": "true", "PGROUP": "p", "UNIQ_KEY": "K"})
    now_ms = SystemClock().now_ms()
    request = SendRequest("p", "orders", "TBW102", 4, 0, 4, now_ms, 0, properties)
    return await peer.call(RequestCode.SEND_MESSAGE, request, b"paid")


async def test_producers_are_asked_about_open_transactions(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    answer = await _half_message(peer)
    assert answer.code == 0
    await rocketmq.clock.advance(seconds=5)
    assert RequestCode.CHECK_TRANSACTION_STATE not in peer.asked_codes()
    await rocketmq.clock.advance(minutes=1)
    (question, *_) = (q for q in peer.asked if q.code == RequestCode.CHECK_TRANSACTION_STATE)
    fields = {
        "producerGroup": "p",
        "tranStateTableOffset": question.fields["tranStateTableOffset"],
        "commitLogOffset": question.fields["commitLogOffset"],
        "commitOrRollback": "8",
        "fromTransactionCheck": "true",
        "msgId": "K",
        "transactionId": "K",
    }
    await peer.call(RequestCode.END_TRANSACTION, fields)
    await rocketmq.settle()
    rocketmq.assert_sent("orders", "paid", count=1)


async def test_a_transaction_nobody_ends_is_checked_in_its_intervals_and_given_up(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    """One question each half minute, fifteen in all; so much that its producer never answers."""
    rocketmq.clock.freeze()
    await _half_message(peer)
    await rocketmq.clock.advance(minutes=5, timeout=20)
    asked = peer.asked_codes().count(RequestCode.CHECK_TRANSACTION_STATE)
    assert asked == 10
    await rocketmq.clock.advance(minutes=10, timeout=20)
    assert peer.asked_codes().count(RequestCode.CHECK_TRANSACTION_STATE) == 15
    assert len(rocketmq.messages(CHECK_MAX_TOPIC)) == 1


async def test_a_held_pull_is_answered_when_its_time_has_passed(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    rocketmq.topic("orders")
    await peer.heartbeat("orders", group="g")
    fields = {
        "consumerGroup": "g",
        "topic": "orders",
        "queueId": "0",
        "queueOffset": "0",
        "maxMsgNums": "32",
        "sysFlag": "2",
        "commitOffset": "0",
        "suspendTimeoutMillis": "30000",
        "subscription": "*",
        "subVersion": "1",
    }
    pulling = asyncio.ensure_future(peer.call(RequestCode.PULL_MESSAGE, fields))
    servers = rocketmq._servers
    await until(lambda: servers.running.long_poll.count == 1)
    rocketmq.clock.jump(seconds=31)
    assert (await pulling).code == 19


async def test_advancing_waits_for_consumers_and_says_when_they_do_not_come(
    rocketmq: LocalBroker, peer: Peer
) -> None:
    rocketmq.send("orders", "later", delay=3600)
    await peer.heartbeat("orders", group="billing")
    with pytest.raises(NotSettled, match="'billing' has yet to begin with 'orders' queue 0"):
        await rocketmq.clock.advance(hours=2, timeout=0.1)
    with pytest.raises(NotSettled, match="'billing' has yet to fetch 1 message of 'orders'"):
        await rocketmq.clock.advance(hours=2, timeout=2.5)


def test_messages_expire_when_they_are_older_than_the_broker_keeps_them(
    rocketmq: LocalBroker,
) -> None:
    rocketmq.send("orders", "old")
    rocketmq.send("orders", "waiting", delay=40 * 3600)
    rocketmq.clock.advance(hours=71)
    rocketmq.send("orders", "new")
    assert bodies(rocketmq, "orders") == ["old", "waiting", "new"]
    rocketmq.clock.advance(hours=2)
    assert bodies(rocketmq, "orders") == ["waiting", "new"]
    rocketmq.clock.jump(days=10)
    assert bodies(rocketmq, "orders") == []
    rocketmq.send("orders", "newest")
    assert bodies(rocketmq, "orders") == ["newest"]


@pytest.mark.rocketmq(fileReservedTime=1)
def test_how_long_messages_are_kept_is_a_setting(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "old")
    rocketmq.clock.advance(minutes=61)
    assert bodies(rocketmq, "orders") == []
