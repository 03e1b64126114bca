"""What one kind of broker leaves open is finished by the other: transactions, pops, whole batches.

One broker is given half messages, batches and pops and is stopped or killed; one of the other kind
starts on its data directory. All models share these brokers, and each has a test that looks.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.compat.test_models_timer import peer_at
from tests.compat.test_servers import EXCHANGES, STOPS, Machines
from tests.compat.test_servers import machines as machines  # a fixture
from tests.support.clients import raw
from tests.support.clients.servers import free_broker_port
from tests.support.local_broker import Peer
from tests.support.pops import records
from tests.support.pulling import Pulled, props, pull_all

from pocketmq.message.batch import decode_batch, encode_batch
from pocketmq.message.ids import decode_offset_message_id
from pocketmq.message.record import decode_record
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

pytestmark = pytest.mark.timeout(240)

SETTINGS = {
    "flushDiskType": "SYNC_FLUSH",
    "timerWheelEnable": "true",
    "flushConsumerOffsetInterval": "1000",
    "transactionOpBatchInterval": "200",
}
# The writer asks no producer, the reader soon.
PATIENT = {"transactionTimeOut": "600000", "transactionCheckInterval": "600000"}
EAGER = {"transactionTimeOut": "1000", "transactionCheckInterval": "3000"}

COMMIT, ROLLBACK = 8, 12
OPERATIONS = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
INNER_BATCH = 0x80
INVISIBLE_MS = 12_000
PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Half:
    """Where a half message lies."""

    queue_offset: int
    log_offset: int


@dataclass(slots=True)
class Seen:
    """What was seen of one exchange."""

    reader: str
    asked: list[str] = field(default_factory=list)
    committed: list[Pulled] = field(default_factory=list)
    batches_before: list[Pulled] = field(default_factory=list)
    batches_after: list[Pulled] = field(default_factory=list)
    popped_before: list[str] = field(default_factory=list)
    popped_after: list[str] = field(default_factory=list)
    reconsumed: dict[str, int] = field(default_factory=dict)


class Client:
    """What is sent, ended, popped and read by hand; topics are named after the directory."""

    def __init__(self, peer: Peer, broker: str) -> None:
        self.peer = peer
        self.broker = broker
        self.plain, self.whole, self.popped = (f"{broker}-{m}" for m in ("plain", "whole", "pop"))
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

        await _until(listed, count)

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

    async def pop(self, count: int, invisible_ms: int = INVISIBLE_MS) -> Command:
        """Pop up to so many messages of the group `popper`."""
        fields = {
            "consumerGroup": "popper",
            "topic": self.popped,
            "queueId": "-1",
            "maxMsgNums": str(count),
            "invisibleTime": str(invisible_ms),
            "pollTime": "0",
            "bornTime": str(int(time.time() * 1000)),
            "initMode": "0",
            "order": "false",
        }
        return await self.peer.call(RequestCode.POP_MESSAGE, fields)

    async def ack(self, answer: Command, bodies: set[str]) -> None:
        """Acknowledge those messages of an answer that have these bodies."""
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
            retry = f"%RETRY%popper_{self.popped}"
            fields = {
                "consumerGroup": "popper",
                "topic": retry if flag != "0" else self.popped,
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


async def _until(count_now: Callable[[], Awaitable[int]], count: int) -> None:
    """Wait until `count_now` has reached `count`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := await count_now()) < count:
        assert time.monotonic() < deadline, f"{found} of {count} after {PATIENCE_SECONDS} s"
        await asyncio.sleep(0.1)


# -- what the writer leaves --------------------------------------------------------------------

ENDED = {"done-0": COMMIT, "done-1": COMMIT, "dropped-0": ROLLBACK, "dropped-1": ROLLBACK}
OPEN = {"open-0": COMMIT, "open-1": COMMIT, "open-2": ROLLBACK}
LATE = "late"
POPPED = [f"popped-{n}" for n in range(8)]
ACKED = {"popped-1", "popped-4", "popped-6"}
FRESH = ["fresh-0", "fresh-1"]


async def leave_open(address: str, broker: str, data: Path, seen: Seen) -> dict[str, Half]:
    """End some transactions, keep batches, pop messages and acknowledge a few."""
    async with connected_to(address) as peer:
        client = Client(peer, broker)
        await _begin_everything(client, seen)
        # Both kinds write down every second how far groups are; Apache begins after ten.
        await _until(lambda: _saved(data, client.popped), len(POPPED))
        return client.halves


async def _saved(data: Path, topic: str) -> int:
    """How far the file says that the popping group is."""
    file = data / "config" / "consumerOffset.json"
    if not file.exists():
        return 0
    found = re.search(rf'"{topic}@popper":\s*{{\s*0:(\d+)', file.read_text())
    return int(found[1]) if found else 0


async def _begin_everything(client: Client, seen: Seen) -> None:
    peer = client.peer
    for key in [*ENDED, *OPEN, LATE]:
        await client.begin(key)
    for key, decision in ENDED.items():
        await client.end(client.halves[key], decision)
    await client.wait_listed(len(ENDED))
    assert await client.send_batch("U1", b"a", b"b", b"c") == 0
    await peer.send(client.whole, b"single", 0, props(UNIQ_KEY="U2"))
    assert await client.send_batch("U3", b"d", b"e") == 4
    for body in POPPED:
        await peer.send(client.popped, body.encode())
    await _until(client.stored, len(POPPED))
    answer = await client.pop(len(POPPED))
    seen.popped_before = [bytes(record.body).decode() for record in records(answer)]
    await client.ack(answer, ACKED)
    for body in FRESH:
        await peer.send(client.popped, body.encode())

    async def whole() -> int:
        seen.batches_before = await pull_all(peer, client.whole)
        return len(seen.batches_before)

    await _until(whole, 3)


