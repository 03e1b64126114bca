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


def wait_for_life(driver: Driver, message_id: str, points: int) -> list[Json]:
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
        return len([point for point in life if "@" not in point["group"]]) >= points

    raw.wait_until(complete, 30, "the trace of a message")
    return life
