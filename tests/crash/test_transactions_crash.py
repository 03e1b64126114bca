"""A broker killed in the middle of transactions: no message is lost, none is delivered twice."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.broker_process import BrokerProcess, broker_process
from tests.support.local_broker import Peer, connected
from tests.support.pulling import props, pull_all
from tests.support.waiting import until

from pocketmq.clock import SystemClock
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

OPERATIONS = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
COMMIT, ROLLBACK = 8, 12
EAGER = {
    "transactionTimeOut": 100,
    "transactionCheckInterval": 100,
    "transactionOpBatchInterval": 50,
    "flushConsumerOffsetInterval": 100,
}
LAZY = {
    "transactionTimeOut": 600_000,
    "transactionCheckInterval": 600_000,
    "transactionOpBatchInterval": 600_000,
}
"""A broker that never lists what has ended and never asks, as if it died before it could."""


@dataclass(frozen=True)
class Half:
    queue_offset: int
    log_offset: int


async def begin(peer: Peer, key: str) -> Half:
    text = props(TRAN_MSG="true", PGROUP="p", UNIQ_KEY=key)
    fields = {
        "a": "p",
        "b": "T",
        "c": "TBW102",
        "d": "1",
        "e": "0",
        "f": "4",
        "g": str(SystemClock().now_ms()),
        "h": "0",
        "i": text,
    }
    answer = await peer.call(RequestCode.SEND_MESSAGE_V2, fields, key.encode())
    assert answer.code == 0, answer.remark
    place = decode_offset_message_id(answer.fields["msgId"])
    return Half(int(answer.fields["queueOffset"]), place.log_offset)


async def end(peer: Peer, half: Half, decision: int, *, asked: bool = False) -> Command:
    header = {
        "producerGroup": "p",
        "tranStateTableOffset": str(half.queue_offset),
        "commitLogOffset": str(half.log_offset),
        "commitOrRollback": str(decision),
        "fromTransactionCheck": str(asked).lower(),
    }
    return await peer.call(RequestCode.END_TRANSACTION, header)


async def bodies(peer: Peer, topic: str = "T") -> list[bytes]:
    return [message.body for message in await pull_all(peer, topic)]


async def answer_questions(peer: Peer, decisions: dict[str, int], seconds: float) -> set[str]:
    """Answer what the broker asks for a while; return the keys it asked about."""
    asked: set[str] = set()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    seen = 0
    while loop.time() < deadline:
        await peer.heartbeat(producers=("p",))
        for question in peer.asked[seen:]:
            seen += 1
            if question.code != RequestCode.CHECK_TRANSACTION_STATE:
                continue
            key = bytes(decode_record(question.body).body).decode()
            asked.add(key)
            fields = question.fields
            half = Half(int(fields["tranStateTableOffset"]), int(fields["commitLogOffset"]))
            await end(peer, half, decisions[key], asked=True)
        await asyncio.sleep(0.02)
    return asked


async def listed(peer: Peer) -> set[int]:
    lists = b"".join(await bodies(peer, OPERATIONS))
    return {int(text) for text in lists.decode().split(",") if text}


@pytest.mark.parametrize("mode", ["ASYNC_FLUSH", "SYNC_FLUSH"])
async def test_ends_whose_list_is_lost_are_neither_repeated_nor_forgotten(
    tmp_path: Path, mode: str
) -> None:
    async with broker_process(tmp_path, flushDiskType=mode, **LAZY) as broker:
        async with connected(broker, "one") as (peer,):
            halves = {key: await begin(peer, key) for key in ("done", "dropped", "open", "late")}
            assert (await end(peer, halves["done"], COMMIT)).code == 0
            assert (await end(peer, halves["dropped"], ROLLBACK)).code == 0
            assert await listed(peer) == set()
        broker.kill()
    async with broker_process(tmp_path, flushDiskType=mode, **EAGER) as broker:
        async with connected(broker, "one") as (peer,):
            assert (await end(peer, halves["late"], COMMIT)).code == 0
            assert (await end(peer, halves["done"], COMMIT)).code == 0, "again: no second delivery"
            decisions = {"done": COMMIT, "dropped": ROLLBACK, "open": COMMIT, "late": COMMIT}
            asked = await answer_questions(peer, decisions, 1.5)
            assert "done" not in asked, "its delivered message was found"
            assert asked >= {"open", "dropped"}, "its decision is lost, so it is asked for again"
            assert sorted(await bodies(peer)) == [b"done", b"late", b"open"]
        broker.kill()
    async with (
        broker_process(tmp_path, flushDiskType=mode, **EAGER) as broker,
        connected(broker, "one") as (peer,),
    ):
        # How far the rounds were may be lost, so a question may come again; its answer is the same.
        await answer_questions(peer, decisions, 0.6)
        assert sorted(await bodies(peer)) == [b"done", b"late", b"open"]


async def test_a_list_on_the_disk_is_believed(tmp_path: Path) -> None:
    settings = {**LAZY, "transactionOpBatchInterval": 20}
    async with broker_process(tmp_path, **settings) as broker:
        async with connected(broker, "one") as (peer,):
            halves = [await begin(peer, f"K{number}") for number in range(4)]
            await end(peer, halves[0], COMMIT)
            await end(peer, halves[1], ROLLBACK)
            for _ in range(500):
                if await listed(peer) == {0, 1}:
                    break
                await asyncio.sleep(0.01)
        broker.kill()
    async with broker_process(tmp_path, **EAGER) as broker, connected(broker, "one") as (peer,):
        decisions = {"K2": COMMIT, "K3": ROLLBACK}
        assert await answer_questions(peer, decisions, 4.0) == {"K2", "K3"}
        assert await bodies(peer) == [b"K0", b"K2"]


async def test_a_broker_killed_between_question_and_answer_asks_again(tmp_path: Path) -> None:
    async with broker_process(tmp_path, **EAGER) as broker, connected(broker, "one") as (peer,):
        half = await begin(peer, "K")
        await peer.heartbeat(producers=("p",))
        await until(lambda: RequestCode.CHECK_TRANSACTION_STATE in peer.asked_codes())
        broker.kill()
    async with broker_process(tmp_path, **EAGER) as broker, connected(broker, "one") as (peer,):
        # The producer decides only now, about the half message it sent itself.
        assert (await end(peer, half, COMMIT)).code == 0
        await answer_questions(peer, {"K": COMMIT}, 1.0)
        assert await bodies(peer) == [b"K"]


async def test_many_kills_under_load_deliver_every_commit_exactly_once(tmp_path: Path) -> None:
    decisions: dict[str, int] = {}
    halves: dict[str, Half] = {}

    async def load(broker: BrokerProcess, run: int) -> None:
        async with connected(broker, "one") as (peer,):
            await peer.heartbeat(producers=("p",))
            for number in range(60):
                key = f"R{run}N{number}"
                decisions[key] = ROLLBACK if number % 3 == 0 else COMMIT
                halves[key] = await begin(peer, key)
                if number % 4:
                    await end(peer, halves[key], decisions[key])

    for run in range(3):
        async with broker_process(tmp_path, **EAGER) as broker:
            await load(broker, run)
            broker.kill()
    async with broker_process(tmp_path, **EAGER) as broker, connected(broker, "one") as (peer,):
        committed = sorted(k.encode() for k, kind in decisions.items() if kind == COMMIT)
        for key, half in halves.items():
            if key.endswith("1"):
                await end(peer, half, decisions[key])
        for _ in range(20):
            await answer_questions(peer, decisions, 0.4)
            delivered = sorted(await bodies(peer))
            if len(delivered) >= len(committed):
                break
        assert delivered == committed
        await answer_questions(peer, decisions, 0.5)
        assert sorted(await bodies(peer)) == committed
