"""Message trace: what clients write about a message, and its life as one query tells it."""

from __future__ import annotations

from tests.compat.models.stage import Stage, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed, Json


@tried_with("trace", slow=True)
def test_one_query_tells_the_life_of_a_message(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("traced")
    stage.retry_topic(topic)
    group = f"{topic}_p"
    driver.start_consumer(topic, topic, topic, trace=True, refuse={"traced": 1}, delay_level=1)
    sent = driver.request(
        "send",
        topic=topic,
        group=group,
        trace=True,
        messages=[{"body": "traced", "tags": "T", "keys": "K7"}],
    )["sent"]
    driver.wait_for(topic, 2)
    life = wait_for_life(driver, sent[0]["message_id"], 5)
    driver.stop_consumer(topic)

    (published,) = (point for point in life if point["group"] == group)
    assert (published["kind"], published["status"]) == ("Pub", "success")
    assert (published["topic"], published["keys"]) == (topic, "K7")
    consumed = [(p["kind"], p["status"]) for p in life if p["group"] == topic]
    assert sorted(consumed) == [
        ("SubAfter", "failed"),
        ("SubAfter", "success"),
        ("SubBefore", "success"),
        ("SubBefore", "success"),
    ]


@tried_with("trace", slow=True, not_apache="its broker adds no points of its own")
def test_one_query_tells_what_the_broker_knows_of_a_message_nobody_traced(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("untraced")
    stage.retry_topic(topic)
    driver.start_consumer(topic, topic, topic, refuse={"refused": 1}, delay_level=1)
    (fine, refused) = driver.send(topic, ["fine", "refused"], tags="T", keys="K8")
    driver.wait_for(topic, 3)
    lives = {
        "fine": wait_for_life(driver, fine["message_id"], 3, by_broker=True),
        "refused": wait_for_life(driver, refused["message_id"], 7, by_broker=True),
    }
    driver.stop_consumer(topic)

    once = [("Pub", topic, "store"), ("SubAfter", "", topic), ("SubBefore", "", topic)]
    # A refused message waits in a delay level, and comes again in the group's retry topic.
    again = [("Pub", place, "store") for place in ("SCHEDULE_TOPIC_XXXX", f"%RETRY%{topic}")]
    for body, wanted in {"fine": once, "refused": [*once, *again, *once[1:]]}.items():
        found = [(p["kind"], p["topic"] or "", p["group"].split("@")[0]) for p in lives[body]]
        assert sorted(found) == sorted(wanted), body
        assert all("@" in point["group"] for point in lives[body])
        assert {p["status"] for p in lives[body]} == {"success"}


def wait_for_life(
    driver: Driver, message_id: str, points: int, *, by_broker: bool = False
) -> list[Json]:
    """Ask until the clients have written what they collect for some seconds.

    Points of a group with an `@` are those that a broker adds to the answer by itself.
    """
    life: list[Json] = []

    def complete() -> bool:
        nonlocal life
        try:
            life = driver.request("trace", message_id=message_id)["life"]
        except DriverFailed:
            life = []
        return sum(("@" in point["group"]) == by_broker for point in life) >= points

    raw.wait_until(complete, 30, "the trace of a message")
    return life
