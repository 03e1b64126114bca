"""Messages that consumers give back: retries, dead letters, policies; over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker
from tests.support.pulling import Pulled, props, pull_all
from tests.support.timers import enrol_and_deliver

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.ids import offset_message_id
from pocketmq.protocol.bodies.queues import MessageQueue
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command

START_MS = 1_795_240_000_000
RETRY, DEAD = "%RETRY%g", "%DLQ%g"
LEVEL_SECONDS = (10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        app.running.tables.groups.put(SubscriptionGroup("g"))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def deliver(app: BrokerApp) -> int:
    delivered = await app.running.models.delay.step()
    app.running.dispatch.drain()
    return delivered


async def give_back(peer: Peer, offset: int, level: int = 0, **more: object) -> Command:
    fields = {"offset": offset, "group": "g", "delayLevel": level, "originTopic": "T", **more}
    return await peer.call(
        RequestCode.CONSUMER_SEND_MSG_BACK, {name: str(value) for name, value in fields.items()}
    )


async def sent(peer: Peer, **properties: object) -> Pulled:
    answer = await peer.send("T", b"hard", 1, props(**properties))
    assert answer.code == 0, answer.remark
    return (await pull_all(peer, "T", 1))[-1]


async def test_a_message_given_back_comes_again_as_it_was(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    first = await sent(peer, UNIQ_KEY="U", KEYS="k", TAGS="a")
    assert (await give_back(peer, first.log_offset)).code == 0
    assert await pull_all(peer, RETRY) == []
    clock.advance(seconds=10)
    assert await deliver(broker) == 1
    (again,) = await pull_all(peer, RETRY)
    host = broker.running.advertised.packed()
    assert again.properties == first.properties | {
        "RETRY_TOPIC": "T",
        "ORIGIN_MESSAGE_ID": offset_message_id(host, first.log_offset),
        "WAIT": "false",
        "DELAY": "3",
        "REAL_TOPIC": RETRY,
        "REAL_QID": "0",
    }
    assert (again.body, again.reconsume_times) == (b"hard", 1)
    assert again.born_timestamp_ms == first.born_timestamp_ms
    figures = broker.running.tables.statistics.figures("SNDBCK_PUT_NUMS", "T@g")
    assert figures is not None


async def test_sixteen_retries_then_the_dead_letter_topic(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    message = first = await sent(peer, UNIQ_KEY="U")
    for times, seconds in enumerate(LEVEL_SECONDS):
        assert (await give_back(peer, message.log_offset, maxReconsumeTimes=16)).code == 0
        clock.advance(seconds=seconds - 0.001)
        assert await deliver(broker) == 0
        clock.advance(ms=1)
        assert await deliver(broker) == 1, f"retry {times + 1} after {seconds} s"
        message = (await pull_all(peer, RETRY))[-1]
        assert message.reconsume_times == times + 1
    assert await pull_all(peer, DEAD) == []
    assert (await give_back(peer, message.log_offset, maxReconsumeTimes=16)).code == 0
    (dead,) = await pull_all(peer, DEAD)
    assert (dead.body, dead.reconsume_times) == (b"hard", 17)
    assert dead.properties["DELAY"] == "0"
    assert dead.properties["RETRY_TOPIC"] == "T"
    assert dead.properties["UNIQ_KEY"] == "U"
    assert dead.properties["ORIGIN_MESSAGE_ID"] == offset_message_id(
        broker.running.advertised.packed(), first.log_offset
    )
    topic = broker.running.tables.topics.find(DEAD)
    assert topic is not None
    assert (topic.perm, topic.read_queue_nums, topic.write_queue_nums) == (6, 1, 1)


@pytest.mark.parametrize(
    ("group", "more", "level"),
    [
        (SubscriptionGroup("g"), {}, -1),
        (SubscriptionGroup("g", retry_max_times=0), {}, 0),
        (SubscriptionGroup("g", retry_max_times=5), {"maxReconsumeTimes": 0}, 3),
    ],
)
async def test_what_is_given_up_dies_at_once(
    broker: BrokerApp, peer: Peer, group: SubscriptionGroup, more: dict[str, int], level: int
) -> None:
    broker.running.tables.groups.put(group)
    message = await sent(peer)
    assert (await give_back(peer, message.log_offset, level, **more)).code == 0
    assert len(await pull_all(peer, DEAD)) == 1


async def test_a_consumer_may_name_the_level(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    message = await sent(peer)
    assert (await give_back(peer, message.log_offset, 1)).code == 0
    clock.advance(seconds=1)
    assert await deliver(broker) == 1


async def test_an_exponential_policy_goes_through_the_timer(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    policy = {
        "type": "EXPONENTIAL",
        "exponentialRetryPolicy": {"initial": 7000, "max": 60_000, "multiplier": 2},
    }
    broker.running.tables.groups.put(SubscriptionGroup("g", group_retry_policy=policy))
    message = await sent(peer, DELAY="0", TIMER_DELIVER_MS=5)
    assert (await give_back(peer, message.log_offset)).code == 0
    broker.running.dispatch.drain()
    store = broker.running.store
    entry = store.entry_of("rmq_sys_wheel_timer", 0, 0)
    assert entry is not None
    record = store.decoded_record_at(entry[0])
    assert record is not None
    waiting = record.properties
    assert waiting["TIMER_DELAY_MS"] == "7000"
    assert waiting["TIMER_OUT_MS"] == str(START_MS + 6000)
    assert waiting["REAL_TOPIC"] == RETRY
    assert not {"DELAY", "TIMER_DELIVER_MS"} & set(waiting)
    assert (await give_back(peer, message.log_offset, 2)).code == 0
    broker.running.dispatch.drain()
    assert len(await pull_all(peer, "SCHEDULE_TOPIC_XXXX", 1)) == 1, "a named level wins"


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (
            {
                "type": "EXPONENTIAL",
                "exponentialRetryPolicy": {"initial": 7000, "max": 60_000, "multiplier": 2},
            },
            [7000, 14_000, 28_000, 56_000, 60_000, 60_000],
        ),
        (
            {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [1, 1, 3000, 90_000]}},
            [3000, 90_000, 90_000],
        ),
    ],
)
async def test_each_retry_waits_as_the_groups_policy_says(
    broker: BrokerApp,
    peer: Peer,
    clock: ManualClock,
    policy: dict[str, object],
    waits: list[int],
) -> None:
    group = SubscriptionGroup("g", retry_max_times=len(waits), group_retry_policy=policy)
    broker.running.tables.groups.put(group)
    message = await sent(peer, UNIQ_KEY="U", KEYS="k")
    for times, wait_ms in enumerate(waits, start=1):
        assert (await give_back(peer, message.log_offset)).code == 0
        await enrol_and_deliver(broker)
        clock.advance(ms=wait_ms - 1)
        await enrol_and_deliver(broker)
        assert len(await pull_all(peer, RETRY)) == times - 1
        clock.advance(ms=1)
        await enrol_and_deliver(broker)
        message = (await pull_all(peer, RETRY))[-1]
        assert message.reconsume_times == times, f"retry {times} after {wait_ms} ms"
    assert await pull_all(peer, DEAD) == []
    assert (await give_back(peer, message.log_offset)).code == 0
    (dead,) = await pull_all(peer, DEAD)
    assert (dead.properties["UNIQ_KEY"], dead.properties["KEYS"]) == ("U", "k")


async def test_retry_topics_follow_their_group(broker: BrokerApp, peer: Peer) -> None:
    groups, topics = broker.running.tables.groups, broker.running.tables.topics
    groups.put(SubscriptionGroup("g", retry_queue_nums=3))
    message = await sent(peer)
    assert (await give_back(peer, message.log_offset, 1, unitMode="true")).code == 0
    made = topics.find(RETRY)
    assert made is not None
    assert (made.write_queue_nums, made.perm, made.topic_sys_flag) == (3, 6, 2)
    groups.put(SubscriptionGroup("quiet", retry_queue_nums=0))
    end = broker.running.store.log_end
    assert (await give_back(peer, message.log_offset, group="quiet")).code == 0
    assert broker.running.store.log_end == end, "this group does not retry"
    assert topics.find("%RETRY%quiet") is None
    assert (await give_back(peer, message.log_offset, group="new")).code == 0
    assert groups.find("new") is not None


async def test_bad_returns_are_refused_and_nothing_is_stored(broker: BrokerApp, peer: Peer) -> None:
    message = await sent(peer)
    tables, end = broker.running.tables, broker.running.store.log_end
    for offset in (message.log_offset + 1, end, end + 10**9, -1, -(2**63)):
        answer = await give_back(peer, offset)
        assert answer.code == ResponseCode.SYSTEM_ERROR
        assert "look message by offset failed" in (answer.remark or "")
    answer = await give_back(peer, message.log_offset, group="no such group!")
    assert answer.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    answer = await peer.call(RequestCode.CONSUMER_SEND_MSG_BACK, {"group": "g"})
    assert answer.code == ResponseCode.SYSTEM_ERROR
    tables.topics.put(TopicConfig(RETRY, 1, 1, perm=4))
    answer = await give_back(peer, message.log_offset)
    assert answer.code == ResponseCode.NO_PERMISSION
    tables.topics.set_broker_permission(4)
    answer = await give_back(peer, message.log_offset)
    assert answer.code == ResponseCode.NO_PERMISSION
    assert broker.running.store.log_end == end


async def resend(peer: Peer, times: int, max_times: int, **properties: object) -> Command:
    """What a client does when it cannot give a message back, or is an ordered consumer."""
    fields = {
        "a": "CLIENT_INNER_PRODUCER",
        "b": RETRY,
        "c": "TBW102",
        "d": "4",
        "e": "0",
        "f": "0",
        "g": "1700000000000",
        "h": "0",
        "i": props(RETRY_TOPIC="T", **properties),
        "j": str(times),
        "k": "false",
        "l": str(max_times),
        "m": "false",
    }
    return await peer.call(RequestCode.SEND_MESSAGE_V2, fields, b"again")


async def test_a_retry_by_normal_send_is_delayed_and_ends_strictly_beyond_the_limit(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    assert (await resend(peer, 16, 16, DELAY=4)).code == 0
    clock.advance(seconds=30)
    assert await deliver(broker) == 1
    (again,) = await pull_all(peer, RETRY)
    assert (again.reconsume_times, again.properties["RETRY_TOPIC"]) == (16, "T")
    assert (await resend(peer, 17, 16, DELAY=18)).code == 0
    (dead,) = await pull_all(peer, DEAD)
    assert dead.properties["DELAY"] == "-1"


async def test_what_an_ordered_consumer_sends_is_dead_while_it_holds_queues(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    queues = [MessageQueue("T", "b", 0)]
    broker.running.tables.locks.lock("g", "client", queues)
    assert (await resend(peer, 1, 16, DELAY=4)).code == 0
    assert len(await pull_all(peer, DEAD)) == 1
    clock.advance(seconds=61)
    assert (await resend(peer, 1, 16, DELAY=4)).code == 0
    assert len(await pull_all(peer, DEAD)) == 1, "the lease is over: an ordinary retry"


async def test_retries_that_wait_survive_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    first = local_broker(tmp_path, clock)
    async with first as app, connected(app, "one") as (peer,):
        message = await sent(peer)
        assert (await give_back(peer, message.log_offset)).code == 0
    clock.advance(seconds=3600)
    second = local_broker(tmp_path, clock)
    async with second as app, connected(app, "one") as (peer,):
        await deliver(app)
        assert [m.reconsume_times for m in await pull_all(peer, RETRY)] == [1]
