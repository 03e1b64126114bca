"""A client by hand, for what the official ones do not let a test choose: one place, one moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.local_broker import Peer, peer_at
from tests.support.pops import records
from tests.support.pulling import Pulled, props, pull_all

from pocketmq.message.batch import encode_batch
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

OPERATIONS = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
INVISIBLE_MS = 12_000
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Half:
    """Where a half message lies."""

    queue_offset: int
    log_offset: int


class Client:
    """What is sent, ended, popped and read by hand; topics are named after the directory."""

    def __init__(self, peer: Peer, broker: str) -> None:
        self.peer = peer
        self.broker = broker
        names = ("plain", "whole", "pop", "ordered")
        self.plain, self.whole, self.popped, self.ordered = (f"{broker}-{name}" for name in names)
        self.halves: dict[str, Half] = {}
        self._answered = 0

    # -- transactions ---------------------------------------------------------------------

    async def begin(self, key: str) -> None:
        """Send a half message whose body and unique key are `key`."""
        own = props(TRAN_MSG="true", PGROUP="p", UNIQ_KEY=key, TAGS="T", own=key)
        fields = {**_send_fields(self.plain, own), "f": "4"}
        answer = await self.peer.call(RequestCode.SEND_MESSAGE_V2, fields, key.encode())
        assert answer.code == 0, answer.remark
        place = decode_offset_message_id(answer.fields["msgId"])
        self.halves[key] = Half(int(answer.fields["queueOffset"]), place.log_offset)

    async def end(self, half: Half, decision: int, *, asked: bool = False) -> None:
        """End a transaction."""
        header = {
            "producerGroup": "p",
            "tranStateTableOffset": str(half.queue_offset),
            "commitLogOffset": str(half.log_offset),
            "commitOrRollback": str(decision),
            "fromTransactionCheck": str(asked).lower(),
            "msgId": "unchecked",
            "transactionId": "unchecked",
        }
        answer = await self.peer.call(RequestCode.END_TRANSACTION, header)
        assert answer.code == 0, answer.remark

    async def wait_listed(self, count: int) -> None:
        """Wait until the broker has listed so many ended half messages on the disk."""

        async def listed() -> int:
            found = await pull_all(self.peer, OPERATIONS, group="lists")
            return len({place for message in found for place in message.body.split(b",") if place})

        await until_counted(listed, count)

    async def answer_checks(self, decisions: dict[str, int]) -> list[str]:
        """Answer the questions that came since; return the keys of the messages asked about."""
        await self.peer.heartbeat(producers=("p",))
        asked = []
        questions = self.peer.asked[self._answered :]
        self._answered += len(questions)
        for question in questions:
            if question.code != RequestCode.CHECK_TRANSACTION_STATE:
                continue
            key = bytes(decode_record(question.body).body).decode()
            fields = question.fields
            place = Half(int(fields["tranStateTableOffset"]), int(fields["commitLogOffset"]))
            asked.append(key)
            await self.end(place, decisions[key], asked=True)
        return asked

    # -- whole batches --------------------------------------------------------------------

    async def send_batch(self, key: str, *bodies: bytes) -> int:
        """Send a batch that is kept whole; return its first offset."""
        fields = {**_send_fields(self.whole, props(UNIQ_KEY=key, WAIT="true")), "m": "true"}
        items = [(0, body, props(own=n).encode()) for n, body in enumerate(bodies)]
        answer = await self.peer.call(RequestCode.SEND_BATCH_MESSAGE, fields, encode_batch(items))
        assert answer.code == 0, answer.remark
        return int(answer.fields["queueOffset"])

    # -- pops -----------------------------------------------------------------------------

    async def stored(self) -> int:
        """How many messages there are to pop, popped or not."""
        fields = {"topic": self.popped, "queueId": "0"}
        return int((await self.peer.call(RequestCode.GET_MAX_OFFSET, fields)).fields["offset"])

    async def pop(
        self, count: int, invisible_ms: int = INVISIBLE_MS, *, ordered: bool = False
    ) -> Command:
        """Pop up to so many messages of the group `popper`."""
        fields = {
            "consumerGroup": "popper",
            "topic": self.ordered if ordered else self.popped,
            "queueId": "-1",
            "maxMsgNums": str(count),
            "invisibleTime": str(invisible_ms),
            "pollTime": "0",
            "bornTime": str(int(time.time() * 1000)),
            "initMode": "0",
            "order": str(ordered).lower(),
        }
        return await self.peer.call(RequestCode.POP_MESSAGE, fields)

    async def ack(self, answer: Command, bodies: set[str], *, ordered: bool = False) -> None:
        """Acknowledge those messages of an answer that have these bodies."""
        topic = self.ordered if ordered else self.popped
        header = answer.fields
        starts = {}
        for part in header["startOffsetInfo"].split(";"):
            flag, queue, start = part.split()
            starts[flag, queue] = start
        places = []
        for part in header["msgOffsetInfo"].split(";"):
            flag, queue, offsets = part.split()
            places += [(flag, queue, offset) for offset in offsets.split(",")]
        by_offset = {(r.queue_id, str(r.queue_offset)): bytes(r.body) for r in records(answer)}
        for flag, queue, offset in places:
            if by_offset[int(queue), offset].decode() not in bodies:
                continue
            info = (
                f"{starts[flag, queue]} {header['popTime']} {header['invisibleTime']} "
                f"{header['reviveQid']} {flag} {self.broker} {queue} {offset}"
            )
            fields = {
                "consumerGroup": "popper",
                "topic": f"%RETRY%popper_{topic}" if flag != "0" else topic,
                "queueId": queue,
                "extraInfo": info,
                "offset": offset,
            }
            told = await self.peer.call(RequestCode.ACK_MESSAGE, fields)
            assert told.code == 0, told.remark


def _send_fields(topic: str, properties: str) -> dict[str, str]:
    born_ms = str(int(time.time() * 1000))
    return {
        "a": "p", "b": topic, "c": "TBW102", "d": "1", "e": "0", "f": "0", "g": born_ms,
        "h": "0", "i": properties, "j": "0", "k": "false", "m": "false",
    }  # fmt: skip


@asynccontextmanager
async def connected_to(address: str) -> AsyncIterator[Peer]:
    """A client of a broker, closed at the end."""
    peer = peer_at(address)
    try:
        yield peer
    finally:
        await peer.close()


async def until_counted(count_now: Callable[[], Awaitable[int]], count: int) -> None:
    """Wait until `count_now` has reached `count`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := await count_now()) < count:
        assert time.monotonic() < deadline, f"{found} of {count} after {PATIENCE_SECONDS} s"
        await asyncio.sleep(0.1)


async def came(address: str, topic: str, count: int) -> list[Pulled]:
    """Wait for so many messages, and a moment for more."""
    async with connected_to(address) as peer:

        async def arrived() -> int:
            return len(await pull_all(peer, topic))

        await until_counted(arrived, count)
        await asyncio.sleep(1.5)
        return await pull_all(peer, topic)
