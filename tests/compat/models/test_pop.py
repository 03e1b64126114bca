"""POP: consumers that own no queue; the broker hands a message to one of them for a time."""

from __future__ import annotations

from typing import Any

from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.compat.models.test_filters import goods
from tests.support.clients import raw
from tests.support.clients.driver import Json

# The shortest that the client allows.
INVISIBLE_MS = 10_000


def switch_to_pop(stage: Stage, topic: str, group: str) -> None:
    stage.retry_topic(group)
    stage.driver().request(
        "request_mode", topic=topic, group=group, broker=stage.cluster.broker, mode="POP", share=0
    )


@tried_with("pop")
def test_members_share_what_they_pop_and_each_message_comes_once(stage: Stage) -> None:
    pair = [stage.driver(0), stage.driver(1)]
    topic = stage.topic("pop", queues=1)
    switch_to_pop(stage, topic, topic)
    for driver in pair:
        driver.start_consumer(topic, topic, topic, invisible_ms=INVISIBLE_MS, pause_ms=30)
    stage.wait_until_joined(topic, 2)
    wanted: list[str] = []

    def both_heard_all() -> bool:
        if not all(driver.received(topic) for driver in pair) and len(wanted) < 600:
            more = numbered("popped", 30, first=len(wanted))
            pair[0].send(topic, more, tags="T", keys="K")
            wanted.extend(more)
        return sum(len(driver.received(topic)) for driver in pair) >= len(wanted)

    raw.wait_until(both_heard_all, 60, "all popped messages")
    pair[0].wait_for(topic, 10_000, seconds=1)
    for driver in pair:
        driver.stop_consumer(topic)

    heard = [message for driver in pair for message in driver.received(topic)]
    assert bodies(heard) == sorted(wanted)
    assert all(driver.received(topic) for driver in pair), "two members share one queue"
    assert {(m["topic"], m["tags"], m["keys"]) for m in heard} == {(topic, "T", "K")}
    assert all("POP_CK" in message["properties"] for message in heard), "it was really popped"


@tried_with("pop", "retry")
def test_what_a_popping_listener_refuses_comes_again(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("pop_retry")
    switch_to_pop(stage, topic, topic)
    driver.start_consumer(topic, topic, topic, invisible_ms=INVISIBLE_MS, refuse={"once": 1})
    sent = driver.send(topic, ["once", "fine"], tags="T")
    received = driver.wait_for(topic, 3, seconds=60)
    driver.stop_consumer(topic)

    assert bodies(received) == ["fine", "once", "once"]
    tries = [message for message in received if message["body"] == "once"]
    assert [message["reconsume_times"] for message in tries] == [0, 1]
    assert {message["message_id"] for message in tries} == {sent[0]["message_id"]}
    assert {(message["topic"], message["tags"]) for message in tries} == {(topic, "T")}


@tried_with("pop", slow=True)
def test_what_a_dead_member_had_popped_comes_to_another(stage: Stage) -> None:
    survives, dies = stage.driver(0), stage.driver(1)
    topic = stage.topic("pop_dead")
    switch_to_pop(stage, topic, topic)
    dies.start_consumer(topic, topic, topic, invisible_ms=INVISIBLE_MS, stall=True)
    wanted = numbered("held", 5)
    survives.send(topic, wanted)
    dies.wait_for(topic, len(wanted))
    dies.kill()
    survives.start_consumer(topic, topic, topic, invisible_ms=INVISIBLE_MS)
    received = survives.wait_for(topic, len(wanted), seconds=90)
    survives.wait_for(topic, len(wanted) + 1, seconds=INVISIBLE_MS / 1000 + 3)
    survives.stop_consumer(topic)

    assert bodies(dies.received(topic)) == sorted(wanted)
    assert bodies(survives.received(topic)) == sorted(wanted)
    assert {message["reconsume_times"] for message in received} == {1}


@tried_with("pop", "sql", "tags")
def test_a_popping_consumer_gets_what_its_tags_or_its_expression_choose(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("pop_filter")
    wanted = {
        "sql": ({"sql": "price > 5.0 AND color <> 'red'"}, ["4", "5"]),
        "tags": ({"tags": "sold || lost"}, ["5"]),
    }
    for name, (chosen, _) in wanted.items():
        group = f"{topic}_{name}"
        raw.create_group(stage.cluster.broker, group)
        switch_to_pop(stage, topic, group)
        driver.start_consumer(group, group, topic, invisible_ms=INVISIBLE_MS, **chosen)
        stage.wait_until_joined(group, 1)
    # The first find nobody waiting; the next find pops held, and wake them for the right ones only.
    for _ in range(2):
        driver.request("send", topic=topic, messages=goods())
        for name, (_, those) in wanted.items():
            driver.wait_for(f"{topic}_{name}", len(those))
    for name, (_, those) in wanted.items():
        heard = driver.wait_for(f"{topic}_{name}", 2 * len(those) + 1, seconds=1)
        driver.stop_consumer(f"{topic}_{name}")
        assert bodies(heard) == sorted(those * 2), name
        assert all("POP_CK" in message["properties"] for message in heard)


@tried_with("pop", slow=True)
def test_many_are_acknowledged_at_once_and_a_notice_tells_of_the_rest(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("pop_many", queues=1)
    stage.retry_topic(topic)
    where: dict[str, Any] = {"topic": topic, "group": topic}

    def pop(count: int) -> list[Json]:
        found: list[Json] = driver.request(
            "pop", count=count, wait_ms=1500, invisible_ms=4000, **where
        )["messages"]
        return found

    def noticed(wait_ms: int) -> bool:
        there: bool = driver.request("pop_notice", wait_ms=wait_ms, **where)["has_messages"]
        return there

    wanted = numbered("m", 8)
    driver.send(topic, wanted)
    raw.wait_until(lambda: noticed(500), 20, "a notice of what was sent")
    popped: list[Json] = []
    while len(popped) < len(wanted):
        popped += pop(8)
    handles = [message["properties"]["POP_CK"] for message in popped]
    before = noticed(300)
    status = driver.request("pop_end_all", handles=handles[:5], **where)["status"]
    raw.wait_until(lambda: noticed(1500), 30, "a notice of what was not acknowledged")
    again: list[Json] = []
    while len(again) < 3:
        again += pop(8)
    status_again = driver.request(
        "pop_end_all", handles=[message["properties"]["POP_CK"] for message in again], **where
    )["status"]

    assert [message["body"] for message in popped] == wanted
    assert not before, "everything is out"
    assert (status, status_again) == ("OK", "OK")
    assert bodies(again) == wanted[5:]
    assert {message["reconsume_times"] for message in again} == {1}
    assert not pop(8)
