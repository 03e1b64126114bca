"""Receipt handles, bit sets and the sharing of queues."""

from __future__ import annotations

import pytest

from pocketmq.broker.rules.assignments import assign
from pocketmq.broker.rules.pop import parse_bits, parse_handle
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
