"""A broker killed while messages are popped: what is not acknowledged comes again, the rest not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.broker_process import broker_process
from tests.support.local_broker import connected
from tests.support.pops import ack, handles, pop, records
from tests.support.waiting import until

from pocketmq.broker.rules.pop import Handle
from pocketmq.clock import SystemClock

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60)]


async def test_open_pops_survive_a_kill(tmp_path: Path) -> None:
    quick = {"flushConsumerOffsetInterval": 100}
    async with broker_process(tmp_path, **quick) as broker, connected(broker, "c") as (peer,):
        for body in (b"a", b"b", b"c"):
            assert (await peer.send("T", body)).code == 0
        found: list[Handle] = []
        while len(found) < 3:
            now_ms = SystemClock().now_ms()
            found += handles(await pop(peer, pollTime=5000, bornTime=now_ms, invisibleTime=4000))
        middle = next(handle for handle in found if handle.offset == 1)
        assert (await ack(peer, middle)).code == 0
        saved = tmp_path / "store" / "config" / "consumerOffset.json"
        await until(lambda: saved.exists() and re.search(rb'"T@g":{[^}]*0:3', saved.read_bytes()))
        broker.kill()
    seen: list[bytes] = []
    async with broker_process(tmp_path, **quick) as broker, connected(broker, "d") as (peer,):
        until_ms = SystemClock().now_ms() + 25_000
        while not {b"a", b"c"} <= set(seen) and SystemClock().now_ms() < until_ms:
            now_ms = SystemClock().now_ms()
            answer = await pop(peer, pollTime=2000, bornTime=now_ms, invisibleTime=60_000)
            if answer.code == 0:
                seen += [bytes(record.body) for record in records(answer)]
    assert sorted(seen) == [b"a", b"c"]
