"""The compiled record leaves and their Python twins do the same with everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketmq import _speedups
from pocketmq.message import ids, record, scan
from pocketmq.message.batch import encode_batch
from pocketmq.message.hashing import java_string_hash, key_hash
from pocketmq.message.record import MAGIC_BLANK, MAGIC_V1, MAGIC_V2, decode_record

pytestmark = pytest.mark.skipif(
    not _speedups.has("records"), reason="the leaf `records` is not compiled, or not wanted"
)

i32 = st.integers(-(2**31), 2**31 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
hosts = st.sampled_from([b"\x7f\0\0\x01\0\0\x2a\x9f", bytes(20)])
values = st.text(st.characters(blacklist_characters="\x01\x02", codec="utf-8"), max_size=12)
names = st.sampled_from(["TAGS", "KEYS", "UNIQ_KEY", "WAIT", "K", "TAGSX"])
segments = st.one_of(
    st.tuples(names, values).map(lambda x: f"{x[0]}\x01{x[1]}"), st.sampled_from(["", "\x01", "x"])
)
properties = st.lists(segments, max_size=6).map(lambda x: "\x02".join(x).encode())
topics = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).map(str.encode)
messages = st.tuples(
    i64, i64, st.sampled_from([MAGIC_V1, MAGIC_V2]), i32, i32, i32, i64, hosts, hosts, i32, i64,
    st.binary(max_size=64), st.integers(0, 2**31 - 1), topics, properties,
)  # fmt: skip


def write_both(message: tuple[Any, ...], log_offset: int, room: int) -> tuple[int, bytearray]:
    queue_offset, store_ms, magic, *rest = message
    answers = []
    for write in (record.write_record, record.write_record_plain):
        target = bytearray(b"\xee" * room)
        size = write(target, 0, room, log_offset, queue_offset, store_ms, magic, *rest)
        answers.append((size, target))
    assert answers[0] == answers[1]
    return answers[0]


@given(messages, st.integers(0, 2**40), st.integers(0, 800))
@settings(max_examples=150, deadline=None)
def test_writing_gives_the_same_bytes(message: tuple[Any, ...], log_offset: int, room: int) -> None:
    size, target = write_both(message, log_offset, room)
    if size > 0:
        read = decode_record(target, verify_crc=False)
        assert (read.size, read.log_offset, bytes(read.body)) == (size, log_offset, message[11])
        assert bytes(read.raw_properties) == message[14]
    else:
        assert -size + 8 > room
        assert set(target) <= {0xEE}


@given(
    st.lists(messages, max_size=5),
    st.integers(0, 2**40),
    st.integers(0, 6),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_scanning_finds_the_same_in_whole_and_in_damaged_bytes(
    written: list[tuple[Any, ...]],
    log_offset: int,
    count_max: int,
    blank: bool,
    flips: list[tuple[int, int]],
) -> None:
    data = bytearray()
    for message in written:
        size, target = write_both(message, log_offset + len(data), 1000)
        data += target[:size]
    if blank:
        data += (16).to_bytes(4, "big") + MAGIC_BLANK.to_bytes(4, "big") + bytes(8)
    for position, value in flips:
        if position < len(data):
            data[position] = value
    limit = len(data)
    assert scan.scan_records(data, 0, limit, log_offset, count_max) == scan.scan_records_plain(
        data, 0, limit, log_offset, count_max
    )
    position = 0
    while position < limit:
        one = scan.measure_record(data, position, limit)
        assert one == scan.measure_record_plain(data, position, limit)
        if one[0] <= 0:
            break
        position += one[0]


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=150, deadline=None)
def test_measuring_noise_never_fails_and_never_differs(
    data: bytes, position: int, limit: int
) -> None:
    limit = min(limit, len(data))
    assert scan.measure_record(data, position, limit) == scan.measure_record_plain(
        data, position, limit
    )


@given(st.text(max_size=20), st.text(max_size=20))
def test_hashes_are_those_of_java(topic: str, key: str) -> None:
    value = 0
    units = f"{topic}#{key}".encode("utf-16-be", "surrogatepass")
    for at in range(0, len(units), 2):
        value = (31 * value + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    signed = value - 2**32 if value >= 2**31 else value
    assert java_string_hash(f"{topic}#{key}") == signed
    assert key_hash(topic, key) == (0 if abs(signed) == 2**31 else abs(signed))


_batches = st.lists(
    st.tuples(st.integers(0, 9), st.binary(max_size=40), st.binary(max_size=30)), max_size=6
).map(encode_batch)


@given(
    batch=_batches | st.binary(max_size=80),
    damage=st.none() | st.tuples(st.integers(0, 200), st.integers(0, 255)),
    limit=st.integers(0, 2000),
    v6=st.booleans(),
    topic=st.sampled_from((b"t", b"long" * 40)),
)
def test_batches_are_written_alike(
    batch: bytes, damage: tuple[int, int] | None, limit: int, v6: bool, topic: bytes
) -> None:
    if damage is not None and damage[0] < len(batch):
        at, byte = damage
        batch = batch[:at] + bytes((byte,)) + batch[at + 1 :]
    host = bytes(20 if v6 else 8)
    magic = record.MAGIC_V2 if len(topic) > 127 else record.MAGIC_V1
    written = []
    for write in (record.write_batch, record.write_batch_plain):
        target = bytearray(2000)
        said = write(
            target, 10, limit, 500, 7, 1_700_000_000_000, magic, 3, 0, 5, host, bytes(8), 1, batch,
            topic,
        )  # fmt: skip
        written.append((said, bytes(target)))
    assert written[0] == written[1]


@given(sizes=st.lists(st.integers(91, 1 << 31), max_size=5), v6=st.booleans())
def test_ids_of_a_batch_are_alike(sizes: list[int], v6: bool) -> None:
    host = bytes(range(20 if v6 else 8))
    assert ids.offset_message_ids(host, 1 << 40, sizes) == ids.offset_message_ids_plain(
        host, 1 << 40, sizes
    )
