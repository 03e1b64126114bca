"""Filters: a consumer gets what its tags or its SQL92 expression choose, and nothing else."""

from __future__ import annotations

import pytest
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support.clients.driver import DriverFailed, Json
from tests.support.clients.peers import PEERS

# An expression, and the bodies of `goods` that it chooses.
EXPRESSIONS = {
    # A number is read as the kind of number it is compared with.
    "price > 5": ["3", "5"],
    "price > 5.0": ["3", "4", "5"],
    "price BETWEEN 2 AND 6 AND color = 'red'": ["1", "3"],
    "color IN ('green', 'blue') OR price >= 9": ["2", "4", "5"],
    "NOT (color = 'red') AND price <> 6.5": ["2", "5"],
    "color IS NULL": ["6"],
    "size IS NOT NULL AND TAGS = 'sold'": ["5"],
    "color STARTSWITH 'gr' OR color ENDSWITH 'ue'": ["2", "4"],
    "color CONTAINS 'ol'": ["5"],
    "price = -1 OR fresh = TRUE": ["1", "6"],
}


def goods() -> list[Json]:
    return [
        {"body": "1", "properties": {"price": "2", "color": "red", "fresh": "true"}},
        {"body": "2", "properties": {"price": "3", "color": "green", "fresh": "false"}},
        {"body": "3", "properties": {"price": "6", "color": "red"}},
        {"body": "4", "properties": {"price": "6.5", "color": "blue"}},
        {"body": "5", "tags": "sold", "properties": {"price": "9", "color": "gold", "size": "L"}},
        {"body": "6", "properties": {"price": "-1"}},
        {"body": "7", "properties": {"price": "much", "color": "black"}},
    ]


@tried_with("sql")
def test_a_pull_reads_what_an_expression_chooses(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("sql")
    driver.request("send", topic=topic, messages=goods())
    found = {
        sql: driver.request("pull", topic=topic, group=topic, sql=sql, count=10)["messages"]
        for sql in EXPRESSIONS
    }

    assert {sql: bodies(messages) for sql, messages in found.items()} == EXPRESSIONS


@tried_with("sql")
def test_a_push_consumer_gets_what_its_expression_chooses_early_and_late(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("pushed_sql")
    stage.retry_topic(topic)
    sql = "price > 5 AND (color = 'red' OR size = 'L')"
    driver.request("send", topic=topic, messages=goods())
    driver.start_consumer(topic, topic, topic, sql=sql, refuse={"3": 1}, delay_level=1)
    driver.wait_for(topic, 3)
    # These find the consumer's pulls held, and must not wake it for the wrong ones.
    driver.request("send", topic=topic, messages=goods())
    received = driver.wait_for(topic, 5)
    driver.stop_consumer(topic)

    assert bodies(received) == ["3", "3", "3", "5", "5"]
    assert sorted(message["reconsume_times"] for message in received) == [0, 0, 0, 0, 1]


@tried_with("sql")
def test_an_expression_that_does_not_parse_keeps_a_consumer_from_starting(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("bad_sql")
    with pytest.raises(DriverFailed, match="CODE: 23"):
        driver.start_consumer(topic, topic, topic, sql="price >< 5")


@tried_with("tags")
def test_two_groups_each_get_their_tags_from_one_stream(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("tags")
    groups = {"red": "red", "warm": "red || orange", "all": "*"}
    for name, tags in groups.items():
        driver.start_consumer(f"{topic}-{name}", f"{topic}_{name}", topic, tags=tags)
    for tag in ("red", "orange", "blue"):
        driver.send(topic, numbered(tag, 5), tags=tag)
    driver.send(topic, numbered("none", 5))
    wanted = {
        "red": numbered("red", 5),
        "warm": numbered("red", 5) + numbered("orange", 5),
        "all": [body for tag in ("red", "orange", "blue", "none") for body in numbered(tag, 5)],
    }
    for name, those in wanted.items():
        driver.wait_for(f"{topic}-{name}", len(those))
        driver.stop_consumer(f"{topic}-{name}")

    for name, those in wanted.items():
        assert sorted(driver.bodies(f"{topic}-{name}")) == sorted(those)


@tried_with("tags", peers=PEERS)
def test_a_tag_that_only_hashes_alike_is_not_heard(stage: Stage) -> None:
    # The broker compares hashes, and these two have one hash; the client compares the tags.
    driver, topic = stage.driver(), stage.topic("hash")
    driver.start_consumer(topic, topic, topic, tags="Aa")
    for tag in ("BB", "Aa", "other", "BB"):
        driver.send(topic, numbered(tag, 4), tags=tag)
    driver.send(topic, ["last"], tags="Aa")
    received = driver.wait_for(topic, 5)
    received = driver.wait_for(topic, 6, seconds=1)
    driver.stop_consumer(topic)

    assert bodies(received) == sorted([*numbered("Aa", 4), "last"])
