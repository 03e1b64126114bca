"""Samples of how far groups are."""

from __future__ import annotations

import pytest

from pocketmq.broker.state import progress
from pocketmq.broker.state.progress import SAMPLES_PER_QUEUE_MAX, ProgressTable


def test_the_first_sample_beyond_a_message_counts() -> None:
    table = ProgressTable()
    for moment, offset in ((100, 5), (200, 5), (300, 9)):
        table.sample("T@g", 0, offset, moment)
    assert [table.passed_ms("T@g", 0, offset) for offset in (0, 4, 5, 8, 9)] == [
        100, 100, 300, 300, None,
    ]  # fmt: skip
    assert table.passed_ms("T@g", 1, 0) is None


def test_the_past_gets_coarser_and_stays_in_order() -> None:
    table = ProgressTable()
    for step in range(1, 10_000):
        table.sample("T@g", 0, step, step * 10)
    assert table.passed_ms("T@g", 0, 9_998) == 99_990
    seen = [table.passed_ms("T@g", 0, offset) or 0 for offset in range(9_999)]
    assert seen == sorted(seen)
    assert all(moment >= (offset + 1) * 10 for offset, moment in enumerate(seen))
    assert len(set(seen)) <= SAMPLES_PER_QUEUE_MAX


def test_a_step_back_begins_anew() -> None:
    table = ProgressTable()
    table.sample("T@g", 0, 9, 100)
    table.sample("T@g", 0, 3, 200)
    assert table.passed_ms("T@g", 0, 2) == 200
    assert table.passed_ms("T@g", 0, 5) is None


def test_it_is_bounded_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUEUES_MAX", 2)
    table = ProgressTable()
    for queue in range(3):
        table.sample("T@g", queue, 1, 100)
    assert len(table) == 2
    table.forget({"other"})
    assert len(table) == 0
