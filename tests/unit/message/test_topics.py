"""Names of topics and groups."""

from __future__ import annotations

import pytest

from pocketmq.message import topics


@pytest.mark.parametrize("name", ["T", "a-b_C|9", "ns%T", "%RETRY%" + "g" * 248, "x" * 127])
def test_a_legal_topic_has_no_problem(name: str) -> None:
    assert topics.topic_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "blank"),
        ("  ", "blank"),
        ("a b", "illegal"),
        ("a+b", "illegal"),
        ("tópic", "illegal"),
        ("a\n", "illegal"),
        ("x" * 128, "127 are allowed"),
        ("%DLQ%" + "g" * 251, "255 are allowed"),
    ],
)
def test_an_illegal_topic_is_told_why(name: str, problem: str) -> None:
    assert problem in (topics.topic_problem(name) or "")


def test_a_broker_allows_shorter_groups_than_a_client() -> None:
    name = "g" * 121
    assert "120 are allowed" in (topics.group_problem(name) or "")
    assert topics.group_problem(name, topics.CLIENT_GROUP_CHARS_MAX) is None
    assert topics.group_problem("g" * 120) is None


def test_reserved_topics_are_known() -> None:
    assert topics.is_system_topic("TBW102")
    assert topics.is_system_topic("rmq_sys_anything")
    assert not topics.is_system_topic("%RETRY%g")
    assert topics.SEND_FORBIDDEN_TOPICS < topics.SYSTEM_TOPICS
    own = topics.broker_system_topics("C", "b")
    assert {"C", "b", "C_REPLY_TOPIC", "rmq_sys_REVIVE_LOG_C", "SELF_TEST_TOPIC"} < own


def test_reserved_groups_are_known() -> None:
    assert topics.is_system_group("TOOLS_CONSUMER")
    assert topics.is_system_group("CID_RMQ_SYS_TRANS")
    assert not topics.is_system_group("CID_ONSAPI_PULL")


def test_names_derive_from_groups() -> None:
    assert topics.retry_topic("g") == "%RETRY%g"
    assert topics.dead_letter_topic("g") == "%DLQ%g"
    assert topics.is_retry_topic("%RETRY%g")
    assert topics.is_dead_letter_topic("%DLQ%g")
    assert topics.group_of_retry_topic("%RETRY%g") == "g"
    assert topics.group_of_retry_topic("%RETRY%g+T") == "g"


@pytest.mark.parametrize(("second_form", "name"), [(False, "%RETRY%g_T"), (True, "%RETRY%g+T")])
def test_a_pop_retry_topic_names_its_topic(second_form: bool, name: str) -> None:
    assert topics.pop_retry_topic("g", "T", second_form=second_form) == name
    assert topics.topic_of_pop_retry_topic(name, "g") == "T"
    assert topics.topic_of_pop_retry_topic("T", "g") == "T"


@pytest.mark.parametrize(
    ("bare", "inside"),
    [("T", "ns%T"), ("%RETRY%g", "%RETRY%ns%g"), ("%DLQ%g", "%DLQ%ns%g"), ("TBW102", "TBW102")],
)
def test_a_namespace_goes_behind_the_prefix(bare: str, inside: str) -> None:
    assert topics.with_namespace("ns", bare) == inside
    assert topics.with_namespace("ns", inside) == inside
    assert topics.without_namespace(inside) == bare
    assert topics.without_namespace(inside, "ns") == bare


def test_another_namespace_is_left_on() -> None:
    assert topics.without_namespace("other%T", "ns") == "other%T"
    assert topics.without_namespace("T") == "T"
    assert topics.with_namespace("", "T") == "T"
