"""kill -9 of a broker whose timer holds messages: none is lost, none comes twice or early."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.broker_process import broker_process
from tests.support.local_broker import Peer, connected
from tests.support.pulling import Pulled, props, pull_all
from tests.support.waiting import until

pytestmark = pytest.mark.crash

SETTINGS = {"timerPrecisionMs": 100, "mappedFileSizeTimerLog": 52 * 100}


async def send(peer: Peer, numbers: range, delay_ms: int) -> None:
    for number in numbers:
        own = props(TIMER_DELAY_MS=delay_ms, UNIQ_KEY=f"U{number}")
        answer = await peer.send("T", b"%d" % number, 0, own)
        assert answer.code == 0, answer.remark


async def until_delivered(peer: Peer, count: int) -> list[Pulled]:
    return await until_came(peer, lambda found: len(found) >= count)


async def until_came(peer: Peer, enough: Callable[[list[Pulled]], bool]) -> list[Pulled]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 15
    while not enough(found := await pull_all(peer, "T")):
        assert loop.time() < deadline, f"only {len(found)} came"
        await asyncio.sleep(0.02)
    return found


def numbers_of(found: list[Pulled]) -> Counter[int]:
    return Counter(int(message.body) for message in found)


async def test_what_waits_comes_after_a_kill_and_what_was_due_meanwhile_at_once(
    tmp_path: Path,
) -> None:
    async with broker_process(tmp_path, **SETTINGS) as broker:
        async with connected(broker, "one") as (peer,):
            await send(peer, range(150), 500)
            await send(peer, range(150, 300), 3000)
        broker.kill()
    async with broker_process(tmp_path, **SETTINGS) as broker:
        async with connected(broker, "one") as (peer,):
            found = await until_delivered(peer, 300)
        assert numbers_of(found) == Counter(range(300))
        for message in found:
            assert message.store_timestamp_ms > int(message.properties["TIMER_OUT_MS"])
        assert broker.stop() == 0


@pytest.mark.parametrize("seen_before", [1, 250])
async def test_each_comes_once_although_a_kill_fell_into_the_delivery(
    tmp_path: Path, seen_before: int
) -> None:
    async with broker_process(tmp_path, **SETTINGS) as broker:
        async with connected(broker, "one") as (peer,):
            moment_ms = int(time.time() * 1000) + 1500
            for number in range(400):
                own = props(TIMER_DELIVER_MS=moment_ms + number % 7 * 100, UNIQ_KEY=f"U{number}")
                await peer.send("T", b"%d" % number, 0, own)
            await until_delivered(peer, seen_before)
        broker.kill()
    for _ in range(2):
        async with broker_process(tmp_path, **SETTINGS) as broker:
            async with connected(broker, "one") as (peer,):
                await until_delivered(peer, 400)
                await send(peer, range(1000, 1001), 200)
                came = numbers_of(await until_came(peer, lambda x: 1000 in numbers_of(x)))
                del came[1000]
                assert came == Counter(range(400))
            broker.kill()


def find(directory: Path, name: str) -> list[Path]:
    return list(directory.rglob(name))


def lose(directory: Path, name: str) -> None:
    (path,) = find(directory, name)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@pytest.mark.parametrize("lost", ["timerwheel", "timerlog", "timercheck"])
async def test_a_file_of_the_timer_that_is_lost_costs_no_message(tmp_path: Path, lost: str) -> None:
    async with broker_process(tmp_path, **SETTINGS) as broker:
        async with connected(broker, "one") as (peer,):
            await send(peer, range(20), 100)
            await until_delivered(peer, 20)
            await send(peer, range(20, 270), 4000)
            await until(lambda: find(tmp_path, "timercheck"))
        broker.kill()
    lose(tmp_path, lost)
    async with broker_process(tmp_path, **SETTINGS) as broker:
        async with connected(broker, "one") as (peer,):
            found = await until_delivered(peer, 270)
        assert numbers_of(found) == Counter(range(270))


async def test_a_recall_holds_after_a_kill(tmp_path: Path) -> None:
    settings = {**SETTINGS, "recallMessageEnable": True}
    async with broker_process(tmp_path, **settings) as broker:
        async with connected(broker, "one") as (peer,):
            own = props(TIMER_DELAY_MS=6000, UNIQ_KEY="U1")
            handle = (await peer.send("T", b"1", 0, own)).fields["recallHandle"]
            await send(peer, range(2, 3), 6000)
            answer = await peer.call(370, {"topic": "T", "recallHandle": handle})
            assert answer.code == 0
        broker.kill()
    async with broker_process(tmp_path, **settings) as broker:
        async with connected(broker, "one") as (peer,):
            await send(peer, range(3, 4), 6500)
            found = await until_delivered(peer, 2)
        assert numbers_of(found) == Counter([2, 3])
