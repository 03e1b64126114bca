"""The leaf that answers plain pulls gives what `Reader.pull` gives, or leaves it to it."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cold import evict
from tests.support.store_builder import append, dispatch_all, open_store, small_config

from pocketmq import _speedups
from pocketmq.broker.handlers.pull import answer_pull
from pocketmq.filtering.sql.filters import compile_sql
from pocketmq.message.hashing import tag_hash
from pocketmq.protocol.codes import ResponseCode
from pocketmq.protocol.command import WIRE_VERSION
from pocketmq.protocol.replies import encode_pull_head
from pocketmq.store import MessageStore
from pocketmq.store.config import LogConfig, QueueConfig, ReadConfig, StoreConfig
from pocketmq.store.residency import is_resident

pytestmark = pytest.mark.skipif(
    not _speedups.has("pulls"), reason="the leaf `pulls` is not compiled, or not wanted"
)

_TAGS = ("", "a", "b", "c")
_MESSAGES = 90


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MessageStore]:
    """Two queues whose messages lie in turns, in several files of the log."""
    config: StoreConfig = small_config(tmp_path_factory.mktemp("direct"))
    opened = open_store(config)
    for n in range(_MESSAGES):
        body = b"%d" % n + b"x" * (n * 37 % 900)
        amount = str(n) if n % 10 else f"+{n}"
        append(opened, "orders", n % 3 // 2, body, tag=_TAGS[n % 4], amount=amount)
    opened.dispatch(1000)
    yield opened
    opened.close()


@given(
    queue_id=st.integers(-1, 2),
    queue_offset=st.integers(-2, 65),
    count=st.integers(1, 40),
    wanted=st.none() | st.frozensets(st.sampled_from(_TAGS[1:]), min_size=1),
    serialization=st.integers(0, 1),
    expression=st.none() | st.sampled_from(("amount > 20 AND amount < 70", "amount = 40")),
)
def test_the_leaf_and_the_reader_agree(
    store: MessageStore,
    queue_id: int,
    queue_offset: int,
    count: int,
    wanted: frozenset[str] | None,
    serialization: int,
    expression: str | None,
) -> None:
    assert answer_pull is not None
    accept = None if expression is None else compile_sql(expression)
    hashes = None if wanted is None else frozenset(tag_hash(tag) for tag in wanted)
    answered = store.pull_directly(
        "orders", queue_id, queue_offset, count, hashes, answer_pull,
        (serialization, 7, 0, WIRE_VERSION), accept,
    )  # fmt: skip
    result = store.pull("orders", queue_id, queue_offset, count, hashes, accept)
    if answered is None:
        # What it may leave to the reader: nothing found, entries whose records lie in two files of
        # the log (those of a filter need not be among the found).
        starts = {
            int.from_bytes(bytes(view)[28:36], "big") // 16_384 * 16_384 for view in result.views
        }
        filtered = wanted is not None or accept is not None
        assert result.count == 0 or len(result.views) > 1 or len(starts) > 1 or filtered
        return
    answer, next_offset, found, size = answered
    body = b"".join(result.views)
    if accept is None:
        assert (next_offset, found, size) == (result.next_offset, result.count, result.bytes)
    else:
        # The reader goes on in the queue's next file, and past unwanted messages behind the last.
        assert next_offset <= result.next_offset
        assert found <= result.count
        body = body[:size]
    head = encode_pull_head(
        serialization, 7, next_offset, result.min_offset, result.max_offset, 0, 0, 0,
        ResponseCode.SUCCESS, b"FOUND", WIRE_VERSION, size,
    )  # fmt: skip
    assert head is not None
    assert answer == head + body
    again = store.pull("orders", queue_id, queue_offset, found, hashes, accept)
    assert (again.count, again.bytes) == (found, size)


def test_most_pulls_of_whole_queues_are_answered_by_the_leaf(store: MessageStore) -> None:
    assert answer_pull is not None
    ask = (0, 7, 0, WIRE_VERSION)
    answered = [store.pull_directly("orders", 0, n, 4, None, answer_pull, ask) for n in range(60)]
    assert sum(answer is not None for answer in answered) > 40


def test_a_damaged_record_is_left_to_the_reader(tmp_path: Path) -> None:
    assert answer_pull is not None
    store = open_store(small_config(tmp_path))
    append(store, "orders", 0, b"first")
    second = append(store, "orders", 0, b"second")
    store.dispatch(10)
    file = store._log.files[0]
    assert file.data is not None
    ask = (0, 7, 0, WIRE_VERSION)
    assert store.pull_directly("orders", 0, 0, 32, None, answer_pull, ask) is not None
    file.data[second.log_offset : second.log_offset + 4] = (second.size + 1).to_bytes(4, "big")
    assert store.pull_directly("orders", 0, 0, 32, None, answer_pull, ask) is None
    assert store.pull("orders", 0, 0, 32).count == 1
    store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="evicting pages is Linux's")
@pytest.mark.parametrize("expression", [None, "amount >= 0"])
def test_only_what_is_in_memory_is_answered(tmp_path: Path, expression: str | None) -> None:
    assert answer_pull is not None
    config = dataclasses.replace(
        small_config(tmp_path),
        log=LogConfig(file_bytes=1024 * 1024, warm_up=False),
        queues=QueueConfig(file_bytes=20_000),
        reading=ReadConfig(hot_bytes=0),
    )
    store = open_store(config)
    kept = [append(store, body=os.urandom(1500), amount=str(n)) for n in range(100)]
    dispatch_all(store)
    store.close()
    evict(next((tmp_path / "commitlog").iterdir()))
    store = open_store(config)
    store.dispatch(1000)
    accept = None if expression is None else compile_sql(expression)
    ask = (0, 7, 0, WIRE_VERSION)

    def found(first: int, count: int) -> int:
        answered = store.pull_directly("orders", 0, first, count, None, answer_pull, ask, accept)
        return 0 if answered is None else answered[2]

    file = store._log.files[0]
    file.map()
    if is_resident(file.address, file.size):
        pytest.skip("this file system keeps its pages in memory")
    assert file.view is not None
    first, last = kept[5].log_offset, kept[60].log_offset + kept[60].size
    assert [found(n, 1) for n in (20, 70)] == [0, 0]
    assert len(bytes(file.view[first:last])) == last - first, "all pages are looked at"
    assert [found(20, 30), found(31, 30), found(60, 1)] == [30, 30, 1]
    assert [found(0, 1), found(50, 20), found(70, 1)] == [0, 0, 0], (
        "one that is not there spoils the pull"
    )
    store.close()
