"""Check points and acks: their bytes, and where the timer keeps them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.broker.rules.placement import PlacementRules, place
from pocketmq.broker.rules.pop_records import (
    FAILURE_DELAYS_SECONDS,
    CheckPoint,
    ack_unique_key,
    due_properties,
    encode_acks,
    read_acks,
    read_check_point,
    timed_properties,
)
from pocketmq.message.properties import TAGS, UNIQUE_KEY, encode_properties
from pocketmq.message.topics import TIMER_TOPIC

POINT = CheckPoint("T", "g", 1, 10, 1000, 500, (0, 2, 5), "b")


def test_check_points_and_acks_have_the_bytes_of_apache() -> None:
    expected = b'{"bm":0,"bn":"b","c":"g","d":[0,2,5],"it":500,"n":3,"pt":1000,"q":1,"ro":0,"so":10'
    assert POINT.encode() == expected + b',"t":"T"}'
    assert read_check_point(POINT.encode()) == POINT
    assert POINT.unique_key == "T@1@10@g@1000@b@ck"
    assert read_acks(encode_acks(POINT.key, [12], "b")) == (POINT.key, [12])
    assert encode_acks(POINT.key, [12], "b").startswith(b'{"ao":12,"bn":"b","c":"g","pt":1000')
    many = encode_acks(POINT.key, [12, 15], "b")
    assert b'"ao":-1' in many
    assert b'"aol":[12,15]' in many
    assert read_acks(many) == (POINT.key, [12, 15])
    assert ack_unique_key(POINT.key, [12], "b") == "T@1@12@g@1000@b@ack"


@given(
    st.text(),
    st.text(),
    st.text(),
    st.lists(st.integers(0, 2**62), min_size=1, max_size=32, unique=True),
    st.integers(0, 2**32 - 1),
    st.integers(0, 20),
)
def test_records_are_read_as_they_are_written(
    topic: str, group: str, broker: str, steps: list[int], bits: int, failures: int
) -> None:
    point = CheckPoint(topic, group, 3, 7, 1000, 500, tuple(steps), broker, bits, failures)
    assert read_check_point(point.encode()) == point
    assert read_acks(encode_acks(point.key, steps, broker)) == (point.key, steps)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"t":"T","c":"g","pt":"x","it":1}'])
def test_broken_records_are_seen(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_check_point(body)
    with pytest.raises(ValueError):
        read_acks(body)


def test_acks_settle_what_the_check_point_took() -> None:
    bits = POINT.bits_of([12, 11, 99])
    assert bits == 0b010
    settled = CheckPoint("T", "g", 1, 10, 1000, 500, (0, 2, 5), "b", bits)
    assert settled.open_offsets == [10, 15]


def test_all_bits_of_a_record_of_apache_are_read() -> None:
    full = CheckPoint("T", "g", 1, 0, 1000, 500, tuple(range(32)), "b", 0xFFFFFFFF)
    assert b'"bm":-1,' in full.encode()
    assert read_check_point(full.encode()) == full
    assert full.open_offsets == []


def test_what_fails_is_tried_later_and_later() -> None:
    later, waits = POINT, []
    for _ in range(20):
        before = later.due_ms
        later = later.failed(15, now_ms=later.due_ms)
        waits.append((later.due_ms - before) // 1000)
    assert tuple(waits[:17]) == FAILURE_DELAYS_SECONDS
    assert waits[17:] == [7200] * 3
    assert (later.start_offset, later.differences, later.failures) == (15, (0,), 20)
    assert read_check_point(later.encode()) == later
    assert POINT.failed(15, now_ms=POINT.due_ms - 1).due_ms == POINT.due_ms


@pytest.mark.parametrize("due_ms", [5000, 5001, 99_999])
def test_records_go_where_placement_would_send_them(due_ms: int) -> None:
    stated = {TAGS: "ck", UNIQUE_KEY: "k", "TIMER_DELIVER_MS": str(due_ms)}
    placed = place("R", 3, stated, 0, 4000, PlacementRules())
    assert placed.topic == TIMER_TOPIC
    assert timed_properties("ck", "k", due_ms, "R", 3, 1000) == (
        encode_properties(placed.properties).encode()
    )
    at_once = place("R", 3, stated, 0, due_ms, PlacementRules())
    assert at_once.topic == "R"
    assert due_properties("ck", "k", due_ms) == encode_properties(at_once.properties).encode()
