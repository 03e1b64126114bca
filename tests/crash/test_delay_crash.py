"""kill -9 of a broker whose delay levels hold messages, some delivered, some not, some about to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.broker_process import broker_process
from tests.support.local_broker import Peer, connected
from tests.support.pulling import props, pull_all

from pocketmq.protocol.codes import RequestCode

pytestmark = pytest.mark.crash

LEVELS = "1s 2s 1h"
RETRY = "%RETRY%g"


async def delivered(peer: Peer, topic: str = "T") -> list[int]:
    return [int(message.body) for message in await pull_all(peer, topic)]


async def until_delivered(peer: Peer, count: int, topic: str = "T") -> list[int]:
    for _ in range(250):
        found = await delivered(peer, topic)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"only {len(found)} of {count} messages of {topic} were delivered")


async def send(peer: Peer, numbers: range, level: int) -> None:
    for number in numbers:
        own = props(DELAY=level, UNIQ_KEY=f"U{number}")
        answer = await peer.send("T", b"%d" % number, 0, own)
        assert answer.code == 0, answer.remark


async def test_what_waits_is_delivered_after_a_kill(tmp_path: Path) -> None:
    async with broker_process(tmp_path, messageDelayLevel=LEVELS) as broker:
        async with connected(broker, "one") as (peer,):
            await send(peer, range(20), 1)
            await send(peer, range(20, 40), 2)
            await send(peer, range(40, 45), 3)
        broker.kill()
    async with broker_process(tmp_path, messageDelayLevel=LEVELS) as broker:
        async with connected(broker, "one") as (peer,):
            assert sorted(await until_delivered(peer, 40)) == list(range(40))
        assert broker.stop() == 0


@pytest.mark.parametrize("seen_before", [1, 60])
async def test_each_is_delivered_once_although_the_offset_was_not_saved(
    tmp_path: Path, seen_before: int
) -> None:
    async with broker_process(tmp_path, messageDelayLevel=LEVELS) as broker:
        async with connected(broker, "one") as (peer,):
            await send(peer, range(120), 1)
            await until_delivered(peer, seen_before)
        broker.kill()
    for restart in range(2):
        async with broker_process(tmp_path, messageDelayLevel=LEVELS) as broker:
            async with connected(broker, "one") as (peer,):
                await send(peer, range(120 + restart, 121 + restart), 1)
                found = await until_delivered(peer, 121 + restart)
                assert sorted(found) == list(range(121 + restart))
            broker.kill()


async def test_a_retry_whose_original_is_not_acknowledged_comes_after_a_kill(
    tmp_path: Path,
) -> None:
    async with broker_process(tmp_path, messageDelayLevel=LEVELS) as broker:
        async with connected(broker, "one") as (peer,):
            await peer.send("T", b"7", 0)
            (message,) = await pull_all(peer, "T")
            fields = {"offset": str(message.log_offset), "group": "g", "delayLevel": "1"}
            answer = await peer.call(RequestCode.CONSUMER_SEND_MSG_BACK, fields)
            assert answer.code == 0
        broker.kill()
    second = broker_process(tmp_path, messageDelayLevel=LEVELS)
    async with second as broker, connected(broker, "one") as (peer,):
        assert await until_delivered(peer, 1, RETRY) == [7]
        (again,) = await pull_all(peer, RETRY)
        assert again.reconsume_times == 1
        assert await delivered(peer) == [7], "the original is still there for its group"
