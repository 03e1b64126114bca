"""Damaged sends and batches: what the short ways take is what the long one would store and answer.

There are two: the leaf `sends`, and `UsualSends` for where it is not compiled.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast
from zlib import crc32

from fuzz.mutation import mutate
from pocketmq import _speedups
from pocketmq.broker.handlers.usual_sends import UsualLane, UsualSends
from pocketmq.broker.state.counters import Counter
from pocketmq.message.batch import decode_batch, encode_batch
from pocketmq.message.ids import offset_message_ids_plain
from pocketmq.message.record import CRC_MASK, MAGIC_V1, write_record_plain
from pocketmq.message.scan import scan_records_plain
from pocketmq.net import Connection
from pocketmq.net.rounds import Read
from pocketmq.protocol import framing
from pocketmq.protocol.command import FLAG_ONEWAY, JSON, ROCKETMQ, WIRE_VERSION, Command
from pocketmq.protocol.replies import SendReplies, send_reply_fields
from pocketmq.store import Noted

if _speedups.has("sends") or TYPE_CHECKING:
    from pocketmq._speedups.arrivals import Arrivals, Seat
    from pocketmq._speedups.sends import Lane, PlainSends

_TOPIC: Final = "fuzzed"
_QUEUES: Final = 4
_SEND: Final = 310
_BATCH: Final = 320
_HOST: Final = bytes((127, 0, 0, 1)) + struct.pack(">i", 10911)
_PROPERTIES: Final = (
    "KEYS\x01one two\x02UNIQ_KEY\x01K1\x02WAIT\x01true\x02TAGS\x01t\x02own\x01x\x02"
)
_SUFFIX: Final = b"CLUSTER\x01c\x02"
_NOW_MS: Final = 1_700_000_000_000
_LIMIT: Final = 32 * 1024
_GUARD: Final = 0xEE
_FRAME_BYTES_MAX: Final = 32 * 1024


def seeds() -> list[bytes]:
    """Sends and batches in both header forms, alone and one behind the other."""
    item = (7, b"one of many", b"TAGS\x01a\x02")
    found = []
    for serialization in (JSON, ROCKETMQ):
        for code, body in ((_SEND, b"body"), (_BATCH, encode_batch([item, (0, b"", b""), item]))):
            fields = {
                "a": "p", "b": _TOPIC, "c": "TBW102", "d": "4", "e": "1", "f": "0",
                "g": "1700000000000", "h": "0", "i": _PROPERTIES, "j": "0", "k": "false",
                "m": "true" if code == _BATCH else "false",
            }  # fmt: skip
            for flag in (0, FLAG_ONEWAY):
                command = Command(
                    code, opaque=5, flag=flag, fields=fields, body=body, serialization=serialization
                )
                found.append(framing.encode_frame(command))
    return [*found, b"".join(found), b"".join(reversed(found))]


def mutate_send(source: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Damage the header or the body of the first frame, mostly with its lengths right."""
    if source.random() < 0.2 or len(data) < 8:
        return mutate(source, data, others)
    size = int.from_bytes(data[:4], "big") + 4
    header_bytes = int.from_bytes(data[5:8], "big")
    header, body, rest = data[8 : 8 + header_bytes], data[8 + header_bytes : size], data[size:]
    if source.random() < 0.5:
        header = mutate(source, header, [other[8:] for other in others[:8]])
    else:
        body = mutate(source, body, others[:8])
    word = data[4] << 24 | len(header)
    return struct.pack(">iI", 4 + len(header) + len(body), word) + header + body + rest


def check_sends(data: bytes) -> None:
    """The leaf stores and answers what the long way would, counts it, and writes nothing else."""
    bytes_taken(data)


def bytes_taken(data: bytes) -> int:
    """Return how much the leaf takes. Raise AssertionError when it differs from the long way."""
    replies = SendReplies(_HOST, "DefaultRegion", True)
    ends = [0] * _QUEUES
    counter = Counter()
    name = _TOPIC.encode()
    lane = Lane(_QUEUES, MAGIC_V1, name, ends, counter)
    leaf = PlainSends(
        {name: lane}, _HOST, _SUFFIX, *replies.tails, WIRE_VERSION, False, _FRAME_BYTES_MAX
    )
    target = bytearray([_GUARD]) * (_LIMIT + 1024)
    position, written, _, count, answers = leaf.take(data, 0, _HOST, target, 0, _LIMIT, 0, _NOW_MS)
    said = _stored_and_answered(data[:position], target, written, count, ends, counter)
    assert answers == said
    assert _taken_in_a_turn(data) == (position, bytes(target[:written]), answers)
    return position


def check_usual_sends(data: bytes) -> None:
    """As `check_sends`, for `UsualSends`; and what it notes is what a scan would find."""
    usual_bytes_taken(data)


