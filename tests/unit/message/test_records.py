"""Records, properties, batches and ids, byte by byte."""

from __future__ import annotations

import pytest

from pocketmq.errors import CorruptRecord, MalformedBody
from pocketmq.message.batch import decode_batch, encode_batch
from pocketmq.message.hashing import java_string_hash, tag_hash
from pocketmq.message.ids import (
    decode_offset_message_id,
    new_unique_key,
    offset_message_id,
    pack_host,
    unpack_host,
)
from pocketmq.message.properties import decode_properties, encode_properties
from pocketmq.message.record import (
    MAGIC_V1,
    MAGIC_V2,
    decode_record,
    magic_of_topic,
    write_record_plain,
)

HOST = pack_host("127.0.0.1", 10911)


def a_record(body: bytes = b"hello", properties: bytes = b"TAGS\x01a\x02") -> bytearray:
    target = bytearray(300)
    size = write_record_plain(
        target, 0, 300, 77, 5, 1000, MAGIC_V1, 2, 9, 0, 900, HOST, pack_host("::1", 1), 3, 0,
        body, 907060870, b"orders", properties,
    )  # fmt: skip
    return target[:size]


def test_a_record_comes_back_as_it_was_written() -> None:
    record = decode_record(a_record())
    assert (record.topic, record.queue_id, record.queue_offset) == ("orders", 2, 5)
    assert bytes(record.body) == b"hello"
    assert record.properties == {"TAGS": "a"}
    assert unpack_host(record.store_host) == ("::1", 1)
    assert record.sys_flag & 0x30 == 0x20


@pytest.mark.parametrize("damage", [(4, 0), (0, 9), (101, 1), (3, 255)])
def test_a_damaged_record_is_refused(damage: tuple[int, int]) -> None:
    raw = a_record()
    raw[damage[0]] = damage[1]
    with pytest.raises(CorruptRecord):
        decode_record(raw)


def test_a_cut_record_is_refused_wherever_it_is_cut() -> None:
    raw = a_record()
    for length in range(len(raw)):
        with pytest.raises(CorruptRecord):
            decode_record(raw[:length])


def test_the_record_version_follows_the_utf16_length_of_the_topic() -> None:
    assert magic_of_topic("a" * 127) == MAGIC_V1
    assert magic_of_topic("a" * 128) == MAGIC_V2
    assert magic_of_topic("\U0001f600" * 64) == MAGIC_V2


def test_properties_that_are_malformed_vanish() -> None:
    assert decode_properties("a\x011\x02\x01x\x02b\x01\x02c\x02d\x012") == {"a": "1", "d": "2"}
    assert decode_properties(encode_properties({"x": "1", "y": "z"})) == {"x": "1", "y": "z"}


def test_a_batch_comes_back_item_by_item() -> None:
    items = [(1, b"one", b"TAGS\x01a\x02"), (2, b"", b""), (3, b"three", b"")]
    decoded = decode_batch(encode_batch(items))
    assert [(x.flag, bytes(x.body), bytes(x.properties)) for x in decoded] == items


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_batch_with_wrong_lengths_is_refused(cut: int) -> None:
    raw = encode_batch([(1, b"one", b"TAGS\x01a\x02")])
    with pytest.raises(MalformedBody):
        decode_batch(raw[:-cut])


def test_message_ids_say_where_a_message_lies() -> None:
    text = offset_message_id(HOST, 123456)
    assert text == "7F00000100002A9F000000000001E240"
    place = decode_offset_message_id(text)
    assert (place.host, place.port, place.log_offset) == ("127.0.0.1", 10911, 123456)
    with pytest.raises(ValueError, match="32 or 56"):
        decode_offset_message_id("nonsense")
    assert len(new_unique_key(5)) == 32
    assert new_unique_key(5) != new_unique_key(5)


def test_tag_hashes_are_those_of_java() -> None:
    assert tag_hash("TagA") == 2598919
    assert java_string_hash("polygenelubricants") == -(2**31)
    assert java_string_hash("\U0001f600") == 0xD83D * 31 + 0xDE00
