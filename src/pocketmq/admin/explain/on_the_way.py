"""What a message went through, or waits for, before consumers may see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pocketmq.admin.explain.facts import Copy, MessageFacts
from pocketmq.admin.explain.findings import Evidence, Finding
from pocketmq.admin.explain.words import lasting, moment, times, when
from pocketmq.broker.rules.transactions import check_times
from pocketmq.message.properties import DELAY, PRODUCER_GROUP
from pocketmq.message.topics import CHECK_MAX_TOPIC, HALF_TOPIC, SCHEDULE_TOPIC, TIMER_TOPIC

_LATE_MS: Final = 5000


def way_findings(message: MessageFacts) -> Iterator[Finding]:
    """Delays and transactions, past or under way."""
    waits = [copy for copy in message.on_the_way if copy.topic in (SCHEDULE_TOPIC, TIMER_TOPIC)]
    if waits:
        yield _delay(message, waits[-1])
    halves = [copy for copy in message.on_the_way if copy.topic == HALF_TOPIC]
    given_up = [copy for copy in message.copies if copy.topic == CHECK_MAX_TOPIC]
    if halves or given_up:
        yield _transaction(message, halves, given_up)


def _delay(message: MessageFacts, copy: Copy) -> Finding:
    now_ms = message.broker_of(copy).now_ms
    due_ms = message.broker_of(copy).due_ms(copy)
    kind = "timed" if copy.topic == TIMER_TOPIC else "delayed"
    level = copy.properties.get(DELAY, "")
    how = "by a timer" if kind == "timed" else f"by delay level {level}"
    evidence = {"due_ms": due_ms, "stored_ms": copy.stored_ms, "waits_in": copy.topic}
    visible = message.visible
    if visible is not None and visible.age_key > copy.age_key:
        return Finding(
            "was delayed",
            f"It was sent {moment(copy.stored_ms)} and held back {how} until "
            f"{moment(visible.stored_ms)}, as its producer asked.",
            {**evidence, "delivered_ms": visible.stored_ms},
        )
    if due_ms is None:
        return Finding(
            kind, f"It is held back {how}; until when cannot be read from the broker.", evidence
        )
    recalled = next((one for one in message.traces if one.what == "recalled"), None)
    if recalled is not None and recalled.outcome == "success":
        return Finding(
            "recalled",
            f"Its producer took it back {when(recalled.at_ms, now_ms)}; it is not delivered.",
            {**evidence, "recalled_ms": recalled.at_ms},
        )
    if due_ms > now_ms - _LATE_MS:
        return Finding(
            kind,
            f"It is not visible yet: its producer had it held back {how} until "
            f"{when(due_ms, now_ms)}.",
            evidence,
        )
    if kind == "timed":
        return Finding(
            "overdue",
            f"It was to be delivered {when(due_ms, now_ms)} and is not in topic {message.topic}. "
            "Either its producer recalled it, or the broker's timer is behind.",
            evidence,
            "pocketmq doctor",
        )
    return Finding(
        "overdue",
        f"It was to be delivered {when(due_ms, now_ms)} and has not been: the broker's delivery "
        "of delayed messages is behind.",
        evidence,
        "pocketmq doctor",
    )


def _transaction(message: MessageFacts, halves: list[Copy], given_up: list[Copy]) -> Finding:
    newest = (halves or given_up)[-1]
    now_ms = message.broker_of(newest).now_ms
    checks = max(check_times(copy.properties) for copy in (*halves, *given_up))
    group = newest.properties.get(PRODUCER_GROUP, "")
    first_ms = (halves or given_up)[0].stored_ms
    evidence: Evidence = {
        "producer_group": group,
        "checks": checks,
        "prepared_ms": first_ms,
        "half_queue_offset": newest.queue_offset,
    }
    asked = f"after the broker had asked {times(checks)}" if checks else "without being asked"
    visible = message.visible
    if visible is not None and visible.stored_ms >= first_ms:
        return Finding(
            "committed",
            f"It was prepared {moment(first_ms)} as half of a transaction of {group}, and "
            f"committed {lasting(visible.stored_ms - first_ms)} later, {asked}.",
            {**evidence, "committed_ms": visible.stored_ms},
        )
    if given_up and given_up[-1].stored_ms >= newest.stored_ms:
        return Finding(
            "transaction given up",
            f"Its transaction was given up {when(given_up[-1].stored_ms, now_ms)}: the broker "
            f"asked a producer of {group} {times(checks)} and got no decision. It lies "
            f"in {CHECK_MAX_TOPIC} and is delivered to nobody.",
            evidence,
            f"pocketmq message get {given_up[-1].offset_id}",
        )
    traced = next((one for one in reversed(message.traces) if one.what == "ended"), None)
    by_trace = traced is not None and traced.outcome == "rollback"
    if newest.queue_offset in message.ended_halves or by_trace:
        return Finding(
            "rolled back",
            f"It was prepared {moment(first_ms)} as half of a transaction of {group}, which rolled "
            f"it back, {asked}. Nobody will see it.",
            {**evidence, "traced": by_trace},
        )
    return _still_open(message, newest, first_ms, checks, evidence)


def _still_open(
    message: MessageFacts,
    newest: Copy,
    since_ms: int,
    checks: int,
    evidence: Evidence,
) -> Finding:
    broker = message.broker_of(newest)
    group = newest.properties.get(PRODUCER_GROUP, "")
    limit = broker.number("transactionCheckMax", 15)
    every = lasting(broker.number("transactionCheckInterval", 30_000))
    asked = f"has asked {group} {times(checks)}" if checks else "has not asked yet"
    rounds = (
        f"The broker {asked}; it asks every {every} and gives up after {times(limit)}. If no "
        f"producer of {group} is connected, nobody can answer."
    )
    evidence = {**evidence, "checks_max": limit}
    if message.halves_unknown:
        return Finding(
            "transaction not committed",
            f"It was prepared {when(since_ms, broker.now_ms)} as half of a transaction of {group} "
            "and has not been committed, so nobody sees it. Whether it is still open or was rolled "
            f"back cannot be told: {message.halves_unknown}. {rounds}",
            {**evidence, "unknown": message.halves_unknown},
        )
    return Finding(
        "transaction open",
        f"It is half of a transaction of {group} that has been open since "
        f"{when(since_ms, broker.now_ms)}, so nobody sees it. {rounds}",
        evidence,
        "pocketmq doctor",
    )
