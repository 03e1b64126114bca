"""Brokers that failed or were slow are left alone for as long as Java's clients leave them."""

from __future__ import annotations

import pytest

from pocketmq.client.faults import Faults, pause_seconds


@pytest.mark.parametrize(
    ("latency_ms", "pause"),
    [
        (0, 0),
        (549, 0),
        (550, 2),
        (1799, 2),
        (1800, 5),
        (3000, 6),
        (5000, 10),
        (14_999, 10),
        (15_000, 30),
        (60_000, 30),
    ],
)
def test_slower_brokers_are_left_alone_longer(latency_ms: float, pause: float) -> None:
    assert pause_seconds(latency_ms) == pause


def test_a_failure_passes_and_a_good_answer_ends_it_at_once() -> None:
    faults = Faults()
    assert not faults
    faults.failed("a", 100.0)
    faults.answered("b", 600, 100.0)
    assert faults.is_avoided("a", 109.9) and faults.is_avoided("b", 101.9)
    assert faults.avoided(101.0) == {"a": 9.0, "b": 1.0}
    assert not faults.is_avoided("b", 102.0)
    assert not faults.is_avoided("c", 100.0)
    faults.answered("a", 10, 101.0)
    assert not faults
    faults.failed("a", 100.0)
    faults.recovered("a")
    assert not faults
