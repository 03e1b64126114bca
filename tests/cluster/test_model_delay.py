"""Delayed messages of the 18 levels, sent and pulled over real sockets; time is moved by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support import golden_store
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.pulling import props, pull_all

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import TimersConfig
from pocketmq.broker.services.intake import OwnMessage
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.offsets import DelayOffsets
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode

SCHEDULE = "SCHEDULE_TOPIC_XXXX"
START_MS = golden_store.NOW_MS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def deliver(app: BrokerApp) -> int:
    """Deliver what is due and make it visible; return how many."""
    delivered = await app.running.models.delay.step()
    app.running.dispatch.drain()
    return delivered


async def bodies(peer: Peer, topic: str = "T", queue_id: int = 0) -> list[bytes]:
    return [message.body for message in await pull_all(peer, topic, queue_id)]


async def test_a_message_waits_for_its_level_and_keeps_all_it_had(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    answer = await peer.send("T", b"later", 2, props(DELAY=3, UNIQ_KEY="U1", TAGS="a", own="x"))
    assert (answer.code, answer.fields["queueId"]) == (0, "2")
    (waiting,) = await pull_all(peer, SCHEDULE, 2)
    assert waiting.properties["REAL_TOPIC"] == "T"
    assert waiting.properties["REAL_QID"] == "2"
    clock.advance(ms=9_999)
    assert await deliver(broker) == 0
    clock.advance(ms=1)
    assert await deliver(broker) == 1
    (message,) = await pull_all(peer, "T", 2)
    assert message.body == b"later"
    assert message.properties == waiting.properties, "as Apache stores it, DELAY and all"
    assert message.born_timestamp_ms == 1_700_000_000_000
    assert message.store_timestamp_ms == START_MS + 10_000


@pytest.mark.parametrize(
    ("level", "seconds"),
    list(
        enumerate(
            [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200],
            start=1,
        )
    ),
)
async def test_each_level_takes_its_time(
    broker: BrokerApp, peer: Peer, clock: ManualClock, level: int, seconds: int
) -> None:
    await peer.send("T", b"x", 0, props(DELAY=level))
    clock.advance(seconds=seconds - 0.001)
    await deliver(broker)
    assert await bodies(peer) == []
    clock.advance(ms=1)
    await deliver(broker)
    assert await bodies(peer) == [b"x"]


async def test_a_level_beyond_the_last_counts_as_the_last(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    assert (await peer.send("T", b"x", 0, props(DELAY=99))).code == 0
    (waiting,) = await pull_all(peer, SCHEDULE, 17)
    assert waiting.properties["DELAY"] == "18"
    clock.advance(seconds=7200)
    await deliver(broker)
    assert await bodies(peer) == [b"x"]


@pytest.mark.parametrize("level", ["0", "-1"])
async def test_no_level_means_no_delay(peer: Peer, level: str) -> None:
    assert (await peer.send("T", b"now", 0, props(DELAY=level))).code == 0
    assert await bodies(peer) == [b"now"]


async def test_a_level_beats_timer_properties(peer: Peer) -> None:
    await peer.send("T", b"x", 0, props(DELAY=2, TIMER_DELAY_SEC=100, TIMER_DELIVER_MS=1))
    (waiting,) = await pull_all(peer, SCHEDULE, 1)
    assert not [name for name in waiting.properties if name.startswith("TIMER")]


@pytest.mark.parametrize(
    ("properties", "code", "word"),
    [
        (props(DELAY="soon"), ResponseCode.MESSAGE_ILLEGAL, "soon"),
        (props(DELAY=2**31), ResponseCode.MESSAGE_ILLEGAL, "number"),
        (props(TIMER_DELIVER_MS="x"), ResponseCode.MESSAGE_ILLEGAL, "TIMER_DELIVER_MS"),
        (props(TIMER_DELAY_SEC=259_201), ResponseCode.MESSAGE_ILLEGAL, "timerMaxDelaySec"),
        (props(TIMER_DELAY_MS=2**63), ResponseCode.MESSAGE_ILLEGAL, "number"),
        (
            props(TIMER_DELIVER_MS=5, TIMER_DEL_UNIQKEY="T_U"),
            ResponseCode.MESSAGE_ILLEGAL,
            "recalled",
        ),
        (props(TRAN_MSG="true", DELAY=1), ResponseCode.MESSAGE_ILLEGAL, "transactional"),
    ],
)
async def test_bad_delays_are_refused_and_nothing_is_stored(
    broker: BrokerApp, peer: Peer, properties: str, code: int, word: str
) -> None:
    end = broker.running.store.log_end
    answer = await peer.send("T", b"x", 0, properties)
    assert (answer.code, word in (answer.remark or "")) == (code, True), answer.remark
    assert broker.running.store.log_end == end


async def test_timers_that_are_switched_off_refuse_timed_messages(tmp_path: Path) -> None:
    off = TimersConfig(enabled=False)
    async with local_broker(tmp_path, timers=off) as app, connected(app, "one") as (peer,):
        answer = await peer.send("T", b"x", 0, props(TIMER_DELAY_SEC=5))
        assert answer.code == ResponseCode.SYSTEM_ERROR
        assert "timerWheelEnable" in (answer.remark or "")
        assert (await peer.send("T", b"x", 0, props(DELAY=1))).code == 0


async def test_what_became_due_while_the_broker_was_down_is_delivered_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        for number in range(300):
            await peer.send("T", b"%d" % number, 0, props(DELAY=1 + number % 2))
        clock.advance(seconds=1)
        await deliver(app)
        assert len(await bodies(peer)) == 150
    saved = DelayOffsets.from_json((tmp_path / "config" / "delayOffset.json").read_bytes())
    assert saved.offset_table == {1: 150, 2: 0} or saved.offset_table == {1: 150}
    clock.advance(seconds=3600)
    for _ in range(2):
        async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
            await deliver(app)
            found = await bodies(peer)
            assert sorted(map(int, found)) == list(range(300))


async def test_a_changed_table_is_read_again(tmp_path: Path, clock: ManualClock) -> None:
    def levels(text: str) -> dict[str, object]:
        return {"store": replace(broker_config(tmp_path).store, delay_levels=text)}

    first = local_broker(tmp_path, clock, **levels("1s 2h 5s"))
    async with first as app, connected(app, "one") as (peer,):
        await peer.send("T", b"two", 0, props(DELAY=2))
        await peer.send("T", b"three", 0, props(DELAY=3))
        await peer.send("T", b"not delayed", 1)  # the newest record is filed anew at the start
    second = local_broker(tmp_path, clock, **levels("1s 1m"))
    async with second as app, connected(app, "one") as (peer,):
        await deliver(app)
        assert await bodies(peer) == [b"two"], "further away than level 2 is now: at once"
        clock.advance(seconds=5)
        await deliver(app)
        assert await bodies(peer) == [b"two", b"three"], "a level that is gone still delivers"
        await peer.send("T", b"last", 0, props(DELAY=3))
        assert [m.body for m in await pull_all(peer, SCHEDULE, 1)] == [b"two", b"last"]
        clock.advance(seconds=60)
        await deliver(app)
        assert (await bodies(peer))[-1] == b"last"


async def test_replicas_and_operators_see_how_far_levels_are(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    for _ in range(3):
        await peer.send("T", b"x", 0, props(DELAY=1))
    clock.advance(seconds=1)
    await peer.send("T", b"x", 0, props(DELAY=1))
    await deliver(broker)
    assert broker.running.models.delay.waiting() == {1: (3, 4)}
    answer = await peer.call(RequestCode.GET_BROKER_RUNTIME_INFO)
    assert json.loads(bytes(answer.body))["table"]["scheduleMessageOffset_1"] == "3,4"
    broker.running.store.flush_log()
    await deliver(broker)
    answer = await peer.call(RequestCode.GET_ALL_DELAY_OFFSET)
    assert DelayOffsets.from_json(answer.body).offset_table == {1: 3}


async def test_a_message_without_a_place_is_passed_over(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    for properties in ({}, {"REAL_TOPIC": "T"}, {"REAL_TOPIC": "T", "REAL_QID": "x"}):
        broker.running.intake.put(OwnMessage(SCHEDULE, 0, b"bad", {"DELAY": "1", **properties}))
    half = {"DELAY": "1", "REAL_TOPIC": "RMQ_SYS_TRANS_HALF_TOPIC", "REAL_QID": "0"}
    broker.running.intake.put(OwnMessage(SCHEDULE, 0, b"half", half))
    broker.running.dispatch.drain()
    await peer.send("T", b"good", 0, props(DELAY=1))
    clock.advance(seconds=1)
    assert await deliver(broker) == 1
    assert await bodies(peer) == [b"good"]


async def test_messages_that_apache_left_waiting_are_delivered(tmp_path: Path) -> None:
    root = golden_store.unpack("sync-clean", tmp_path)
    clock = ManualClock(golden_store.NOW_MS + 3_600_000)
    config = golden_store.config_of("sync-clean", root)
    async with local_broker(root, clock, store=config) as app:
        delay = app.running.models.delay
        pending = {level: end - at for level, (at, end) in delay.waiting().items() if end > at}
        assert pending, "the capture has messages waiting in several levels"
        assert await deliver(app) == sum(pending.values())
        assert all(at == end for at, end in delay.waiting().values())
        assert await deliver(app) == 0
    assert b"offsetTable" in (root / "config" / "delayOffset.json").read_bytes()