# -- what the reader finishes ------------------------------------------------------------------


async def finish(address: str, broker: str, halves: dict[str, Half], seen: Seen) -> None:
    """Answer its questions, read and write batches, pop what comes back."""
    async with connected_to(address) as peer:
        client = Client(peer, broker)
        client.halves = halves
        await _finish_everything(client, seen)
        seen.committed = await pull_all(peer, client.plain)
        seen.batches_after = await pull_all(peer, client.whole)


async def _finish_everything(client: Client, seen: Seen) -> None:
    # Its producer only now decides about the half message the other broker took.
    await client.end(client.halves[LATE], COMMIT)
    assert await client.send_batch("U4", b"f", b"g", b"h") == 6

    async def finished() -> int:
        seen.asked += await client.answer_checks(OPEN | {LATE: COMMIT})
        answer = await client.pop(32, 60_000)
        found = records(answer) if answer.code == 0 else []
        for record in found:
            seen.popped_after.append(bytes(record.body).decode())
            seen.reconsumed[seen.popped_after[-1]] = record.reconsume_times
        if found:
            await client.ack(answer, set(seen.popped_after))
        return len(OPEN.keys() & set(seen.asked)) + len(seen.popped_after)

    await _until(finished, len(OPEN) + len(POPPED) - len(ACKED) + len(FRESH))
    # Another round of checks and some of revivals bring nothing.
    deadline = time.monotonic() + 4.5
    while time.monotonic() < deadline:
        await finished()
        await asyncio.sleep(0.1)


# A writer that is Apache takes longer, so each of the two hands gets one of them.
CASES = [(writer, reader, stop) for stop in STOPS for writer, reader in EXCHANGES]
HANDS = 2


@pytest.fixture(scope="module")
def exchanges(machines: Machines) -> Iterator[list[Future[Seen]]]:
    """All exchanges, some at the same time."""
    machines.name_server("apache")
    with ThreadPoolExecutor(HANDS, thread_name_prefix="exchange") as hands:
        yield [hands.submit(hand_over, machines, *case) for case in CASES]


@pytest.fixture(params=range(len(CASES)), ids=["-".join(case) for case in CASES])
def exchange(request: pytest.FixtureRequest, exchanges: list[Future[Seen]]) -> Seen:
    """One directory, left by one broker and finished by the other."""
    case: int = request.param
    return exchanges[case].result()


def hand_over(machines: Machines, writer: str, reader: str, stop: str) -> Seen:
    """Let one broker begin and the other finish; return what was seen."""
    seen = Seen(reader)
    data, names = machines.directory("exchange") / "data", machines.name_server("apache")
    name, port = data.parent.name, free_broker_port()
    with machines.broker(writer, "apache", data, port, **SETTINGS, **PATIENT) as first:
        raw.create_topic(names, first.address, f"{name}-plain", queues=1)
        raw.create_topic(names, first.address, f"{name}-pop", queues=1)
        raw.create_topic(names, first.address, f"{name}-whole", 1, "+queue.type=BatchCQ")
        halves = asyncio.run(leave_open(first.address, name, data, seen))
        STOPS[stop](first.process)
    with machines.broker(reader, "apache", data, port, **SETTINGS, **EAGER) as second:
        asyncio.run(finish(second.address, name, halves, seen))
        second.process.kill()
    return seen


def test_only_what_is_open_is_asked_about_and_commits_are_delivered_once(exchange: Seen) -> None:
    committed = [key for key, decision in (ENDED | OPEN).items() if decision == COMMIT]

    asked = Counter(exchange.asked)
    delivered = Counter(message.body.decode() for message in exchange.committed)
    if exchange.reader == "apache" and asked.pop(LATE, 0):
        # It lists what has ended a moment later, and asks about, and repeats, what it did not list.
        delivered[LATE] -= 1
    assert asked == Counter(OPEN.keys())
    assert delivered == Counter([*committed, LATE])
    for message in exchange.committed:
        assert message.properties["UNIQ_KEY"] == message.body.decode()
        assert (message.properties["TAGS"], message.properties["PGROUP"]) == ("T", "p")
    names = {message.body.decode(): set(message.properties) for message in exchange.committed}
    unasked = names[LATE] - {"TRANSACTION_CHECK_TIMES"}
    assert names["done-0"] == unasked, "both kinds deliver the same properties"


def test_whole_batches_are_read_as_they_were_and_go_on(exchange: Seen) -> None:
    before, after = exchange.batches_before, exchange.batches_after

    assert after[: len(before)] == before
    assert [message.queue_offset for message in after] == [0, 3, 4, 6]
    inner = [
        [bytes(item.body) for item in decode_batch(message.body)]
        if message.sys_flag & INNER_BATCH
        else [message.body]
        for message in after
    ]
    assert inner == [[b"a", b"b", b"c"], [b"single"], [b"d", b"e"], [b"f", b"g", b"h"]]


def test_what_was_popped_and_not_acknowledged_comes_again(exchange: Seen) -> None:
    again = [body for body in POPPED if body not in ACKED]

    assert sorted(exchange.popped_before) == POPPED
    assert Counter(exchange.popped_after) == Counter([*again, *FRESH])
    assert {exchange.reconsumed[body] for body in again} == {1}
    assert {exchange.reconsumed[body] for body in FRESH} == {0}
