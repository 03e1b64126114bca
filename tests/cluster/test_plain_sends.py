"""What takes whole reads of plain sends does what `SendHandler` does, byte for byte.

That is the leaf `sends`, or where it is not compiled `UsualSends`.
"""

from __future__ import annotations

import re
import secrets
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from tests.support.kept_transport import KeptTransport
from tests.support.local_broker import broker_config
from tests.support.waiting import until

from pocketmq import _speedups
from pocketmq.broker.app import BrokerApp
from pocketmq.clock import ManualClock
from pocketmq.message.batch import encode_batch
from pocketmq.message.ids import new_unique_key
from pocketmq.net import Address, Connection
from pocketmq.net.rounds import Read
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame, parse_frames
from pocketmq.store.config import FlushConfig

if _speedups.has("arrivals") or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals, Seat

_KEY = "UNIQ_KEY\x017F0000010B2C18B4AAC28B5E1F2A0001\x02"
_PROPERTIES = (
    _KEY + "WAIT\x01true\x02TAGS\x01TagA\x02KEYS\x01key-1\x02",
    _KEY,
    "TAGS\x01t\x02" + _KEY + "name\x01Grüße 你好\x02",
    _KEY + "WAIT\x01false\x02",
    _KEY + "a\x01b",
    _KEY + 'quote"\x01back\\slash\x02',
    'UNIQ_KEY\x01needs"escape\x02',
    "TAGS\x01without a key\x02",
    _KEY + "DELAY\x013\x02",
    _KEY + "MSG_REGION\x01elsewhere\x02",
    "",
)

_ITEM = (7, b"one of many", b"TAGS\x01TagA\x02UNIQ_KEY\x017F0000010B2C18B4AAC28B5E1F2A0002\x02")
_BODIES: dict[object, bytes] = {
    "small": b"y" * 1024,
    "large": b"x" * 65_537,
    "big": b"z" * 60_000,
    "batch": encode_batch([_ITEM, (0, b"", b""), (-1, b"no text \xff", b"\xff"), _ITEM]),
    "long batch": encode_batch([(0, b"z" * 1024, b"")] * 50),
    "longer batch": encode_batch([_ITEM] * 300),
    "cut batch": encode_batch([_ITEM] * 5)[:-1],
    "spoilt batch": encode_batch([_ITEM] * 2 + [(0, b"x", b"y")])[:-2] + b"\x00y",
}

_odd = st.fixed_dictionaries(
    {
        "code": st.sampled_from((310, 310, 310, 310, 310, 310, 310, 320, 320, 10, 34)),
        "serialization": st.integers(0, 1),
        "flag": st.sampled_from((0, 0, 0, 0, 2, 1)),
        "topic": st.sampled_from(("orders", "orders", "orders", "other", "Größe")),
        "queue": st.sampled_from((0, 0, 0, 1, 1, 3, 8)),
        "sys_flag": st.sampled_from((0, 0, 0, 1, 2, 0x10, 0x300, 0x40, 4)),
        "batch": st.sampled_from((False, False, False, False, True)),
        "properties": st.sampled_from(_PROPERTIES[:1] * 12 + _PROPERTIES),
        "body": st.binary(max_size=50)
        | st.sampled_from(("small", "large", "batch", "longer batch", "cut batch", "spoilt batch")),
        "extra": st.sampled_from(({}, {}, {}, {}, {"ns": "n"}, {"j": "2", "k": "true", "l": "5"})),
    }
)

_plain = st.fixed_dictionaries(
    {
        "code": st.just(310),
        "serialization": st.integers(0, 1),
        "flag": st.sampled_from((0, 0, 2)),
        "topic": st.sampled_from(("orders", "orders", "other")),
        "queue": st.sampled_from((0, 0, 1)),
        "sys_flag": st.sampled_from((0, 1, 2, 0x300)),
        "batch": st.just(False),
        "properties": st.sampled_from(_PROPERTIES[:3]),
        "body": st.binary(min_size=1, max_size=50) | st.sampled_from(("small", "big")),
        "extra": st.sampled_from(({}, {"j": "2", "k": "true", "l": "5"})),
    }
)
_batches = st.fixed_dictionaries(
    {
        "code": st.just(320),
        "serialization": st.integers(0, 1),
        "flag": st.sampled_from((0, 0, 2)),
        "topic": st.sampled_from(("orders", "orders", "other", "Größe")),
        "queue": st.sampled_from((0, 0, 1)),
        "sys_flag": st.sampled_from((0, 1, 2, 0x300)),
        "batch": st.booleans(),
        "properties": st.sampled_from(_PROPERTIES[:4]),
        "body": st.sampled_from(("batch", "batch", "long batch", "longer batch", "cut batch")),
        "extra": st.sampled_from(({}, {"j": "2", "k": "true", "l": "5"})),
    }
)
# So much that the log has to make room in the middle of a read, and to begin a new file.
_MUCH: list[dict[str, Any]] = [
    {
        "code": 320 if body == "long batch" else 310,
        "serialization": 1,
        "flag": 0,
        "topic": "orders",
        "queue": 0,
        "sys_flag": 0,
        "batch": False,
        "properties": _PROPERTIES[0],
        "body": body,
        "extra": {},
    }
    for body in ("small", "big", "long batch") * 60
]
_cuts = st.lists(st.integers(1, 8000), max_size=12)
_sends = _plain | _plain | _plain | _batches | _odd


