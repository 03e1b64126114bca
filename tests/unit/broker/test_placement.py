"""Where messages are stored: delay levels, timers, half messages; as pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.broker.rules.placement import (
    Kind,
    PlacementRules,
    check_batch,
    place,
    place_client,
    timer_tick,
)
from pocketmq.errors import Refused
from pocketmq.protocol.codes import ResponseCode

NOW = 1_795_240_000_123
RULES = PlacementRules()
PREPARED, COMMIT, ROLLBACK = 0x4, 0x8, 0xC


def test_a_plain_message_stays_where_it_is() -> None:
    given_properties = {"KEYS": "k"}
    placed = place("T", 3, given_properties, 0x1, NOW, RULES)
    assert (placed.topic, placed.queue_id, placed.sys_flag) == ("T", 3, 0x1)
    assert (placed.kind, placed.due_ms) == (Kind.PLAIN, 0)
    assert placed.properties == given_properties
    assert placed.properties is not given_properties


def test_a_level_leads_to_its_queue_and_drops_timers() -> None:
    asked = {"DELAY": "40", "TIMER_DELAY_SEC": "1", "TIMER_DELAY_MS": "2", "TIMER_DELIVER_MS": "3"}
    placed = place("T", 3, asked, 0, NOW, RULES)
    assert (placed.topic, placed.queue_id, placed.kind) == ("SCHEDULE_TOPIC_XXXX", 17, Kind.LEVEL)
    assert placed.properties == {"DELAY": "18", "REAL_TOPIC": "T", "REAL_QID": "3"}
    assert asked["DELAY"] == "40"


@pytest.mark.parametrize(
    ("asked", "moment_ms"),
    [
        ({"TIMER_DELAY_SEC": "10"}, NOW + 10_000),
        ({"TIMER_DELAY_MS": "10"}, NOW + 10),
        ({"TIMER_DELIVER_MS": str(NOW + 1)}, NOW + 1),
        ({"TIMER_DELAY_SEC": "10", "TIMER_DELAY_MS": "1", "TIMER_DELIVER_MS": "1"}, NOW + 10_000),
        ({"TIMER_DELAY_MS": "77", "TIMER_DELIVER_MS": "1"}, NOW + 77),
        ({"TIMER_DELIVER_MS": str(NOW + RULES.timer_delay_ms_max)}, NOW + RULES.timer_delay_ms_max),
    ],
)
def test_the_first_timer_property_decides(asked: dict[str, str], moment_ms: int) -> None:
    placed = place("T", 3, asked, 0, NOW, RULES)
    due = timer_tick(moment_ms, 1000)
    assert (placed.topic, placed.queue_id, placed.kind) == ("rmq_sys_wheel_timer", 0, Kind.TIMER)
    assert placed.due_ms == due
    assert placed.properties == asked | {
        "TIMER_OUT_MS": str(due),
        "REAL_TOPIC": "T",
        "REAL_QID": "3",
    }


@given(moment=st.integers(1, 2**50), precision=st.sampled_from([100, 200, 500, 1000]))
def test_a_tick_is_the_last_before_the_moment(moment: int, precision: int) -> None:
    tick = timer_tick(moment, precision)
    assert tick % precision == 0
    assert tick < moment <= tick + precision


@pytest.mark.parametrize("asked", [{"TIMER_DELAY_SEC": "0"}, {"TIMER_DELIVER_MS": str(NOW)}])
def test_what_is_due_already_is_stored_at_once(asked: dict[str, str]) -> None:
    placed = place("T", 3, asked, 0, NOW, RULES)
    assert (placed.topic, placed.kind, placed.properties) == ("T", Kind.PLAIN, asked)


def test_what_was_delayed_before_is_not_delayed_again() -> None:
    asked = {"TIMER_DELAY_SEC": "10", "TIMER_OUT_MS": "5"}
    assert place("T", 3, asked, 0, NOW, RULES).kind is Kind.PLAIN
    assert place("rmq_sys_wheel_timer", 0, {"TIMER_DELAY_SEC": "1"}, 0, NOW, RULES).due_ms == 0


@pytest.mark.parametrize("sys_flag", [PREPARED, ROLLBACK])
def test_marks_of_a_transaction_under_way_forbid_delays(sys_flag: int) -> None:
    assert place("T", 3, {"DELAY": "1"}, sys_flag, NOW, RULES).topic == "T"
    assert place("T", 3, {"DELAY": "1"}, COMMIT, NOW, RULES).kind is Kind.LEVEL


def test_a_half_message_waits_for_its_end() -> None:
    asked = {"TRAN_MSG": "TRUE", "PGROUP": "p", "UNIQ_KEY": "U"}
    placed = place_client("T", 3, asked, PREPARED | 0x1, NOW, RULES, 0)
    assert (placed.topic, placed.queue_id) == ("RMQ_SYS_TRANS_HALF_TOPIC", 0)
    assert (placed.kind, placed.sys_flag) == (Kind.HALF, 0x1)
    assert placed.properties == asked | {
        "REAL_TOPIC": "T",
        "REAL_QID": "3",
        "__transactionId__": "U",
    }


def test_a_retried_message_with_a_transaction_mark_is_an_ordinary_one() -> None:
    placed = place_client("T", 3, {"TRAN_MSG": "true", "DELAY": "3"}, 0, NOW, RULES, 1)
    assert placed.kind is Kind.LEVEL
    assert place_client("T", 3, {"TRAN_MSG": "no"}, 0, NOW, RULES, 0).kind is Kind.PLAIN


@pytest.mark.parametrize(
    ("asked", "rules", "code"),
    [
        ({"DELAY": "x"}, RULES, ResponseCode.MESSAGE_ILLEGAL),
        ({"DELAY": "٣"}, RULES, ResponseCode.MESSAGE_ILLEGAL),
        ({"DELAY": "1" * 5000}, RULES, ResponseCode.MESSAGE_ILLEGAL),
        ({"TIMER_DELAY_MS": "1.5"}, RULES, ResponseCode.MESSAGE_ILLEGAL),
        ({"TIMER_DELAY_SEC": "259201"}, RULES, ResponseCode.MESSAGE_ILLEGAL),
        ({"TIMER_DELIVER_MS": "1", "TIMER_DEL_UNIQKEY": "u"}, RULES, ResponseCode.MESSAGE_ILLEGAL),
        (
            {"TIMER_DELAY_SEC": "1"},
            PlacementRules(timer_enabled=False),
            ResponseCode.SYSTEM_ERROR,
        ),
        (
            {"TRAN_MSG": "true"},
            PlacementRules(reject_transactions=True),
            ResponseCode.NO_PERMISSION,
        ),
        ({"TRAN_MSG": "true", "TIMER_DELAY_MS": "9"}, RULES, ResponseCode.MESSAGE_ILLEGAL),
    ],
)
def test_what_cannot_be_placed_is_refused(
    asked: dict[str, str], rules: PlacementRules, code: int
) -> None:
    with pytest.raises(Refused) as refused:
        place_client("T", 3, asked, 0, NOW, rules, 0)
    assert refused.value.code == code


@pytest.mark.parametrize("asked", [{"DELAY": "1"}, {"TRAN_MSG": "true"}, {"TIMER_DELAY_MS": "1"}])
def test_batches_cannot_ask_for_a_model(asked: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        check_batch(asked)
    assert refused.value.code == ResponseCode.MESSAGE_ILLEGAL
    check_batch({"WAIT": "true", "DELAY": "0"})
