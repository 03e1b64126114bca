"""Counts and durations of what a client did."""

from __future__ import annotations

import doctest
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.test_trace_records import QUEUE, received

from pocketmq.client import statistics
from pocketmq.client.hooks import ConsumeContext, RecallContext, SendContext
from pocketmq.client.messages import SendReceipt
from pocketmq.client.statistics import OTHER_TOPICS, Durations, Statistics
from pocketmq.client.telemetry import LogMessages


def sent(topic: str, *, failed: bool = False, messages: int = 1) -> SendContext:
    keys = [f"U{n}" for n in range(messages)]
    context = SendContext("g", "c", topic, "normal", [{}] * messages, [10] * messages, keys, 1)
    context.cost_ms = 2.0
    if failed:
        context.error = ValueError("no")
    else:
        context.receipt = SendReceipt(topic, "b", 0, 7, "U0", "O")
    return context


def handled(status: str, error: BaseException | None = None) -> ConsumeContext:
    context = ConsumeContext("g", "c", QUEUE, [received(["U"], "k")], 1, status, 3.0)
    context.error = error
    return context


def test_sends_and_deliveries_are_counted_by_topic() -> None:
    counts = Statistics()
    counts.after_send(sent("a", messages=3))
    counts.after_send(sent("a", failed=True))
    counts.after_send(sent("b"))
    counts.after_consume(handled("success"))
    counts.after_consume(handled("retry"))
    counts.after_consume(handled("failed", KeyError("x")))
    counts.after_consume(handled("timeout"))
    counts.after_recall(RecallContext("g", "c", "b", "U", 1, 1.0))
    counts.after_recall(RecallContext("g", "c", "b", "U", 1, 1.0, OSError()))
    a, b, events = counts.topic("a"), counts.topic("b"), counts.topic("golden_Events")
    assert (a.sent, a.sent_bytes, a.send_failures, a.last_error) == (3, 30, 1, "no")
    assert (b.sent, b.recalled, b.send_ms.count) == (1, 1, 1)
    assert (events.consumed, events.retried, events.timed_out) == (1, 2, 1)
    assert events.handler_ms.count == 4
    assert events.last_error == "KeyError: 'x'"
    shown = json.loads(json.dumps(counts.snapshot()))
    assert shown["a"]["send_ms"] == {"count": 1, "mean": 2.0, "p50": 2.0, "p99": 2.0, "max": 2.0}


def test_topics_beyond_the_bound_are_counted_together() -> None:
    counts = Statistics(topics_max=2)
    for name in ("a", "b", "c", "d"):
        counts.after_send(sent(name))
    assert set(counts.topics) == {"a", "b", OTHER_TOPICS}
    assert counts.topics[OTHER_TOPICS].sent == 2


@given(st.lists(st.floats(0.1, 100_000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_right_to_a_quarter(values: list[float], share: float) -> None:
    took = Durations()
    for value in values:
        took.add(value)
    exact = sorted(values)[max(0, -(-round(share * len(values) * 1e9) // 10**9) - 1)]
    assert exact <= took.quantile(share) * 1.0001
    assert took.quantile(share) <= exact * 1.26


def test_log_lines_name_message_and_outcome(caplog: pytest.LogCaptureFixture) -> None:
    hook = LogMessages()
    with caplog.at_level(logging.INFO, "pocketmq.messages"):
        hook.after_send(sent("a"))
        hook.after_send(sent("a", failed=True))
        hook.after_consume(handled("success"))
        hook.after_consume(handled("failed", KeyError("x")))
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [
        ("INFO", "sent topic=a id=U0 queue=b/0 offset=7 ms=2.0"),
        ("WARNING", "sent topic=a id=U0 queue= offset= ms=2.0 error=ValueError('no')"),
        ("INFO", "handled topic=golden_Events id=U group=g attempt=1 status=success ms=3.0"),
        (
            "WARNING",
            "handled topic=golden_Events id=U group=g attempt=1 status=failed ms=3.0 "
            "error=KeyError('x')",
        ),
    ]


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(statistics).failed == 0