def frame(opaque: int, send: dict[str, Any]) -> bytes:
    """One request. Codes 10 and 34 get fields that do not suit them, and are refused."""
    fields = {
        "a": "producers", "b": send["topic"], "c": "TBW102", "d": "4", "e": str(send["queue"]),
        "f": str(send["sys_flag"]), "g": "1700000000000", "h": "7", "i": send["properties"],
        "m": "true" if send["batch"] else "false", **send["extra"],
    }  # fmt: skip
    command = Command(
        send["code"],
        opaque=opaque,
        flag=send["flag"],
        fields=fields,
        body=_BODIES.get(send["body"], send["body"]),
        serialization=send["serialization"],
    )
    return encode_frame(command)


@dataclass
class Owner:
    """As much of a transport as is asked for when answers wait for the disk."""

    connection: Connection | None

    def get_protocol(self) -> Connection | None:
        return self.connection


def served_in_a_turn(connection: Connection, read: bytes) -> tuple[bytes, bytes]:
    """What a turn leaves of a read, and what it answers at once."""
    arrivals: Arrivals[Any] = Arrivals()
    waits = [b"so that answers are not sent"]
    other, owner = Owner(None), Owner(connection)
    # The others have no lane, or nothing that can be taken.
    arrivals.add(Seat(other, -1, waits), b"odd")
    arrivals.add(Seat(owner, -1, waits, connection.peer_packed), read)
    arrivals.add(Seat(other, -1, waits, b"12345678"), b"odd")
    take_turn = connection._service.take_turn
    assert take_turn is not None
    take_turn(arrivals)
    rest, answers = b"", b""
    for who, left, said in arrivals.finish():
        if who is other:
            assert (left, said) == (b"odd", b"")
        else:
            assert left is None or isinstance(left, bytes)
            rest, answers = left or b"", said
    return rest, answers


async def serve(
    reads: list[bytes], answers: int, port: int, directory: Path, way: str, mode: Any
) -> tuple[bytes, list[bytes], int]:
    """What a broker logs and answers, and how much of it was taken from reads.

    `way` is "handler", "read" for read by read, "turn" for all that can come together.
    """
    config = broker_config(directory)
    store = replace(config.store, flush=FlushConfig(mode=mode))
    listen = replace(config.listen, port=port)
    config = replace(config, store=store, listen=listen, fast_port_offset=0)
    app = BrokerApp(config, ManualClock())
    await app.start()
    taken = 0
    try:
        service = app.running.server._service
        take = service.take
        assert take is not None

        def counting(reads: Sequence[Read]) -> None:
            nonlocal taken
            take(reads)
            taken += sum(read.taken for read in reads)

        service.take = None if way == "handler" else counting
        connection = Connection(service, config.listen)
        connection.set_addresses(Address("10.1.2.3", 4567), Address("127.0.0.1", port))
        transport = KeptTransport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        for read in reads:
            if way == "turn" and service.take_turn is not None and not connection._kept:
                rest, said = served_in_a_turn(connection, read)
                transport.write(said)
                taken += len(read) - len(rest)
                if rest:
                    connection.data_received(rest)
            else:
                connection.data_received(read)
        await until(lambda: len(parse_frames(transport.written)[0]) == answers)
        connection.connection_lost(None)
        log = b""
        for file in app.running.store._log.files:
            assert file.view is not None
            log += bytes(file.view[: app.running.store.log_end - file.start])
        frames, _ = parse_frames(transport.written)
        encoded, start = [], 0
        for each in frames:
            encoded.append(transport.written[start : each[9]])
            start = each[9]
        return log, encoded, taken
    finally:
        await app.stop()


def without_made_keys(data: bytes) -> bytes:
    """The bytes with the counter of each unique key that this process made masked."""
    start = new_unique_key(ManualClock().now_ms())[:-8].encode()
    return re.sub(start + b"[0-9A-F]{8}", b"made", data)


def free_port() -> int:
    """A port that no client gets by chance: the same broker is started on it again and again.

    Hypothesis seeds `random`, so that it gives all workers the same numbers.
    """
    while True:
        try:
            with socket.create_server(("127.0.0.1", 12_000 + secrets.randbelow(18_000))) as bound:
                return int(bound.getsockname()[1])
        except OSError:
            continue


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", ["ASYNC_FLUSH", "SYNC_FLUSH"])
@settings(
    # Each example starts two brokers, so looking for a smaller one would take minutes.
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(
    sends=st.lists(_sends, min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 8000), max_size=12),
)
@example(sends=_MUCH, cuts=[sum(len(frame(0, send)) for send in _MUCH[:6])] * 30)
async def test_both_ways_log_and_answer_the_same(
    mode: str, sends: list[dict[str, Any]], cuts: list[int]
) -> None:
    first: list[dict[str, Any]] = [
        {"code": 310, "serialization": 0, "flag": 0, "topic": name, "queue": queue, "sys_flag": 0,
         "batch": False, "properties": _PROPERTIES[0], "body": b"first", "extra": {}}
        for name in ("orders", "other") for queue in (0, 1, 0, 1)
    ]  # fmt: skip
    frames = [frame(opaque, send) for opaque, send in enumerate([*first, *sends])]
    stream = b"".join(frames[len(first) :])
    # Topics come into being one by one; afterwards reads are cut anywhere.
    reads = frames[: len(first)]
    for cut in cuts:
        reads.append(stream[:cut])
        stream = stream[cut:]
    reads = [read for read in [*reads, stream] if read]
    answers = len(first) + sum(1 for send in sends if send["flag"] == 0)
    port = free_port()
    found = {}
    ways = ("handler", "read", "turn") if _speedups.has("arrivals") else ("handler", "read")
    for way in ways:
        with tempfile.TemporaryDirectory() as directory:
            log, said, taken = await serve(reads, answers, port, Path(directory), way, mode)
        assert bool(taken) is (way != "handler")
        found[way] = (without_made_keys(log), sorted(map(without_made_keys, said)))
    for way in ways[1:]:
        assert found[way] == found["handler"]
