"""Damaged pulls: what the leaf answers by itself is what Python would answer."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fuzz.mutation import mutate
from fuzz.sends import mutate_send
from pocketmq import _speedups
from pocketmq.broker.state.counters import Counter
from pocketmq.message.record import MAGIC_V1, write_record_plain
from pocketmq.protocol import framing
from pocketmq.protocol.command import JSON, ROCKETMQ, WIRE_VERSION, Command
from pocketmq.protocol.replies import encode_pull_head_plain
from pocketmq.store.consume_queue import ENTRY_BYTES, put_entry_plain

if _speedups.has("pull_lanes") or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals, Seat
    from pocketmq._speedups.pull_lanes import PullLane, PullLanes, lane_key

_GROUP: Final = "readers"
_TOPIC: Final = "fuzzed"
_MESSAGES: Final = 50
_COUNT_MAX: Final = 32
_CODES: Final = (11, 361)
_HOST: Final = bytes((127, 0, 0, 1)) + struct.pack(">i", 10911)
_FRAME_BYTES_MAX: Final = 32 * 1024
_FAR: Final = 1 << 40
_ANSWERS_BYTES_MAX: Final = 1 << 22


def seeds() -> list[bytes]:
    """Pulls in both header forms, alone and one behind the other."""
    found = []
    for serialization in (JSON, ROCKETMQ):
        for code, offset, kind in ((11, 0, "TAG"), (361, 49, None), (11, 7, "TAG")):
            fields = {
                "consumerGroup": _GROUP, "topic": _TOPIC, "queueId": "0",
                "queueOffset": str(offset), "maxMsgNums": "32", "sysFlag": "5",
                "commitOffset": "3", "suspendTimeoutMillis": "0", "subscription": "*",
                "subVersion": "1", **({} if kind is None else {"expressionType": kind}),
            }  # fmt: skip
            command = Command(code, opaque=5, fields=fields, serialization=serialization)
            found.append(framing.encode_frame(command))
    return [*found, b"".join(found), b"".join(reversed(found))]


def mutate_pull(source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Damage the header of the first frame, mostly with its lengths right."""
    if source.random() < 0.2:
        return mutate(source, data, others)
    return mutate_send(source, data, others)


def check_pulls(data: bytes) -> None:
    """The leaf answers what its twins would, and notes what it answered."""
    bytes_taken(data)


@cache
def _stored() -> tuple[bytearray, bytearray, list[bytes]]:
    """A log, a queue of it, and its records."""
    log, queue = bytearray(64 * 1024), bytearray(_MESSAGES * ENTRY_BYTES)
    end, records = 0, []
    for number in range(_MESSAGES):
        size = write_record_plain(
            log, end, len(log), end, number, 0, MAGIC_V1, 0, 0, 0, 0, _HOST, _HOST, 0, 0,
            b"body %d" % number, 0, _TOPIC.encode(), b"",
        )  # fmt: skip
        put_entry_plain(queue, number * ENTRY_BYTES, end, size, 0)
        records.append(bytes(log[end : end + size]))
        end += size
    return log, queue, records


def bytes_taken(data: bytes) -> int:
    """Return how much the leaf takes. Raise AssertionError when it differs from its twins."""
    log, queue, records = _stored()

    def find(topic: str, queue_id: int, offset: int) -> tuple[Any, Any, Any] | None:
        assert (topic, queue_id) == (_TOPIC, 0)
        if not 0 <= offset < _MESSAGES:
            return None
        return _Queue(), _File(queue), _File(log)

    places: dict[int, int] = {}
    counter = Counter()
    lanes = {
        lane_key(code, 0, _GROUP, _TOPIC, "*", kind): PullLane(
            _GROUP, _TOPIC, 0, None, None, places, counter
        )
        for code in _CODES
        for kind in ("TAG", None)
    }
    bounds = (_COUNT_MAX, _COUNT_MAX, _FAR, _COUNT_MAX, _FAR)
    leaf = PullLanes(
        lanes, lambda: (0, len(log), 0, 0), find, bounds, _MESSAGES, _MESSAGES, _FRAME_BYTES_MAX,
        0, WIRE_VERSION,
    )  # fmt: skip
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ANSWERS_BYTES_MAX)
        arrivals: Arrivals[None] = Arrivals()
        arrivals.add(Seat(None, near.fileno(), [], b"12345678"), data)
        served = leaf.take_turn(arrivals)
        left = arrivals.finish()
        said = _received(far)
    taken = len(data)
    for _, rest, unsent in left:
        assert rest is None or isinstance(rest, bytes)
        taken -= len(rest or b"")
        said += unsent
    frames, consumed = framing.parse_frames(data[:taken], _FRAME_BYTES_MAX)
    assert consumed == taken
    assert said == b"".join(_answer(frame, records) for frame in frames)
    pulls, messages, size, _ = served or (0, 0, 0, [])
    assert pulls == len(frames)
    assert (messages, size) == (counter.messages, counter.bytes)
    assert bool(places) == (pulls > 0)
    return taken


class _Queue:
    """What the leaf asks of a queue."""

    end = _MESSAGES

    def min_offset(self, log_min: int) -> int:
        return log_min


class _File:
    """What the leaf asks of a mapped file."""

    start = 0
    used = False

    def __init__(self, data: bytearray) -> None:
        self.data = data


def _received(far: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            found += far.recv(1 << 20)
        except BlockingIOError:
            return found


def _answer(frame: framing.Frame, records: list[bytes]) -> bytes:
    """What Python answers to a pull."""
    fields = framing.PullFields._make(frame[7])
    assert frame[0] in _CODES
    assert (fields.group, fields.topic, fields.subscription) == (_GROUP, _TOPIC, "*")
    assert (fields.queue_id, fields.expression_type) in ((0, "TAG"), (0, None))
    count = min(max(fields.count_max, 1), _COUNT_MAX)
    found = records[fields.queue_offset :][:count]
    body = b"".join(found)
    head = encode_pull_head_plain(
        frame[3], frame[1], fields.queue_offset + len(found), 0, _MESSAGES, 0, 0, 0, 0, b"FOUND",
        WIRE_VERSION, len(body),
    )  # fmt: skip
    assert head is not None
    return head + body