def usual_bytes_taken(data: bytes) -> int:
    """As `bytes_taken`, of `UsualSends`."""
    name, ends, counter = _TOPIC.encode(), [0] * _QUEUES, Counter()
    lane = UsualLane(_QUEUES, MAGIC_V1, name, ends, counter)
    noted: list[Noted] = []
    tail = SendReplies(_HOST, "DefaultRegion", True).tails[0]
    usual = UsualSends(
        {name: lane}, _HOST, _SUFFIX, tail, WIRE_VERSION, False, _FRAME_BYTES_MAX, noted.append
    )
    target = bytearray([_GUARD]) * (_LIMIT + 1024)
    read = Read(cast(Connection, SimpleNamespace(peer_packed=_HOST)), data)
    _, written, _, count, _ = usual.take([read], 0, b"", target, 0, _LIMIT, 0, _NOW_MS)
    said = _stored_and_answered(data[: read.taken], target, written, count, ends, counter)
    assert (read.frames, read.answers) == (count, said)
    records, keys, end, _ = scan_records_plain(target, 0, written, 0, count + 1)
    assert end == written
    assert noted == ([Noted(0, written, list(records), keys)] if count else [])
    return read.taken


def _stored_and_answered(
    data: bytes, target: bytearray, written: int, count: int, ends: list[int], counter: Counter
) -> bytes:
    """Check what was stored of so many whole frames; return what is to be answered."""
    assert 0 <= written <= _LIMIT
    assert not target[written:].strip(bytes([_GUARD])), "something was written behind the records"
    replies = SendReplies(_HOST, "DefaultRegion", True)
    expected_ends = [0] * _QUEUES
    log, said = bytearray(_LIMIT), b""
    end = messages = 0
    frames, consumed = framing.parse_frames(data, _FRAME_BYTES_MAX)
    for frame in frames:
        stored, answer = _serve(data, frame, log, end, expected_ends, replies)
        end, messages, said = end + sum(stored), messages + len(stored), said + answer
    assert (len(frames), consumed) == (count, len(data))
    assert (target[:written], written) == (log[:end], end)
    assert ends == expected_ends
    assert (counter.messages, counter.bytes) == (messages, written)
    return said


def _taken_in_a_turn(data: bytes) -> tuple[int, bytes, bytes]:
    """How much the leaf takes of an arrival, what it stores, and its answers."""
    name = _TOPIC.encode()
    lane = Lane(_QUEUES, MAGIC_V1, name, [0] * _QUEUES, Counter())
    replies = SendReplies(_HOST, "DefaultRegion", True)
    leaf = PlainSends(
        {name: lane}, _HOST, _SUFFIX, *replies.tails, WIRE_VERSION, False, _FRAME_BYTES_MAX
    )
    arrivals: Arrivals[None] = Arrivals()
    arrivals.add(Seat(None, -1, [b"so that answers are not sent"], _HOST), data)
    target = bytearray(_LIMIT)
    index, written, _, _, _ = leaf.take_turn(arrivals, 0, b"", target, 0, _LIMIT, 0, _NOW_MS)
    if index < len(arrivals):  # the log has no room for more
        assert written <= _LIMIT
    taken, answers = len(data), b""
    for _, rest, said in arrivals.finish():
        assert rest is None or isinstance(rest, bytes)
        taken -= len(rest or b"")
        answers += said
    return taken, bytes(target[:written]), answers


def _serve(
    data: bytes,
    frame: framing.Frame,
    log: bytearray,
    end: int,
    ends: list[int],
    replies: SendReplies,
) -> tuple[list[int], bytes]:
    """Store one send in Python; return the sizes of its records and the answer."""
    code, opaque, flag, serialization = frame[:4]
    fields = framing.SendFields._make(frame[7])
    body = data[frame[8] : frame[9]]
    assert code in (_SEND, _BATCH) and fields.topic == _TOPIC
    items = [(fields.flag, memoryview(body), memoryview(fields.properties + _SUFFIX))]
    if code == _BATCH:
        items = [(item.flag, item.body, item.properties) for item in decode_batch(body)]
    first, at = ends[fields.queue_id], end
    sizes = []
    for own_flag, content, properties in items:
        size = write_record_plain(
            log, at, _LIMIT, at, ends[fields.queue_id], _NOW_MS, MAGIC_V1, fields.queue_id,
            own_flag, fields.sys_flag, fields.born_timestamp_ms, _HOST, _HOST,
            fields.reconsume_times, 0, content, crc32(content) & CRC_MASK, _TOPIC.encode(),
            properties,
        )  # fmt: skip
        assert size > 0
        ends[fields.queue_id] += 1
        sizes.append(size)
        at += size
    if flag & FLAG_ONEWAY:
        return sizes, b""
    answer = Command(0, opaque=opaque, flag=1, serialization=serialization)
    ids = offset_message_ids_plain(_HOST, end, sizes)
    answer.fields = send_reply_fields(ids, fields.queue_id, first, fields.unique_key)
    answer.fields |= replies.constant_fields
    return sizes, framing.encode_frame(answer)
