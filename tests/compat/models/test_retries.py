"""Retries and dead letters: what a listener refuses comes again, and at last is put aside."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.compat.models.stage import Stage, bodies, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Driver, Json
from tests.support.clients.peers import PEERS


def dead_letters(stage: Stage, driver: Driver, group: str, count: int) -> list[Json]:
    """Wait for the dead letters of a group and read them."""
    topic = f"%DLQ%{group}"
    cluster = stage.cluster
    raw.wait_until(
        lambda: raw.route(cluster.name_server, topic) is not None, 20, f"a route of {topic}"
    )
    raw.wait_until(lambda: raw.stored(cluster.broker, topic, 1) >= count, 20, "dead letters")
    found: list[Json] = driver.request("pull", topic=topic, group=f"{group}_reader", count=count)[
        "messages"
    ]
    return found


@tried_with("retry")
def test_a_refused_message_comes_again_after_its_delay_with_its_own_id(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("retry")
    stage.retry_topic(topic)
    driver.start_consumer(
        topic, topic, topic, tags="T", refuse={"once": 1, "twice": 2}, delay_level=1
    )
    sent = driver.send(topic, ["fine", "once", "twice"], tags="T", keys="K")
    received = driver.wait_for(topic, 6)
    driver.wait_for(topic, 7, seconds=1.5)
    driver.stop_consumer(topic)

    assert bodies(driver.received(topic)) == ["fine", "once", "once", "twice", "twice", "twice"]
    id_of = {outcome["body"]: outcome["message_id"] for outcome in sent}
    for body in id_of:
        tries = [message for message in received if message["body"] == body]
        assert [message["reconsume_times"] for message in tries] == list(range(len(tries)))
        assert {message["message_id"] for message in tries} == {id_of[body]}
        assert {(m["topic"], m["tags"], m["keys"]) for m in tries} == {(topic, "T", "K")}
        for before, after in pairwise(tries):
            assert after["heard_ms"] - before["heard_ms"] >= 1000


@tried_with("retry", "dead_letters")
def test_what_is_refused_too_often_becomes_a_dead_letter(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("dead")
    stage.retry_topic(topic)
    refusing: dict[str, Any] = {"refuse": {"bad": -1, "worse": -1}, "delay_level": 1}
    driver.start_consumer(topic, topic, topic, max_reconsume=2, **refusing)
    sent = driver.send(topic, ["bad", "good"], tags="T", keys="K")
    found = dead_letters(stage, driver, topic, 1)
    driver.stop_consumer(topic)

    heard = [(message["body"], message["reconsume_times"]) for message in driver.received(topic)]
    assert sorted(heard) == [("bad", 0), ("bad", 1), ("bad", 2), ("good", 0)]
    (letter,) = found
    assert (letter["body"], letter["tags"], letter["keys"]) == ("bad", "T", "K")
    assert letter["reconsume_times"] == 3
    assert letter["message_id"] == sent[0]["message_id"]
    assert letter["properties"]["RETRY_TOPIC"] == topic
    assert letter["properties"]["ORIGIN_MESSAGE_ID"] == sent[0]["offset_message_id"]


@tried_with("dead_letters")
def test_a_listener_may_give_a_message_up_at_once(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("hopeless")
    driver.start_consumer(topic, topic, topic, refuse={"hopeless": -1}, delay_level=-1)
    driver.send(topic, ["hopeless", "fine"])
    found = dead_letters(stage, driver, topic, 1)
    driver.wait_for(topic, 3, seconds=1.5)
    driver.stop_consumer(topic)

    assert bodies(driver.received(topic)) == ["fine", "hopeless"]
    assert bodies(found) == ["hopeless"]


@tried_with("ordered", "dead_letters")
def test_an_orderly_listener_tries_in_place_then_goes_on_with_the_next(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("orderly_dead", queues=1)
    driver.start_consumer(
        topic,
        topic,
        topic,
        listener="orderly",
        max_reconsume=2,
        refuse={"bad": -1},
        suspend_ms=300,
    )
    driver.send(topic, ["before", "bad", "after"])
    driver.wait_for(topic, 5)
    found = dead_letters(stage, driver, topic, 1)
    driver.stop_consumer(topic)

    assert driver.bodies(topic) == ["before", "bad", "bad", "bad", "after"]
    assert [m["reconsume_times"] for m in driver.received(topic)] == [0, 0, 1, 2, 0]
    assert bodies(found) == ["bad"]


@tried_with("retry", peers=PEERS[:1], not_apache="only its proxy knows the policies of groups")
def test_a_group_waits_between_tries_as_its_own_policy_says(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("policy")
    stage.retry_topic(topic)
    # The first two are those of the first delivery, which is not a retry.
    next_ms = [9000, 9000, 1000, 4000]
    policy = {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": next_ms}}
    driver.request(
        "update_group", group=topic, broker=stage.cluster.broker, retry_max=2, retry_policy=policy
    )
    driver.start_consumer(topic, topic, topic, refuse={"bad": -1}, max_reconsume=2)
    driver.send(topic, ["bad"])
    driver.wait_for(topic, 3)
    found = dead_letters(stage, driver, topic, 1)
    driver.stop_consumer(topic)

    tries = driver.received(topic)
    assert [message["reconsume_times"] for message in tries] == [0, 1, 2]
    waits = [b["heard_ms"] - a["heard_ms"] for a, b in pairwise(tries)]
    # Without the policy they would be 10 and 30 seconds.
    assert 1000 <= waits[0] < 10_000, waits
    assert 4000 <= waits[1] < 30_000, waits
    assert bodies(found) == ["bad"]
