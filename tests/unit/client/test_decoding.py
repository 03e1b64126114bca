"""Answers of pulls made into messages, held to the record decoder of the broker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.received import HOST, HOST_V6, record

from pocketmq.client.decoding import decode_messages
from pocketmq.errors import CorruptRecord
from pocketmq.message.batch import encode_batch
from pocketmq.message.flags import COMPRESSED, NEEDS_UNWRAP
from pocketmq.message.record import decode_record

RECORDS = st.builds(
    record,
    st.integers(0, 2**40),
    st.binary(max_size=50),
    topic=st.sampled_from(["T", "other", "t" * 127, "%RETRY%" + "t" * 150]),
    sys_flag=st.sampled_from([0, 1, 0x300]),
    born_host=st.sampled_from([HOST, HOST_V6]),
    store_host=st.sampled_from([HOST, HOST_V6]),
    UNIQ_KEY=st.sampled_from(["", "key"]),
)


@given(st.lists(RECORDS, max_size=6))
def test_messages_are_what_the_records_say(records: list[bytes]) -> None:
    messages = decode_messages(b"".join(records), "b")
    assert len(messages) == len(records)
    for message, data in zip(messages, records, strict=True):
        expected = decode_record(data, verify_crc=False)
        assert (message.topic, message.stored_topic) == (expected.topic, expected.topic)
        assert message.broker_name == "b"
        for name in (
            "queue_id", "queue_offset", "log_offset", "flag", "sys_flag", "body_crc",
            "born_timestamp_ms", "store_timestamp_ms", "reconsume_times", "prepared_offset",
        ):  # fmt: skip
            assert getattr(message, name) == getattr(expected, name), name
        assert message.born_host_packed == expected.born_host
        assert message.store_host_packed == expected.store_host
        assert message.raw_body == bytes(expected.body)
        assert message.properties == expected.properties


def test_a_batch_in_one_record_becomes_its_messages() -> None:
    items = encode_batch([(1, b"one", b"A\x01x\x02"), (2, b"two", b"")])
    data = record(40, items, sys_flag=NEEDS_UNWRAP) + record(42)
    first, second, third = decode_messages(data, "b")
    assert [m.queue_offset for m in (first, second, third)] == [40, 41, 42]
    assert (first.body, first.flag, first.properties) == (b"one", 1, {"A": "x"})
    assert (second.body, second.flag, second.properties) == (b"two", 2, {})
    assert not first.sys_flag & NEEDS_UNWRAP


@pytest.mark.parametrize("flags", [0, COMPRESSED])
def test_what_only_claims_to_be_a_batch_is_handed_over_with_the_reason(flags: int) -> None:
    data = record(40, b"no batch", sys_flag=NEEDS_UNWRAP | flags) + record(41, b"fine")
    odd, fine = decode_messages(data, "b")
    assert (odd.queue_offset, odd.decoded.value) == (40, b"no batch")
    assert "cannot be taken apart" in str(odd.decoded.problem)
    assert (fine.queue_offset, fine.value) == (41, b"fine")


@given(st.data())
def test_damaged_answers_are_refused_and_never_crash(data: st.DataObject) -> None:
    whole = bytearray(record(1, b"x" * 20, A="b") + record(2))
    cut = data.draw(st.integers(0, len(whole)))
    place, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    whole[place] = value
    for damaged in (bytes(whole), bytes(whole[:cut])):
        try:
            decode_messages(damaged, "b")
        except CorruptRecord:
            continue
    with pytest.raises(CorruptRecord):
        decode_messages(record(1)[:-1], "b")
