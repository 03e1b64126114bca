"""What a round of checks decides, and what is remembered of half messages that have ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.broker.rules import transactions as rules
from pocketmq.broker.rules.transactions import CheckRules, Verdict, verdict
from pocketmq.broker.state.table_file import TableFile
from pocketmq.broker.state.transactions import (
    COMMITTED,
    HALVES_BYTES_MAX,
    OPEN,
    ROLLED_BACK,
    EndedHalves,
    Operations,
    RecentHalves,
    TransactionTable,
)
from pocketmq.clock import ManualClock
from pocketmq.errors import Refused

RULES = CheckRules(immunity_ms=6000, checks_max=15, age_ms_max=72 * 3_600_000)
BORN = 1_000_000_000


@pytest.mark.parametrize(
    ("properties", "age_ms", "expected"),
    [
        ({}, 0, Verdict.LATER),
        ({}, 6000, Verdict.LATER),
        ({}, 6001, Verdict.CHECK),
        ({}, -1, Verdict.CHECK),
        ({}, 72 * 3_600_000 + 1, Verdict.DISCARD),
        ({rules.CHECK_TIMES: "14"}, 6001, Verdict.CHECK),
        ({rules.CHECK_TIMES: "15"}, 0, Verdict.DISCARD),
        ({rules.CHECK_TIMES: "x"}, 6001, Verdict.CHECK),
        ({rules.IMMUNITY_SECONDS: "10"}, 10_000, Verdict.RENEW),
        ({rules.IMMUNITY_SECONDS: "10"}, 10_001, Verdict.CHECK),
        ({rules.IMMUNITY_SECONDS: "1"}, 1001, Verdict.CHECK),
        ({rules.IMMUNITY_SECONDS: "-1"}, 6000, Verdict.RENEW),
        ({rules.IMMUNITY_SECONDS: "x"}, 6001, Verdict.CHECK),
        ({rules.IMMUNITY_SECONDS: "-5"}, 0, Verdict.CHECK),
    ],
)
def test_a_round_decides_by_age_and_count(
    properties: dict[str, str], age_ms: int, expected: Verdict
) -> None:
    now = BORN + age_ms
    assert verdict(properties, BORN, BORN - 10, now + 1, now, RULES) is expected


def test_what_is_stored_during_a_round_is_left_to_the_next() -> None:
    now = BORN + 7000
    assert verdict({}, BORN, now, now, now, RULES) is Verdict.LATER


@pytest.mark.parametrize(
    ("text", "age_ms", "late"),
    [("10", 10_000, False), ("10", 10_001, True), ("1", 6000, False), ("x", 6001, True)],
)
def test_a_producer_has_its_own_immunity_to_decide_but_no_less_than_the_default(
    text: str, age_ms: int, late: bool
) -> None:
    assert rules.is_too_late({rules.IMMUNITY_SECONDS: text}, age_ms, 6000) is late
    assert not rules.is_too_late({}, 10**9, 6000)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"REAL_TOPIC": "T"},
        {"REAL_TOPIC": "T", "REAL_QID": "x"},
        {"REAL_TOPIC": "T", "REAL_QID": "-1"},
        {"REAL_TOPIC": "RMQ_SYS_TRANS_HALF_TOPIC", "REAL_QID": "0"},
    ],
)
def test_a_half_message_without_a_place_is_never_delivered(properties: dict[str, str]) -> None:
    with pytest.raises(Refused):
        rules.target(properties)


def test_a_renewed_message_remembers_its_first_place() -> None:
    once = rules.renewed({"a": "b"}, 5)
    assert rules.renewed(once, 9) == {"a": "b", rules.FIRST_QUEUE_OFFSET: "5"}


@given(st.lists(st.integers(0, 2**40)))
def test_lists_of_ended_messages_come_back(offsets: list[int]) -> None:
    assert rules.parse_operations(rules.operation_body(offsets)) == offsets


def test_a_damaged_list_gives_what_can_be_read() -> None:
    assert rules.parse_operations(b"1,x,-3,, 4,5") == [1, 5]


@given(st.lists(st.tuples(st.integers(0, 9000), st.booleans())), st.integers(0, 9000))
def test_ended_messages_are_known_until_a_round_has_passed_them(
    marks: list[tuple[int, bool]], passed: int
) -> None:
    ended, model = EndedHalves(), {}
    for offset, commit in marks:
        model[offset] = COMMITTED if commit else ROLLED_BACK
        ended.mark(offset, model[offset])
    ended.forget_before(passed)
    assert ended.first == passed
    for offset in (*model, passed, 20_000):
        if offset >= passed:
            assert ended.state(offset) == model.get(offset, OPEN)
    found = ended.next_open(passed)
    assert found not in model
    assert all(offset in model for offset in range(passed, found))


def test_an_operation_message_is_needed_until_all_it_lists_is_passed() -> None:
    operations = Operations(3)
    operations.add(3, [1, 9])
    operations.add(4, [2])
    operations.add(5, [])
    assert operations.passed(9) == 3
    assert operations.passed(10) == 6


def test_messages_at_hand_take_a_bounded_amount_of_memory() -> None:
    recent = RecentHalves()
    body = bytes(HALVES_BYTES_MAX // 10)
    half = ("0", 0, 0, "g", "t", 0, 0, 0, 0, b"", 0, body, b"")
    for number in range(15):
        recent.put(str(number), half)
    assert [recent.find(str(number)) is not None for number in range(15)] == [
        number >= 5 for number in range(15)
    ]


def test_counts_survive_in_apaches_file(tmp_path: Path) -> None:
    file = TableFile(tmp_path / "transactionMetrics")
    clock = ManualClock()
    table = TransactionTable(clock, file=file)
    for _ in range(3):
        table.add("T", 1)
    table.add("T", -1)
    table.add("gone", 1)
    table.forget("gone")
    assert table.changes.unsaved
    file.replace(table.encode())
    again = TransactionTable(clock, file=file)
    again.load()
    assert again.open("T") == 2
    assert again.open("gone") == 0
    assert again.changes.version.counter == 6
    assert b'"T":{"count":2,"timeStamp":%d}' % clock.now_ms() in file.path.read_bytes()
