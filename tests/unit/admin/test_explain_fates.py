"""What facts about a message and a group are taken for, in cases a test broker rarely shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pocketmq.admin.explain.facts import (
    BrokerFacts,
    CheckPointFacts,
    Copy,
    GroupFacts,
    MemberFacts,
    MessageFacts,
    QueueFacts,
)
from pocketmq.admin.explain.fates import fate_of
from pocketmq.admin.explain.findings import Finding, Status
from pocketmq.admin.explain.on_the_way import way_findings
from pocketmq.admin.explain.storage import deleted_ms, flushed_up_to, storage_findings
from pocketmq.message.topics import SCHEDULE_TOPIC
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.bodies.running import ConsumingQueue

NOW = 1_795_240_000_000
BROKER = BrokerFacts(
    "a",
    "10.0.0.1:10911",
    NOW,
    {"commitLogMaxOffset": "10000", "remainHowManyDataToFlush": "0 B"},
    {"flushDiskType": "ASYNC_FLUSH"},
)


def copy(
    topic: str = "orders",
    *,
    offset: int = 7,
    stored_ms: int = NOW - 60_000,
    log_offset: int = 500,
    retries: int = 0,
    **properties: str,
) -> Copy:
    return Copy(
        "a", "10.0.0.1:10911", topic, 0, offset, log_offset, 200, 5, stored_ms, stored_ms - 3,
        "10.0.2.1:5000", bytes((10, 0, 0, 1, 0, 0, 42, 159)), retries, 0,
        {"UNIQ_KEY": "K", **properties},
    )  # fmt: skip


ORIGINAL = copy()


def message(*copies: Copy, **more: object) -> MessageFacts:
    settings: dict[str, object] = {"queue": QueueFacts(0, 100), **more}
    known = copies or (ORIGINAL,)
    return MessageFacts("K", "orders", known, {"a": BROKER}, **settings)  # type: ignore[arg-type]


def group(offset: int | None = 3, **more: object) -> GroupFacts:
    settings: dict[str, object] = {
        "members": (MemberFacts("m1", "10.0.1.1:1", "JAVA", ("orders",)),),
        "model": "CLUSTERING",
        "consume_type": "CONSUME_PASSIVELY",
        "is_subscribed": True,
        "subscription": SubscriptionData("orders"),
        "offsets": {("a", "orders", 0): offset},
        **more,
    }
    return GroupFacts("g", **settings)  # type: ignore[arg-type]


def kinds(findings: tuple[Finding, ...]) -> list[str]:
    return [one.kind for one in findings]


# -- groups ---------------------------------------------------------------------------------------


def test_a_group_without_a_position_has_never_consumed() -> None:
    told = fate_of(message(), group(None))
    assert told.status is Status.BEHIND
    assert "it has no position in the queue, so it has never consumed" in told.findings[0].text


def test_a_filter_that_will_pass_it_over_is_foretold() -> None:
    wants = SubscriptionData("orders", "paid", ("paid",))
    told = fate_of(message(), group(subscription=wants))
    assert told.status is Status.BEHIND
    assert "When it does it will pass the message over: it wants the tag 'paid'" in (
        told.findings[0].text
    )


def test_a_queue_that_no_member_reads() -> None:
    told = fate_of(message(), group())
    assert "queue without owner" in kinds(told.findings)
    owner = MemberFacts("m1", "x", "JAVA", ("orders",), None, ConsumingQueue())
    assert "queue without owner" not in kinds(fate_of(message(), group(members=(owner,))).findings)
    silent = MemberFacts("m1", "x", "CPP", problem="it does not tell")
    assert "queue without owner" not in kinds(fate_of(message(), group(members=(silent,))).findings)


def test_what_an_operator_forbade() -> None:
    told = fate_of(message(), group(may_read=False))
    assert told.status is Status.FORBIDDEN
    (forbidden,) = [one for one in told.findings if one.kind == "group forbidden"]
    assert forbidden.command == "pocketmq group allow g orders"


def test_sql_that_the_broker_refuses() -> None:
    refusing = replace(BROKER, config={"enablePropertyFilter": "false"})
    facts = replace(message(), brokers={"a": refusing})
    wants = SubscriptionData("orders", "a > 1", expression_type="SQL92")
    assert "SQL filters are off" in kinds(fate_of(facts, group(subscription=wants)).findings)


def test_a_pop_that_nobody_acknowledged_in_time() -> None:
    point = CheckPointFacts("g", NOW - 70_000, NOW - 10_000)
    older = CheckPointFacts("other", NOW - 5000, NOW + 5000)
    facts = message(copy(stored_ms=NOW - 80_000), check_points=(point, older))
    told = fate_of(facts, group(8, consume_type="CONSUME_POP"))
    assert told.status is Status.INVISIBLE
    assert "The broker is about to deliver it again." in told.findings[0].text


def test_a_pop_that_led_to_the_copy_is_over() -> None:
    again = copy("%RETRY%g_orders", offset=0, log_offset=900, stored_ms=NOW - 5000, retries=1)
    point = CheckPointFacts("g", NOW - 50_000, NOW - 6000)
    facts = message(ORIGINAL, again, check_points=(point,))
    told = fate_of(facts, group(8, consume_type="CONSUME_POP"))
    assert (told.status, told.findings[0].kind) == (Status.RETRYING, "retry is due")


def test_whether_a_pop_was_acknowledged_may_not_be_known() -> None:
    facts = message(pops_unknown="the timer's queue cannot be read")
    told = fate_of(facts, group(8, consume_type="CONSUME_POP"))
    assert told.status is Status.CONSUMED
    assert "Whether it was acknowledged is not known: the timer's queue" in told.findings[0].text


@pytest.mark.parametrize("retry", ["%RETRY%g", "%RETRY%g_orders", "%RETRY%g+orders"])
def test_all_forms_of_retry_topics_count(retry: str) -> None:
    again = copy(retry, offset=2, log_offset=900, stored_ms=NOW - 5000, retries=2)
    facts = message(ORIGINAL, again)
    offsets: Mapping[tuple[str, str, int], int | None] = {("a", retry, 0): 3}
    assert fate_of(facts, group(offsets=offsets)).status is Status.CONSUMED
    behind = fate_of(facts, group(offsets={("a", retry, 0): 1}))
    assert behind.status is Status.RETRYING
    assert "1 message before it" in behind.findings[0].text


def test_members_that_are_not_known_are_not_offline() -> None:
    told = fate_of(message(), group(members=(), members_known=False, is_subscribed=False))
    assert told.status is Status.UNKNOWN
    assert "and who is connected is not known: it is at offset 3" in told.findings[0].text
    assert kinds(told.findings) == ["behind"]


def test_settings_that_are_not_known_are_no_missing_group() -> None:
    nobody = GroupFacts("g", is_known=False)
    assert fate_of(message(), nobody).findings[0].kind == "no such group"
    told = fate_of(message(), nobody, "not today")
    assert told.status is Status.UNKNOWN
    assert "not known" in kinds(told.findings)


# -- the message ----------------------------------------------------------------------------------


def test_a_message_that_left_its_queue_and_one_nobody_may_read() -> None:
    gone = replace(message(), queue=QueueFacts(50, 100))
    assert "gone from its queue" in kinds(tuple(storage_findings(gone)))
    closed = replace(message(), queue=QueueFacts(0, 100, permission=2))
    (finding,) = [one for one in storage_findings(closed) if one.kind == "topic not readable"]
    assert finding.command == "pocketmq topic update orders --permission both"
    fewer = replace(message(), queue=QueueFacts(0, 100, read_queues=0))
    assert "queue not read" in kinds(tuple(storage_findings(fewer)))


@pytest.mark.parametrize(
    ("remaining", "flushed"),
    [("0 B", 10_000), ("1.0 KiB", 10_000 - 1075), ("9.5 KB", 10_000 - 9779), ("odd", None)],
)
def test_up_to_where_the_log_is_flushed(remaining: str, flushed: int | None) -> None:
    runtime = {"commitLogMaxOffset": "10000", "remainHowManyDataToFlush": remaining}
    assert flushed_up_to(replace(BROKER, runtime=runtime)) == flushed


def test_files_are_deleted_at_the_hours_set() -> None:
    at_one = 1_795_222_800_000 - 1_795_222_800_000 % 86_400_000
    for hours in ("04", "04;16", "00"):
        found = deleted_ms(at_one, hours)
        assert at_one <= found <= at_one + 86_400_000
        assert found % 1_800_000 == 0
    assert deleted_ms(at_one, "nonsense") == at_one


def test_a_delay_that_is_overdue() -> None:
    late = copy(SCHEDULE_TOPIC, stored_ms=NOW - 3_600_000, DELAY="3", REAL_TOPIC="orders")
    (finding,) = way_findings(message(late))
    assert finding.kind == "overdue"
    assert "delivery of delayed messages is behind" in finding.text
    strange = copy(SCHEDULE_TOPIC, DELAY="x", REAL_TOPIC="orders")
    (finding,) = way_findings(message(strange))
    assert "until when cannot be read" in finding.text


def test_a_transaction_whose_end_cannot_be_read() -> None:
    half = copy("RMQ_SYS_TRANS_HALF_TOPIC", REAL_TOPIC="orders", PGROUP="shop")
    (finding,) = way_findings(message(half, halves_unknown="it is a secret"))
    assert finding.kind == "transaction not committed"
    assert "cannot be told: it is a secret." in finding.text
