"""SQL92 and batches, as those other clients use them that can."""

from __future__ import annotations

import pytest
from tests.compat.models.clients import GO, NODE
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.driver import DriverFailed, Json

COLORS = ("red", "green", "blue")
WANTED = "color = 'red' AND number BETWEEN 3 AND 7 OR color IN ('blue') AND number > 17"


@tried_with("sql", peers=[GO, NODE])
def test_a_push_consumer_gets_what_its_expression_selects(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("sql")
    for half in (range(10), range(10, 20)):
        messages = [
            {"body": f"{color}-{n}", "properties": {"color": color, "number": str(n)}}
            for color in COLORS
            for n in half
        ]
        driver.request("send", topic=topic, messages=messages)
        if half.start == 0:
            driver.send(topic, ["bare"])
            driver.start_consumer(topic, topic, topic, sql=WANTED)
            # The second half finds the pulls of the consumer held.
            driver.wait_for(topic, 5)
    received = driver.wait_for(topic, 7)
    driver.stop_consumer(topic)

    assert bodies(received) == sorted([*(f"red-{n}" for n in range(3, 8)), "blue-18", "blue-19"])


@tried_with("sql", peers=[GO])
def test_a_pull_from_an_offset_gets_what_its_expression_selects(stage: Stage) -> None:
    # Only this way of pulling passes the expression on; `Poll` calls every expression tags.
    driver, topic = stage.driver(), stage.topic("sql_pull")
    messages = [
        {"body": f"n-{n}", "properties": {"number": str(n)}, "shard": "one"} for n in range(40)
    ]
    queue = driver.request("send", topic=topic, messages=messages)["sent"][0]["queue"]
    place = {"topic": topic, "group": topic, "queue": queue, "offset": 4}
    read = driver.request("pull_from", **place, sql="number >= 30 OR number < 6", count=12)

    assert [m["body"] for m in read["messages"]] == [f"n-{n}" for n in (4, 5, *range(30, 40))]


# To a pull with an expression that does not parse, Apache delivers everything.
@pytest.mark.skipif(apache.wanted(), reason="is about PocketMQ")
@tried_with("sql", peers=[GO, NODE])
def test_an_expression_that_does_not_parse_delivers_nothing_and_harms_nobody(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("sql_bad")
    bad, good = f"bad_{topic}", f"good_{topic}"
    try:
        driver.start_consumer(bad, bad, topic, sql="number >")
    except DriverFailed:
        started = False
    else:
        started = True
    driver.start_consumer(good, good, topic)
    driver.send(topic, numbered("any", 8))
    received = driver.wait_for(good, 8)
    heard = driver.bodies(bad)
    driver.stop_consumer(good)
    if started:
        driver.stop_consumer(bad)

    assert bodies(received) == numbered("any", 8)
    assert heard == []


@tried_with("batch", peers=[GO])
def test_each_message_of_a_batch_has_its_own_tag_keys_properties_and_offset(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("batch")
    messages: list[Json] = [
        {"body": f"m-{n}", "tags": f"t{n % 2}", "keys": f"k{n}", "properties": {"number": str(n)}}
        for n in range(20)
    ]
    outcome = driver.request("send", topic=topic, messages=messages, mode="batch")["sent"][0]
    stored = raw.stored(stage.cluster.broker, topic)
    odd, selected = f"odd_{topic}", f"selected_{topic}"
    driver.start_consumer(topic, topic, topic)
    driver.start_consumer(odd, odd, topic, tags="t1")
    driver.start_consumer(selected, selected, topic, sql="number < 7")
    received = driver.wait_for(topic, len(messages))
    by_tag, by_number = driver.wait_for(odd, 10), driver.wait_for(selected, 7)
    for name in (topic, odd, selected):
        driver.stop_consumer(name)

    assert stored == len(messages)
    whole = sorted(received, key=lambda m: int(m["queue_offset"]))
    assert [m["body"] for m in whole] == [m["body"] for m in messages]
    assert [m["queue_offset"] for m in whole] == list(range(20))
    assert {m["queue"] for m in whole} == {outcome["queue"]}
    for sent, got in zip(messages, whole, strict=True):
        assert (got["tags"], got["keys"]) == (sent["tags"], sent["keys"])
        assert got["properties"]["number"] == sent["properties"]["number"]
    assert bodies(by_tag) == sorted(f"m-{n}" for n in range(1, 20, 2))
    assert bodies(by_number) == sorted(f"m-{n}" for n in range(7))
