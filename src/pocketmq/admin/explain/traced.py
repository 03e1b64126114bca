"""What message traces add: who handled a message, when, and how that went.

Clients trace what they do when they are told to. PocketMQ's brokers add points of their own, whose
groups have an `@`: when a group was seen to be past a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pocketmq.admin.explain.facts import Copy, GroupFacts, MessageFacts
from pocketmq.admin.explain.findings import Finding
from pocketmq.admin.explain.words import lasting, listed, moment, times
from pocketmq.admin.traces import TracePoint, handled_by
from pocketmq.message.topics import SCHEDULE_TOPIC, TIMER_TOPIC, is_dead_letter_topic

_SHOWN_MAX: Final = 20
_AFTER_FAILURES: Final = (SCHEDULE_TOPIC, TIMER_TOPIC)


def traced_findings(
    message: MessageFacts, group: GroupFacts, again: Sequence[Copy]
) -> Iterator[Finding]:
    """The deliveries to this group that its members traced, and the retries that are stored."""
    deliveries = _deliveries(message, group.name)
    for delivery in deliveries[-_SHOWN_MAX:]:
        yield _delivery(delivery, handled_by(message.traces, delivery))
    failures = [
        copy for copy in again if copy.topic in _AFTER_FAILURES or is_dead_letter_topic(copy.topic)
    ]
    if len(failures) > 1 and not deliveries:
        moments = [moment(copy.stored_ms) for copy in failures]
        yield Finding(
            "failed before",
            f"It failed in group {group.name} {times(len(failures))}: {listed(moments)}.",
            {"failures": len(failures), "first_failure_ms": failures[0].stored_ms},
        )


def last_handling(message: MessageFacts, group: str) -> TracePoint | None:
    """How the last traced delivery to a group ended."""
    for delivery in reversed(_deliveries(message, group)):
        ended = handled_by(message.traces, delivery)
        if ended is not None:
            return ended
    return None


def passed_ms(message: MessageFacts, group: str) -> int | None:
    """When a broker first saw that a group is past the message; None when none told."""
    for point in message.traces:
        if point.what == "delivered" and point.by_broker and point.group.split("@")[0] == group:
            return point.at_ms
    return None


def _deliveries(message: MessageFacts, group: str) -> list[TracePoint]:
    return [
        point
        for point in message.traces
        if point.what == "delivered" and point.group == group and not point.by_broker
    ]


def _delivery(delivery: TracePoint, ended: TracePoint | None) -> Finding:
    evidence = {"delivered_ms": delivery.at_ms, "attempt": delivery.attempt}
    start = (
        f"Traced: the member at {delivery.client} got it {moment(delivery.at_ms)}, "
        f"attempt {delivery.attempt}"
    )
    if ended is None:
        return Finding("traced", f"{start}; how that ended was not traced.", evidence)
    how = {
        "success": "succeeded",
        "timeout": "ran out of time",
        "failed": "failed",
        "retry": "asked for a retry",
    }.get(ended.outcome, f"ended as {ended.outcome}")
    return Finding(
        "traced",
        f"{start}, and its handler {how} after {lasting(ended.cost_ms)}.",
        {**evidence, "outcome": ended.outcome, "cost_ms": ended.cost_ms},
    )
