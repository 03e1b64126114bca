"""A broker killed while messages are popped: what is not acknowledged comes again, the rest not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.broker_process import broker_process
from tests.support.local_broker import connected
from tests.support.pops import ack, handles, pop, records, tell
from tests.support.waiting import until

from pocketmq.broker.rules.pop import Handle
from pocketmq.clock import SystemClock
from pocketmq.protocol.codes import RequestCode

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]


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


async def test_a_renewed_message_stays_hidden_over_a_kill(tmp_path: Path) -> None:
    quick = {"flushConsumerOffsetInterval": 100}
    clock = SystemClock()
    async with broker_process(tmp_path, **quick) as broker, connected(broker, "c") as (peer,):
        for body in (b"a", b"b", b"c"):
            assert (await peer.send("T", body)).code == 0
        found: list[Handle] = []
        while len(found) < 3:
            now_ms = clock.now_ms()
            found += handles(await pop(peer, pollTime=5000, bornTime=now_ms, invisibleTime=2000))
        first, renewed, _ = sorted(found, key=lambda handle: handle.offset or 0)
        assert (await ack(peer, first)).code == 0
        code = RequestCode.CHANGE_MESSAGE_INVISIBLETIME
        assert (await tell(peer, code, renewed, invisibleTime=9000)).code == 0
        until_ms = clock.now_ms() + 8000
        saved = tmp_path / "store" / "config" / "consumerOffset.json"
        await until(lambda: saved.exists() and re.search(rb'"T@g":{[^}]*0:3', saved.read_bytes()))
        broker.kill()
    seen: dict[bytes, int] = {}
    async with broker_process(tmp_path, **quick) as broker, connected(broker, "d") as (peer,):
        give_up_ms = clock.now_ms() + 30_000
        while not {b"b", b"c"} <= set(seen) and clock.now_ms() < give_up_ms:
            answer = await pop(peer, pollTime=2000, bornTime=clock.now_ms(), invisibleTime=60_000)
            for record in records(answer) if answer.code == 0 else ():
                seen.setdefault(bytes(record.body), clock.now_ms())
    assert set(seen) == {b"b", b"c"}
    assert seen[b"b"] >= until_ms > seen[b"c"]


async def test_nothing_is_lost_whenever_the_kill_comes(tmp_path: Path) -> None:
    """Messages are popped and half of them acknowledged, over and over, until the broker dies."""
    clock, sent, settled = SystemClock(), set[bytes](), set[bytes]()
    async with broker_process(tmp_path) as broker, connected(broker, "c") as (peer,):
        for round_number in range(40):
            body = b"%d" % round_number
            assert (await peer.send("T", body, round_number % 4)).code == 0
            sent.add(body)
            answer = await pop(peer, bornTime=clock.now_ms(), pollTime=200, invisibleTime=2000)
            if answer.code != 0:
                continue
            for handle, record in zip(handles(answer), records(answer), strict=True):
                if round_number % 2:
                    assert (await ack(peer, handle)).code == 0
                    settled.add(bytes(record.body))
        broker.kill()
    seen: set[bytes] = set()
    async with broker_process(tmp_path) as broker, connected(broker, "d") as (peer,):
        give_up_ms = clock.now_ms() + 30_000
        while not sent - settled <= seen and clock.now_ms() < give_up_ms:
            answer = await pop(peer, pollTime=2000, bornTime=clock.now_ms(), invisibleTime=60_000)
            if answer.code == 0:
                seen |= {bytes(record.body) for record in records(answer)}
    assert sent - settled <= seen, "what nobody acknowledged comes again"
