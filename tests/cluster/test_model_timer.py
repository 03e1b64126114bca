"""Timed messages, sent, recalled and pulled over real sockets; time is moved by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.support import golden_store
from tests.support.local_broker import Peer, broker_config, connected, local_broker
from tests.support.pulling import Pulled, props, pull_all
from tests.support.timers import enrol_and_deliver

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import TimersConfig
from pocketmq.broker.rules.recall import make_handle, read_handle
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode

TIMER = "rmq_sys_wheel_timer"
START_MS = golden_store.NOW_MS
DAY_MS = 86_400_000
TIMERS = TimersConfig(recall=True, log_file_bytes=52 * 100)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def broker(tmp_path: Path, clock: ManualClock) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path, clock, timers=TIMERS) as app:
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def bodies(peer: Peer, topic: str = "T", queue_id: int = 0) -> list[bytes]:
    return [message.body for message in await pull_all(peer, topic, queue_id)]


async def send_timed(peer: Peer, key: str, queue_id: int = 0, **asked: object) -> dict[str, str]:
    own = props(UNIQ_KEY=key, **asked)
    answer = await peer.send("T", key.encode(), queue_id, own)
    assert answer.code == 0, answer.remark
    return answer.fields


async def test_a_message_waits_for_its_moment_and_keeps_all_it_had(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    fields = await send_timed(peer, "U1", 2, TIMER_DELAY_MS=4_300, TAGS="a")
    assert fields["queueId"] == "2"
    handle = read_handle(fields["recallHandle"])
    assert handle == ("T", "b", START_MS + 4001, "U1")
    await enrol_and_deliver(broker)
    (waiting,) = await pull_all(peer, TIMER)
    clock.advance(ms=4_999)
    await enrol_and_deliver(broker)
    assert await bodies(peer, "T", 2) == []
    clock.advance(ms=1)
    await enrol_and_deliver(broker)
    (message,) = await pull_all(peer, "T", 2)
    assert message.properties == waiting.properties | {
        "TIMER_ENQUEUE_MS": str(START_MS),
        "TIMER_DEQUEUE_MS": str(START_MS + 5000),
    }
    assert message.born_timestamp_ms == 1_700_000_000_000


async def test_an_exact_tick_is_not_rounded_up(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send_timed(peer, "U1", TIMER_DELIVER_MS=START_MS + 5000)
    clock.advance(ms=5000)
    await enrol_and_deliver(broker)
    assert await bodies(peer) == [b"U1"]


@pytest.mark.parametrize("precision_ms", [100, 200, 500, 1000])
async def test_no_message_comes_early_or_a_tick_late(
    tmp_path: Path, clock: ManualClock, precision_ms: Literal[100, 200, 500, 1000]
) -> None:
    timers = replace(TIMERS, precision_ms=precision_ms)
    async with (
        local_broker(tmp_path, clock, timers=timers) as broker,
        connected(broker, "one") as (peer,),
    ):
        moments = [START_MS + n for n in (1, 99, 100, 101, 999, 1000, 1001, 2050)]
        for moment in moments:
            await send_timed(peer, str(moment), TIMER_DELIVER_MS=moment)
        for _ in range(30):
            clock.advance(ms=100)
            await enrol_and_deliver(broker)
        found = await pull_all(peer, "T")
    assert [int(message.body) for message in found] == moments
    for message in found:
        late_ms = message.store_timestamp_ms - int(message.body)
        assert 0 <= late_ms < precision_ms + 100


async def test_messages_of_one_slot_come_in_the_order_they_were_sent(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    keys = [f"U{number}" for number in range(450)]
    for key in keys:
        await send_timed(peer, key, TIMER_DELAY_SEC=60)
    clock.advance(seconds=61)
    await enrol_and_deliver(broker)
    assert await bodies(peer) == [key.encode() for key in keys]


async def test_a_recalled_message_is_not_delivered(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    handles = [
        (await send_timed(peer, f"U{n}", TIMER_DELAY_SEC=60))["recallHandle"] for n in range(3)
    ]
    clock.advance(seconds=30)
    await enrol_and_deliver(broker)
    answer = await peer.call(RequestCode.RECALL_MESSAGE, {"topic": "T", "recallHandle": handles[1]})
    assert (answer.code, answer.fields["msgId"]) == (0, "U1")
    clock.advance(seconds=31)
    await enrol_and_deliver(broker)
    assert await bodies(peer) == [b"U0", b"U2"]
    assert broker.running.tables.waiting.count("T") == 0


@pytest.mark.parametrize(
    ("topic", "handle", "code"),
    [
        ("T", "", ResponseCode.ILLEGAL_OPERATION),
        ("T", "no handle!", ResponseCode.ILLEGAL_OPERATION),
        ("T", "dja=", ResponseCode.ILLEGAL_OPERATION),
        ("T", make_handle("U", "b", START_MS + 9000, "k"), ResponseCode.ILLEGAL_OPERATION),
        ("T", make_handle("T", "c", START_MS + 9000, "k"), ResponseCode.ILLEGAL_OPERATION),
        ("T", make_handle("T", "b", START_MS - 9000, "k"), ResponseCode.ILLEGAL_OPERATION),
        ("T", make_handle("T", "b", START_MS + 4 * DAY_MS, "k"), ResponseCode.ILLEGAL_OPERATION),
        ("none", make_handle("none", "b", START_MS + 9, "k"), ResponseCode.TOPIC_NOT_EXIST),
    ],
)
async def test_bad_handles_are_refused(
    broker: BrokerApp, peer: Peer, topic: str, handle: str, code: int
) -> None:
    answer = await peer.call(RequestCode.RECALL_MESSAGE, {"topic": topic, "recallHandle": handle})
    assert answer.code == code and answer.remark
    assert await pull_all(peer, TIMER) == []


async def test_recall_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as broker, connected(broker, "one") as (peer,):
        answer = await peer.call(RequestCode.RECALL_MESSAGE, {"topic": "T", "recallHandle": "x"})
    assert answer.code == ResponseCode.NO_PERMISSION


async def test_a_far_moment_is_approached_in_stages(tmp_path: Path, clock: ManualClock) -> None:
    timers = TimersConfig(roll_slots=10, log_file_bytes=52 * 100)
    async with (
        local_broker(tmp_path, clock, timers=timers) as broker,
        connected(broker, "one") as (peer,),
    ):
        await send_timed(peer, "U1", TIMER_DELAY_SEC=35)
        for _ in range(34):
            await enrol_and_deliver(broker)
            clock.advance(seconds=1)
        await enrol_and_deliver(broker)
        assert await bodies(peer) == []
        clock.advance(seconds=1)
        await enrol_and_deliver(broker)
        (message,) = await pull_all(peer, "T")
        stages = len(await pull_all(peer, TIMER)) - 1
    assert stages >= 3
    assert message.properties["TIMER_ROLL_TIMES"] == str(stages)
    assert message.store_timestamp_ms == START_MS + 35_000


async def test_forty_days_are_possible_by_setting(tmp_path: Path, clock: ManualClock) -> None:
    timers = replace(TIMERS, delay_max_seconds=40 * 86_400)
    async with (
        local_broker(tmp_path, clock, timers=timers) as broker,
        connected(broker, "one") as (peer,),
    ):
        await send_timed(peer, "U1", TIMER_DELAY_SEC=40 * 86_400)
        for _ in range(40):
            await enrol_and_deliver(broker)
            assert await bodies(peer) == []
            clock.advance(ms=DAY_MS)
        await enrol_and_deliver(broker)
        assert await bodies(peer) == [b"U1"]


@pytest.mark.parametrize("days", [3, 40])
async def test_the_longest_delay_is_taken_and_a_moment_more_is_not(
    tmp_path: Path, clock: ManualClock, days: int
) -> None:
    # Three days unless it is set, as Apache's.
    timers = TIMERS if days == 3 else replace(TIMERS, delay_max_seconds=days * 86_400)
    async with (
        local_broker(tmp_path, clock, timers=timers) as broker,
        connected(broker, "one") as (peer,),
    ):
        longest = days * DAY_MS
        await send_timed(peer, "U1", TIMER_DELAY_MS=longest)
        await send_timed(peer, "U2", TIMER_DELAY_SEC=longest // 1000)
        await send_timed(peer, "U3", TIMER_DELIVER_MS=START_MS + longest)
        end = broker.running.store.log_end
        for own in (
            {"TIMER_DELAY_MS": longest + 1},
            {"TIMER_DELAY_SEC": longest // 1000 + 1},
            {"TIMER_DELIVER_MS": START_MS + longest + 1},
        ):
            answer = await peer.send("T", b"x", 0, props(UNIQ_KEY="U", **own))
            assert answer.code == ResponseCode.MESSAGE_ILLEGAL
            assert "timerMaxDelaySec" in (answer.remark or "")
        assert broker.running.store.log_end == end


async def test_what_was_due_meanwhile_comes_at_once_and_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with (
        local_broker(tmp_path, clock, timers=TIMERS) as broker,
        connected(broker, "one") as (peer,),
    ):
        for number in range(300):
            await send_timed(peer, f"U{number}", TIMER_DELAY_SEC=1 + number)
        clock.advance(seconds=100)
        await enrol_and_deliver(broker)
        assert len(await bodies(peer)) == 100
    clock.advance(seconds=1000)
    for _ in range(2):
        async with (
            local_broker(tmp_path, clock, timers=TIMERS) as broker,
            connected(broker, "one") as (peer,),
        ):
            await enrol_and_deliver(broker)
            assert await bodies(peer) == [b"U%d" % number for number in range(300)]


async def test_a_full_slot_refuses_more(tmp_path: Path, clock: ManualClock) -> None:
    timers = replace(TIMERS, slot_messages_max=5)
    async with (
        local_broker(tmp_path, clock, timers=timers) as broker,
        connected(broker, "one") as (peer,),
    ):
        answers = []
        for number in range(60):
            own = props(UNIQ_KEY=f"U{number}", TIMER_DELIVER_MS=START_MS + 60_000)
            answers.append(await peer.send("T", b"x", 0, own))
            await enrol_and_deliver(broker)
        codes = [answer.code for answer in answers]
        assert codes[:6] == [0] * 6
        assert 6 <= codes.count(0) <= 10
        assert codes[-1] == ResponseCode.SYSTEM_ERROR
        assert "timerCongestNumEachSlot" in (answers[-1].remark or "")
        await send_timed(peer, "other", TIMER_DELAY_SEC=10)


@pytest.mark.parametrize(
    ("enabled", "own", "code"),
    [
        (False, {"TIMER_DELAY_SEC": 5}, ResponseCode.SYSTEM_ERROR),
        (True, {"TIMER_DELAY_SEC": 259_201}, ResponseCode.MESSAGE_ILLEGAL),
        (True, {"TIMER_DELAY_MS": "soon"}, ResponseCode.MESSAGE_ILLEGAL),
    ],
)
async def test_what_cannot_wait_is_refused_and_not_stored(
    tmp_path: Path, clock: ManualClock, enabled: bool, own: dict[str, object], code: int
) -> None:
    async with (
        local_broker(tmp_path, clock, timers=replace(TIMERS, enabled=enabled)) as broker,
        connected(broker, "one") as (peer,),
    ):
        end = broker.running.store.log_end
        answer = await peer.send("T", b"x", 0, props(UNIQ_KEY="U", **own))
        assert answer.code == code and answer.remark
        assert broker.running.store.log_end == end


async def test_operators_and_replicas_see_the_timer(
    broker: BrokerApp, peer: Peer, clock: ManualClock
) -> None:
    await send_timed(peer, "U1", TIMER_DELAY_SEC=60)
    await enrol_and_deliver(broker)
    timer = broker.running.models.timer
    assert timer is not None
    await timer.keep()
    broker.running.store.flush_log()
    await timer.keep()
    progress = await peer.call(RequestCode.GET_TIMER_CHECK_POINT)
    numbers = struct.unpack(">7q", bytes(progress.body))
    assert numbers[:4] == (START_MS, 52, 1, 1)
    metrics = await peer.call(RequestCode.GET_TIMER_METRICS)
    document = json.loads(bytes(metrics.body))
    assert document["timingCount"]["T"]["count"] == 1
    runtime = await peer.call(RequestCode.GET_BROKER_RUNTIME_INFO)
    table = KvTable.from_json(bytes(runtime.body)).table
    assert table["timerOffsetBehind"] == "0"
    assert table["timerReadBehind"] == "0"


async def test_what_apache_left_waiting_is_delivered(tmp_path: Path) -> None:
    root = golden_store.unpack("sync-clean", tmp_path)
    described = golden_store.expected("sync-clean")
    store = golden_store.config_of("sync-clean", root)
    read_ms = described["timer"]["timercheck"]["lastReadTimeMs"]
    pending = [
        record
        for record in described["records"]
        if record["topic"] == TIMER and int(record["properties"]["TIMER_OUT_MS"]) >= read_ms
    ]
    assert len(pending) == 7
    clock = ManualClock(read_ms)
    timers = TimersConfig(log_file_bytes=2080)
    async with (
        local_broker(tmp_path / "unused", clock, store=store, timers=timers) as broker,
        connected(broker, "one") as (peer,),
    ):
        waiting = broker.running.tables.waiting
        assert waiting.count("golden_Orders") == 6
        last_ms = max(int(record["properties"]["TIMER_OUT_MS"]) for record in pending)
        await enrol_and_deliver(broker)
        clock.advance(ms=last_ms + 1000 - clock.now_ms())
        await enrol_and_deliver(broker)
        found: list[Pulled] = []
        for topic, queues in (("golden_Orders", range(8)), ("golden_Events", range(8))):
            for queue_id in queues:
                found += await pull_all(peer, topic, queue_id)
        assert waiting.count("golden_Orders") == 0
    came = {
        m.properties["UNIQ_KEY"]: m.properties
        for m in found
        if m.store_timestamp_ms >= read_ms and "TIMER_DEQUEUE_MS" in m.properties
    }
    for record in pending:
        own = came.pop(record["properties"]["UNIQ_KEY"])
        assert own["TIMER_ENQUEUE_MS"] and own["TIMER_DEQUEUE_MS"]
        assert record["properties"].items() <= own.items()
    assert not came


async def test_files_are_apaches_byte_for_byte(tmp_path: Path, clock: ManualClock) -> None:
    root = golden_store.unpack("sync-clean", tmp_path)
    log = (root / "timerlog" / f"{0:020}").read_bytes()
    config = broker_config(root)
    described = golden_store.expected("sync-clean")["timer"]
    read_ms = described["timercheck"]["lastReadTimeMs"]
    store = golden_store.config_of("sync-clean", root)
    timers = TimersConfig(log_file_bytes=2080)
    assert config.timers.precision_ms == 1000
    async with local_broker(root, ManualClock(read_ms), store=store, timers=timers):
        pass
    assert (root / "timerlog" / f"{0:020}").read_bytes() == log
    wheel = (root / "timerwheel").read_bytes()
    for slot in described["slots_used"]:
        at = slot["slot"] * 32
        wanted = (slot["timeMs"] // 1000, slot["firstPos"], slot["lastPos"], slot["num"], 0)
        assert struct.unpack_from(">qqqii", wheel, at) == wanted
    check = struct.unpack_from(">7q", (root / "config" / "timercheck").read_bytes())
    assert check[:4] == (read_ms, 624, 12, 12)


async def test_messages_that_left_the_memory_come_too(tmp_path: Path, clock: ManualClock) -> None:
    store = broker_config(tmp_path).store
    store = replace(store, reading=replace(store.reading, hot_bytes=0))
    async with (
        local_broker(tmp_path, clock, store=store, timers=TIMERS) as broker,
        connected(broker, "one") as (peer,),
    ):
        timer = broker.running.models.timer
        assert timer is not None
        for number in range(50):
            await send_timed(peer, f"U{number}", TIMER_DELAY_SEC=60)
        await enrol_and_deliver(broker)
        clock.advance(ms=59_900)
        await enrol_and_deliver(broker)
        assert await bodies(peer) == [], "made ready, but not due"
        clock.advance(ms=100)
        await enrol_and_deliver(broker)
        assert await bodies(peer) == [b"U%d" % number for number in range(50)]
