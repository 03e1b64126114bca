"""A whole broker whose disk is slow, or fails for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.support.failing_disk import FailingDisk
from tests.support.local_broker import START_MS, Peer, broker_config, connected, local_broker
from tests.support.pulling import pull_all
from tests.support.waiting import until

from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.errors import FlushFailed
from pocketmq.message.batch import encode_batch
from pocketmq.protocol.bodies.offsets import DelayOffsets
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.store.config import FlushConfig

Mode = Literal["SYNC_FLUSH", "ASYNC_FLUSH"]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FailingDisk:
    return FailingDisk(monkeypatch)


@asynccontextmanager
async def flushing_broker(root: Path, mode: Mode) -> AsyncIterator[tuple[BrokerApp, Peer]]:
    config = broker_config(root).store

    flush = FlushConfig(mode, interval_ms=10, pages_min=0)
    async with (
        local_broker(root, store=replace(config, flush=flush)) as app,
        connected(app, "one") as (peer,),
    ):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        yield app, peer


async def send(peer: Peer, body: bytes, code: int, properties: str) -> Command:
    """Send to T in one of the three ways there are."""
    if code == RequestCode.SEND_MESSAGE:
        return await peer.send("T", body, 0, properties)
    fields = {"a": "p", "b": "T", "c": "TBW102", "d": "4", "e": "0", "f": "0"}
    fields |= {"g": "1700000000000", "h": "0", "i": properties, "j": "0", "k": "false"}
    batch = code == RequestCode.SEND_BATCH_MESSAGE
    fields["m"] = "true" if batch else "false"
    return await peer.call(code, fields, encode_batch([(0, body, b"")]) if batch else body)


async def bodies(peer: Peer) -> list[bytes]:
    return [message.body for message in await pull_all(peer, "T")]


@pytest.mark.parametrize(
    "code",
    [
        RequestCode.SEND_MESSAGE,
        RequestCode.SEND_MESSAGE_V2,
        RequestCode.SEND_BATCH_MESSAGE,
    ],
)
async def test_who_does_not_want_to_wait_for_the_disk_is_answered_at_once(
    tmp_path: Path, disk: FailingDisk, code: int
) -> None:
    async with flushing_broker(tmp_path, "SYNC_FLUSH") as (app, peer):
        with disk.stuck():
            waits = asyncio.ensure_future(send(peer, b"waits", code, "UNIQ_KEY\x01A\x02"))
            await until(lambda: app.running.flush.waiting)
            answer = await send(peer, b"does not", code, "UNIQ_KEY\x01B\x02WAIT\x01false\x02")
            assert (answer.code, answer.fields["queueOffset"]) == (0, "1")
            assert not waits.done()
            assert await bodies(peer) == [], "nobody sees what the disk may still lose"
        assert (await waits).code == 0
        await until(lambda: app.running.store.dispatched_offset == app.running.store.log_end)
        assert await bodies(peer) == [b"waits", b"does not"]


async def test_a_disk_that_takes_too_long_is_told_of(tmp_path: Path, disk: FailingDisk) -> None:
    config = broker_config(tmp_path).store
    flush = replace(config.flush, mode="SYNC_FLUSH", sync_timeout_ms=20)
    async with (
        local_broker(tmp_path, store=replace(config, flush=flush)) as app,
        connected(app, "one") as (peer,),
    ):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        with disk.stuck():
            late = await peer.send("T", b"late")
        assert (late.code, late.fields["queueOffset"]) == (ResponseCode.FLUSH_DISK_TIMEOUT, "0")
        store = app.running.store
        await until(lambda: store.dispatched_offset == store.log_end)
        assert await bodies(peer) == [b"late"], "it is stored all the same"


@pytest.mark.parametrize("mode", ["SYNC_FLUSH", "ASYNC_FLUSH"])
async def test_after_a_failed_flush_sends_are_refused_and_pulls_go_on(
    tmp_path: Path, disk: FailingDisk, mode: Mode
) -> None:
    async with flushing_broker(tmp_path, mode) as (app, peer):
        kept = [b"%d" % number for number in range(20)]
        for body in kept:
            assert (await peer.send("T", body)).code == 0
        store = app.running.store
        await until(lambda: store.flushed_offset == store.log_end)
        disk.broken = True
        doubtful = await peer.send("T", b"doubtful")
        sync = mode == "SYNC_FLUSH"
        assert doubtful.code == (ResponseCode.FLUSH_DISK_TIMEOUT if sync else 0)
        await until(lambda: store.failure)
        refused = await peer.send("T", b"refused")
        assert refused.code == ResponseCode.SERVICE_NOT_AVAILABLE
        assert "Check the disk, then restart the broker" in str(refused.remark)
        seen = await bodies(peer)
        assert seen == (kept if sync else [*kept, b"doubtful"])
        # The disk works again, but who knows what it has lost meanwhile.
        disk.broken = False
        assert (await peer.send("T")).code == ResponseCode.SERVICE_NOT_AVAILABLE
    async with flushing_broker(tmp_path, mode) as (app, peer):
        assert not app.running.report.clean
        found = await bodies(peer)
        assert found[: len(kept)] == kept
        assert set(found[len(kept) :]) <= {b"doubtful"}
        answer = await peer.send("T", b"works again")
        assert (answer.code, answer.fields["queueOffset"]) == (0, str(len(found)))
        assert (await bodies(peer))[-1] == b"works again"


async def test_a_delivery_that_the_disk_may_have_lost_is_not_written_down_as_done(
    tmp_path: Path, disk: FailingDisk
) -> None:
    clock = ManualClock(START_MS)
    offsets = tmp_path / "config" / "delayOffset.json"
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        app.running.tables.topics.put(TopicConfig("T", 4, 4))
        for number in range(2):
            later = f"UNIQ_KEY\x01{number}\x02DELAY\x011\x02"
            assert (await peer.send("T", b"late", 0, later)).code == 0
            app.running.dispatch.drain()
            app.running.store.flush_log()
            clock.advance(seconds=2)
            assert await app.running.models.delay.step() == 1
            app.running.dispatch.drain()
        disk.broken = True
        with pytest.raises(FlushFailed):
            app.running.store.flush_log()
        disk.broken = False  # so that the tables can be written
    assert DelayOffsets.from_json(offsets.read_bytes()).offset_table == {1: 1}
    async with local_broker(tmp_path, clock) as app, connected(app, "one") as (peer,):
        await app.running.models.delay.step()
        app.running.dispatch.drain()
        assert await bodies(peer) == [b"late", b"late"], "each of them once"


async def test_a_send_that_makes_a_topic_is_answered_although_the_topic_cannot_be_saved(
    tmp_path: Path, disk: FailingDisk
) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        disk.broken = True
        answer = await peer.send("New", b"first")
        disk.broken = False
        assert (answer.code, answer.fields["queueOffset"]) == (0, "0")
        assert (await peer.send("New", b"second")).code == 0
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        assert [message.body for message in await pull_all(peer, "New")] == [b"first", b"second"]


async def test_a_topic_that_a_broken_disk_does_not_take_is_one_line_and_no_trace(
    tmp_path: Path, disk: FailingDisk, caplog: pytest.LogCaptureFixture
) -> None:
    fields = {"topic": "New", "defaultTopic": "TBW102", "readQueueNums": "4", "writeQueueNums": "4"}
    fields |= {"perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"}
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        disk.broken = True
        with caplog.at_level("ERROR", "pocketmq.net.dispatch"):
            answer = await peer.call(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
        disk.broken = False
        assert answer.code == ResponseCode.SYSTEM_ERROR
        assert "topics.json failed (Input/output error); check the disk" in str(answer.remark)
    (record,) = (x for x in caplog.records if x.name == "pocketmq.net.dispatch")
    assert record.exc_info is None
    assert str(answer.remark) in record.getMessage()
