"""What requests need, by their code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketmq.broker.rules.needs import CLUSTER, NAMED, NEVER, RULES, needs_of
from pocketmq.errors import MalformedBody, ProtocolError
from pocketmq.protocol.bodies.fastjson import dumps_plain
from pocketmq.protocol.codes import RequestCode as Code
from pocketmq.protocol.command import Command


def needs(code: int, body: Any = None, /, **fields: str) -> list[str]:
    """What a request needs, as `Topic:t Pub`."""
    content = b"" if body is None else dumps_plain(body)
    found = needs_of(Command.request(code, fields, content), "C")
    return [f"{need} {'|'.join(sorted(a.value for a in need.actions))}" for need in found]


def test_every_code_is_in_exactly_one_table() -> None:
    tables: list[set[int]] = [set(RULES), set(NAMED), set(CLUSTER), set(NEVER)]
    for code in Code:
        assert sum(code in table for table in tables) == 1, code
    assert set.union(*tables) == set(Code)


def test_a_code_nobody_knows_needs_the_right_to_change_the_cluster() -> None:
    assert needs(123456) == ["Cluster:C Update"]


@pytest.mark.parametrize(
    ("code", "fields", "expected"),
    [
        (10, {"topic": "t", "producerGroup": "p"}, ["Topic:t Pub"]),
        (310, {"a": "p", "b": "t"}, ["Topic:t Pub"]),
        (320, {"a": "p", "b": "t"}, ["Topic:t Pub"]),
        (310, {"a": "CLIENT_INNER_PRODUCER", "b": "%RETRY%g"}, ["Group:g Sub"]),
        (10, {"producerGroup": "mine", "topic": "%RETRY%g"}, ["Group:g Sub"]),
        (310, {"b": "%DLQ%g"}, ["Topic:%DLQ%g Pub"]),
        (310, {}, ["Topic: Pub"]),
        (37, {}, []),
        (37, {"topic": "t"}, ["Topic:t Pub"]),
        (370, {"topic": "t"}, ["Topic:t Pub"]),
        (36, {"group": "g", "originTopic": "t"}, ["Group:g Sub"]),
        (11, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Sub", "Group:g Sub"]),
        (361, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Sub", "Group:g Sub"]),
        (11, {"topic": "%RETRY%g", "consumerGroup": "g"}, ["Group:g Sub", "Group:g Sub"]),
        (11, {"topic": "%RETRY%h", "consumerGroup": "g"}, ["Group:h Sub", "Group:g Sub"]),
        (35, {"producerGroup": "p"}, []),
        (35, {"consumerGroup": "g"}, ["Group:g Sub"]),
        (38, {"consumerGroup": "g"}, ["Group:g Get|Sub"]),
        (12, {"topic": "t", "_UNIQUE_KEY_QUERY": "true"}, ["Topic:t Get|Sub"]),
        (14, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Get|Sub", "Group:g Get|Sub"]),
        (15, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Sub|Update", "Group:g Sub|Update"]),
        (200050, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Sub", "Group:g Sub"]),
        (200055, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Get", "Group:g Get"]),
        (200051, {"topic": "%RETRY%g_t", "consumerGroup": "g"}, ["Topic:t Sub", "Group:g Sub"]),
        (200053, {"topic": "%RETRY%g+t", "consumerGroup": "g"}, ["Topic:t Sub", "Group:g Sub"]),
        (200051, {"topic": "%RETRY%h_t", "consumerGroup": "g"}, ["Group:h_t Sub", "Group:g Sub"]),
        (17, {"topic": "t"}, ["Topic:t Create"]),
        (215, {"topic": "t"}, ["Topic:t Delete"]),
        (207, {"groupName": "g"}, ["Group:g Delete"]),
        (29, {"topic": "%RETRY%g"}, ["Group:g Get"]),
        (33, {"offset": "0"}, []),
        (33, {"offset": "0", "topic": "t"}, ["Topic:t Get"]),
        (203, {"consumerGroup": "g"}, ["Group:g Get"]),
        (
            208,
            {"consumerGroup": "g", "topic": "t", "topicList": "u;%RETRY%g;"},
            ["Topic:t Get", "Group:g Get", "Topic:u Get", "Group:g Get"],
        ),
        (
            308,
            {"topic": "t", "compareGroup": "g", "filterGroups": "h,i"},
            ["Topic:t Get", "Group:g Get", "Group:h Get", "Group:i Get"],
        ),
        (222, {"topic": "t", "group": "g"}, ["Topic:t Update", "Group:g Update"]),
        (
            314,
            {"srcGroup": "s", "destGroup": "g", "topic": "t"},
            ["Topic:t Update", "Group:g Update"],
        ),
        (309, {"topic": "t", "consumerGroup": "g"}, ["Topic:t Sub", "Group:g Sub"]),
        (323, {"topic": "t"}, ["Topic:t Update"]),
        (25, {}, ["Cluster:C Update"]),
        (204, {"producerGroup": "p"}, ["Cluster:C Get"]),
        (3001, {"username": "u"}, ["Cluster:C Update"]),
        (3010, {}, ["Cluster:C Get"]),
        (28, {}, []),
        (324, {}, []),
    ],
)
def test_what_a_request_names_in_its_fields(
    code: int, fields: dict[str, str], expected: list[str]
) -> None:
    assert needs(code, **fields) == expected


def test_what_a_request_names_in_its_body() -> None:
    subscriptions = [{"topic": "t"}, {"topic": "%RETRY%g"}]
    beat = {
        "producerDataSet": [{"groupName": "p"}],
        "consumerDataSet": [
            {"groupName": "g", "subscriptionDataSet": subscriptions},
            {"groupName": "h", "subscriptionDataSet": []},
        ],
    }
    assert needs(34, beat) == ["Group:g Sub", "Topic:t Sub", "Group:g Sub", "Group:h Sub"]
    queues = [{"topic": topic, "queueId": n} for topic in ("t", "u") for n in range(3)]
    for code in (41, 42):
        asked = needs(code, {"consumerGroup": "g", "mqSet": queues})
        assert asked == ["Group:g Sub", "Topic:t Sub", "Topic:u Sub"]
    topics = {"topicConfigList": [{"topicName": "t"}, {"topicName": "u"}]}
    assert needs(18, topics) == ["Topic:t Create", "Topic:u Create"]
    assert needs(200, {"groupName": "g"}) == ["Group:g Create|Update"]
    assert needs(225, {"groupConfigList": [{"groupName": "g"}]}) == ["Group:g Create|Update"]
    mode = {"topic": "t", "consumerGroup": "g"}
    assert needs(401, mode) == ["Topic:t Update", "Group:g Update"]
    acks = [{"c": "g", "t": topic, "r": "0"} for topic in ("t", "t", "%RETRY%g_t")]
    assert set(needs(200151, {"acks": acks})) == {"Topic:t Sub", "Group:g Sub"}


def test_a_body_that_cannot_be_read_is_no_body_without_needs() -> None:
    for code in (34, 41, 42, 18, 200, 225, 401, 200151):
        with pytest.raises(MalformedBody):
            list(needs_of(Command.request(code, {}, b"[1]"), "C"))


_FIELDS = st.dictionaries(
    st.sampled_from(("topic", "b", "a", "group", "consumerGroup", "topicList", "filterGroups"))
    | st.text(max_size=5),
    st.text(max_size=12) | st.sampled_from(("%RETRY%", "%RETRY%g", "%RETRY%g_t", ";;", ",")),
    max_size=6,
)
_BODIES = st.binary(max_size=40) | st.sampled_from(
    (b"{}", b'{"consumerDataSet":[{}]}', b'{"mqSet":[{"topic":null}]}', b'{"acks":[{"c":1}]}')
)


@given(st.sampled_from(Code), _FIELDS, _BODIES)
def test_any_request_has_needs_or_cannot_be_read(
    code: int, fields: dict[str, str], body: bytes
) -> None:
    try:
        found = list(needs_of(Command.request(code, fields, body), "C"))
    except ProtocolError:
        return
    assert all(need.actions for need in found)
    if code in NEVER:
        assert found == []
