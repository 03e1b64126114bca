"""kill -9 under load: what was acknowledged is there afterwards, where the answer said."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.broker_process import BrokerProcess, broker_process
from tests.support.local_broker import Peer, connected
from tests.support.waiting import until

from pocketmq.errors import NetError
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode, ResponseCode

QUEUES = 4
Place = tuple[int, int]  # queue id, queue offset


async def send_until_cut(peer: Peer, name: str, acknowledged: dict[Place, bytes]) -> None:
    number = 0
    while True:
        body = f"{name}-{number}".encode()
        try:
            answer = await peer.send("T", body, number % QUEUES, f"UNIQ_KEY\x01{name}{number}\x02")
        except NetError:
            return
        assert answer.code == ResponseCode.SUCCESS
        place = (int(answer.fields["queueId"]), int(answer.fields["queueOffset"]))
        assert place not in acknowledged, "a queue offset was given out twice"
        acknowledged[place] = body
        number += 1


async def read_all(peer: Peer) -> dict[Place, bytes]:
    found: dict[Place, bytes] = {}
    for queue_id in range(QUEUES):
        offset = 0
        while True:
            fields = {"consumerGroup": "g", "topic": "T", "queueId": str(queue_id)}
            fields |= {"queueOffset": str(offset), "maxMsgNums": "32", "sysFlag": "4"}
            fields |= {"commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*"}
            answer = await peer.call(RequestCode.PULL_MESSAGE, fields)
            if answer.code != ResponseCode.SUCCESS:
                break
            body = bytes(answer.body)
            at = 0
            while at < len(body):
                record = decode_record(body, at)
                found[(record.queue_id, record.queue_offset)] = bytes(record.body)
                at += record.size
            offset = int(answer.fields["nextBeginOffset"])
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["ASYNC_FLUSH", "SYNC_FLUSH"])
async def test_every_acknowledged_message_outlives_two_kills(tmp_path: Path, mode: str) -> None:
    acknowledged: dict[Place, bytes] = {}
    for turn in range(2):
        async with broker_process(tmp_path, flushDiskType=mode) as broker:
            await load_and_kill(broker, turn, acknowledged)
    async with (
        broker_process(tmp_path, flushDiskType=mode) as broker,
        connected(broker, "reader") as (reader,),
    ):
        found = await read_all(reader)
    assert len(acknowledged) > 100
    assert acknowledged.items() <= found.items()
    for queue_id in range(QUEUES):
        offsets = sorted(offset for queue, offset in found if queue == queue_id)
        assert offsets == list(range(len(offsets))), "a queue has a gap"


async def load_and_kill(broker: BrokerProcess, turn: int, acknowledged: dict[Place, bytes]) -> None:
    names = [f"t{turn}c{number}" for number in range(8)]
    enough = len(acknowledged) + 200
    async with connected(broker, *names) as peers:
        pairs = zip(peers, names, strict=True)
        sending = [
            asyncio.ensure_future(send_until_cut(peer, name, acknowledged)) for peer, name in pairs
        ]
        await until(lambda: len(acknowledged) >= enough)
        broker.kill()
        await asyncio.gather(*sending)
