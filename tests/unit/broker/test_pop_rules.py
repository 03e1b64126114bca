"""Receipt handles, check points, acks and the sharing of queues."""

from __future__ import annotations

import pytest

from pocketmq.broker.rules.assignments import assign
from pocketmq.broker.rules.pop import (
    CheckPoint,
    encode_ack,
    parse_bits,
    parse_handle,
    read_ack,
    read_check_point,
)
from pocketmq.protocol.bodies.queues import MessageQueue


def test_handles_are_read_as_they_are_written() -> None:
    text = "5 1700000000000 60000 3 1 broker-a 0 7"
    assert parse_handle(text).encode() == text
    assert parse_handle(text).due_ms == 1700000060000
    assert parse_handle("5 1 2 999 0 b 0").offset is None


@pytest.mark.parametrize("text", ["", "1 2 3", "1 2 3 8 0 b 0", "1 2 3 4 3 b 0", "1 -2 3 4 0 b 0"])
def test_forged_handles_are_seen(text: str) -> None:
    with pytest.raises(ValueError, match="handle"):
        parse_handle(text)


def test_check_points_and_acks_have_the_bytes_of_apache() -> None:
    point = CheckPoint("T", "g", 1, 10, 1000, 500, (0, 2, 5), "b")
    expected = b'{"bm":0,"bn":"b","c":"g","d":[0,2,5],"it":500,"n":3,"pt":1000,"q":1,"ro":0,"so":10'
    assert point.encode() == expected + b',"t":"T"}'
    assert read_check_point(point.encode()) == point
    assert point.unique_key == "T@1@10@g@1000@b@ck"
    assert point.open_offsets({12}) == [10, 15]
    assert read_ack(encode_ack(point.key, 12, "b")) == (point.key, [12])
    for bad in (b"", b"[]", b"{}", b"\xff"):
        with pytest.raises(ValueError):
            read_check_point(bad)


def test_bit_sets_are_little_endian() -> None:
    assert parse_bits("AQI=") == [0, 9]
    with pytest.raises(ValueError, match="base64"):
        parse_bits("!")


def test_queues_are_shared_out() -> None:
    queues = [MessageQueue("T", "b", number) for number in range(5)]

    def ids(client: str, strategy: str = "AVG", share: int | None = None) -> list[int]:
        return [q.queue_id for q in assign(queues, ["z", "x", "y"], client, strategy, share)]

    assert (ids("x"), ids("y"), ids("z")) == ([0, 1], [2, 3], [4])
    assert ids("x", "AVG_BY_CIRCLE") == [0, 3]
    assert ids("nobody") == []
    assert ids("x", share=0) == ids("x", share=2) == [-1]
    assert ids("z", share=1) == [4, 0, 1]
