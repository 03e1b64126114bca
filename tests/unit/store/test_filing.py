"""The leaf that files records and its plain twin fill the same queues and stop alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.store_builder import open_store, small_config

from pocketmq import _speedups
from pocketmq.message.scan import Filed
from pocketmq.message.topics import SCHEDULE_TOPIC
from pocketmq.store import dispatcher

pytestmark = pytest.mark.skipif(
    not _speedups.has("queues"), reason="the leaf `queues` is not compiled, or not wanted"
)

_TOPICS = ("orders", "orders", "orders", "other", "batches", SCHEDULE_TOPIC, "unknown")
_MANY = [("orders", n % 40, False) for n in range(200)]


def filed(chosen: list[tuple[str, int, bool]]) -> list[Filed]:
    """Records as a scan finds them; a few skip a queue offset."""
    ends: dict[tuple[str, int], int] = {}
    records: list[Filed] = []
    for number, (topic, queue_id, skips) in enumerate(chosen):
        offset = ends.get((topic, queue_id), 0) + skips
        ends[topic, queue_id] = offset + 1
        name = "".join(list(topic))  # a scan makes another text of the same name now and then
        records.append((name, queue_id, offset, number * 200, 200, number - 50, 7))
    return records


def file_all(records: list[Filed], directory: Path, *, leaf: bool) -> tuple[list[int], list[bytes]]:
    """Where filing stopped each time, and what all queues hold in the end."""
    store = open_store(small_config(directory))
    table = store._queues
    table.topic("batches").is_batch = True
    for queue_id in range(40):
        table.open_queue(table.topic("orders"), queue_id)
    table.open_queue(table.topic("other"), 0)
    stops = []
    at = 0
    file_entries = dispatcher.file_entries if leaf else dispatcher.file_entries_plain
    while at < len(records):
        at = file_entries(records, at, table.topics)
        stops.append(at)
        if at < len(records):
            name, queue_id, offset, log_offset, size, tag_hash, _ = records[at]
            topic = table.topic(name)
            if not topic.is_batch:
                table.open_queue(topic, queue_id).append(offset, log_offset, size, tag_hash)
            at += 1
    held = [
        b"%s %d %d: " % (queue.topic.encode(), queue.queue_id, queue.end)
        + b"".join(b"%r" % (queue.entry(n),) for n in range(queue.end))
        for queue in table
    ]
    store.close()
    return stops, held


@given(
    chosen=st.lists(
        st.tuples(
            st.sampled_from(_TOPICS), st.integers(0, 2), st.sampled_from((False,) * 9 + (True,))
        ),
        max_size=80,
    )
)
@example(chosen=_MANY)
def test_both_file_alike(chosen: list[tuple[str, int, bool]]) -> None:
    records = filed(chosen)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        assert file_all(records, Path(one), leaf=True) == file_all(records, Path(other), leaf=False)
