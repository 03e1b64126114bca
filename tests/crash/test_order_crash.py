"""kill -9 of a broker that is popped in order, keeps whole batches, or places of broadcasts.

Nothing is missing afterwards, and nothing is out of its place.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.cluster.test_model_batch_topics import send_batch
from tests.support.broker_process import broker_process
from tests.support.local_broker import Peer, connected
from tests.support.pops import ack, handles, pop, records
from tests.support.pulling import props, pull_all
from tests.support.waiting import until

from pocketmq.clock import SystemClock
from pocketmq.message.batch import decode_batch
from pocketmq.message.positions import QueueOffset
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.requests.pull import PullRequest

pytestmark = [pytest.mark.crash, pytest.mark.timeout(120)]

QUICK = {"flushConsumerOffsetInterval": 100}
LETTERS = [b"a", b"b", b"c", b"d", b"e", b"f"]


async def pop_in_order(peer: Peer, invisible_ms: int = 2000) -> Command:
    """Pop up to three messages, as soon as the queue gives any."""
    clock = SystemClock()
    give_up_ms = clock.now_ms() + 20_000
    while clock.now_ms() < give_up_ms:
        fields = {"order": "true", "maxMsgNums": 3, "invisibleTime": invisible_ms, "queueId": 0}
        answer = await pop(peer, **fields, pollTime=1000, bornTime=clock.now_ms())
        if answer.code == 0:
            return answer
    raise AssertionError("the queue gave nothing")


def bodies(answer: Command) -> list[bytes]:
    return [bytes(record.body) for record in records(answer)]


@pytest.mark.parametrize("saved", [True, False])
async def test_ordered_pops_go_on_in_order_where_the_acks_were(tmp_path: Path, saved: bool) -> None:
    async with broker_process(tmp_path, **QUICK) as broker, connected(broker, "c") as (peer,):
        for body in LETTERS:
            assert (await peer.send("T", body)).code == 0
        first = await pop_in_order(peer)
        assert bodies(first) == LETTERS[:3]
        assert (await ack(peer, handles(first)[0])).code == 0
        if saved:
            offsets = tmp_path / "store" / "config" / "consumerOffset.json"
            await until(
                lambda: offsets.exists() and re.search(rb'"T@g":{[^}]*0:1\b', offsets.read_bytes())
            )
        broker.kill()
    heard: list[bytes] = []
    async with broker_process(tmp_path, **QUICK) as broker, connected(broker, "d") as (peer,):
        while heard[-1:] != LETTERS[-1:]:
            answer = await pop_in_order(peer)
            heard += bodies(answer)
            for handle in handles(answer):
                assert (await ack(peer, handle)).code == 0
    # What was acknowledged a moment before the end may come again, but then in its place.
    assert heard == LETTERS[1:] or (not saved and heard == LETTERS)


@pytest.mark.parametrize("mode", ["ASYNC_FLUSH", "SYNC_FLUSH"])
async def test_whole_batches_are_whole_after_a_kill_and_offsets_go_on(
    tmp_path: Path, mode: str
) -> None:
    make = {
        "topic": "B", "defaultTopic": "TBW102", "readQueueNums": "1", "writeQueueNums": "1",
        "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false",
        "attributes": "+queue.type=BatchCQ",
    }  # fmt: skip
    wanted: list[tuple[int, list[bytes]]] = []
    offset = 0
    async with broker_process(tmp_path, flushDiskType=mode) as broker:
        async with connected(broker, "one") as (peer,):
            assert (await peer.call(RequestCode.UPDATE_AND_CREATE_TOPIC, make)).code == 0
            for number in range(40):
                inner = [b"%d-%d" % (number, n) for n in range(1 + number % 4)]
                own = props(UNIQ_KEY=f"U{number}")
                answer = await send_batch(peer, *inner, properties=own)
                assert (answer.code, answer.fields["queueOffset"]) == (0, str(offset))
                wanted.append((offset, inner))
                offset += len(inner)
        broker.kill()
    async with broker_process(tmp_path) as broker, connected(broker, "two") as (peer,):
        answer = await send_batch(peer, b"x", b"y", properties=props(UNIQ_KEY="after"))
        assert (answer.code, answer.fields["queueOffset"]) == (0, str(offset))
        wanted.append((offset, [b"x", b"y"]))
        found = [
            (message.queue_offset, [bytes(item.body) for item in decode_batch(message.body)])
            for message in await pull_all(peer, "B")
        ]
        assert found == wanted


async def test_a_broadcasting_member_goes_on_where_it_was_written_down(tmp_path: Path) -> None:
    async def pull(peer: Peer, offset: int) -> Command:
        request = PullRequest(
            "g", "T", 0, QueueOffset(offset), 32, 4, QueueOffset(0), 0, "*", 0, "TAG",
            request_source=1, proxy_client_id="member",
        )  # fmt: skip
        return await peer.call(RequestCode.PULL_MESSAGE, request)

    async with broker_process(tmp_path, **QUICK) as broker, connected(broker, "proxy") as (peer,):
        for body in LETTERS:
            assert (await peer.send("T", body)).code == 0
        assert (await pull(peer, 3)).code == 0
        offsets = tmp_path / "store" / "config" / "consumerOffset.json"
        await until(
            lambda: (
                offsets.exists()
                and re.search(rb'"T@g@broadcast":{[^}]*0:3\b', offsets.read_bytes()) is not None
            ),
            15,
        )
        broker.kill()
    async with broker_process(tmp_path) as broker, connected(broker, "proxy") as (peer,):
        moved = await pull(peer, -1)
        assert (moved.code, moved.remark) == (ResponseCode.PULL_OFFSET_MOVED, "OFFSET_RESET")
        answer = await pull(peer, int(moved.fields["nextBeginOffset"]))
        assert bodies(answer) == LETTERS[3:]
