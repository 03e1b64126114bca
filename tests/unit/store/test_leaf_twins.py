"""The compiled queue and key leaves and their Python twins do the same with everything."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketmq import _speedups
from pocketmq.message.scan import KEY_ENTRY
from pocketmq.store import consume_queue, index_file, pull_scan
from pocketmq.store.pull_scan import PullLimits

pytestmark = pytest.mark.skipif(
    not (_speedups.has("queues") and _speedups.has("keys")),
    reason="the leaves `queues` and `keys` are not compiled, or not wanted",
)

entries = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3000), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.integers(-5, 300), st.just(0x7FFFFFFF)),
        st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)),
    ),
    max_size=12,
)
small = st.integers(0, 12)


@given(
    entries,
    st.booleans(),
    st.tuples(small, st.integers(0, 2000), small, st.integers(0, 2000), small,
              st.integers(0, 2000), st.integers(-10, 3000), st.integers(0, 100),
              st.integers(0, 3500)),
    st.one_of(st.none(), st.frozensets(st.integers(-3, 3), max_size=3)),
)  # fmt: skip
@settings(max_examples=250, deadline=None)
def test_selecting_records_for_a_pull_is_the_same(
    held: list[tuple[int, int, int]],
    in_a_row: bool,
    numbers: tuple[int, ...],
    tags: frozenset[int] | None,
) -> None:
    if in_a_row:
        at = 0
        for index, (_, size, tag) in enumerate(held):
            held[index] = (at, size, tag)
            at += max(size % 1000, 0)
    data = b"".join(struct.pack(">qiq", *entry) for entry in held)
    limits = PullLimits(*numbers)
    for start in (0, 20):
        mine = pull_scan.select_extents(data, start, len(data), limits, tags)
        assert mine == pull_scan.select_extents_plain(data, start, len(data), limits, tags)
    counted = consume_queue.count_entries(data, 0, len(data), -1)
    assert counted == consume_queue.count_entries_plain(data, 0, len(data), -1)


@given(st.binary(max_size=400), st.integers(0, 2**40))
@settings(max_examples=200, deadline=None)
def test_following_a_chain_of_records_is_the_same(data: bytes, log_offset: int) -> None:
    head = struct.pack(">II20xq", 100, 0xDAA320A7, log_offset)
    for chain in (data, head + bytes(64) + data, head + bytes(64)):
        mine = pull_scan.count_chained(chain, 0, len(chain), log_offset)
        assert mine == pull_scan.count_chained_plain(chain, 0, len(chain), log_offset)


@given(
    st.lists(
        st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**62), st.integers(0, 2**53)),
        max_size=30,
    ),
    st.integers(1, 9),
    st.integers(2, 20),
    st.integers(0, 2**62),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_filling_and_mending_an_index_is_the_same(
    keys: list[tuple[int, int, int]],
    slots: int,
    room: int,
    log_end: int,
    flips: list[tuple[int, int]],
) -> None:
    packed = b"".join(KEY_ENTRY.pack(*key) for key in keys)
    mine = bytearray(index_file.index_file_bytes(slots, room))
    plain = bytearray(mine)
    for first in range(0, len(packed) + 1, 60):
        part = packed[: first + 60]
        done = index_file.put_keys(mine, part, min(first, len(part)), slots, room)
        assert done == index_file.put_keys_plain(plain, part, min(first, len(part)), slots, room)
        assert mine == plain
    for position, value in flips:
        if position < len(mine):
            mine[position] = plain[position] = value
    count = min(max(int.from_bytes(mine[36:40], "big", signed=True), 1), room)
    believed = index_file.rebuild_slots(mine, slots, count, log_end)
    assert believed == index_file.rebuild_slots_plain(plain, slots, count, log_end)
    assert mine == plain
