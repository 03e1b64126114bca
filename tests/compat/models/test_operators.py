"""What an operator asks about consumers with the official tools."""

from __future__ import annotations

from tests.compat.models.stage import Stage, bodies, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import DriverFailed


@tried_with("operators")
def test_consumers_tell_what_they_run_and_consume_a_message_when_told_to(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("asked")
    stage.retry_topic(topic)
    driver.start_consumer(topic, topic, topic)
    (sent,) = driver.send(topic, ["asked"])
    driver.wait_for(topic, 1)
    consumers = driver.request("running", group=topic)["consumers"]
    (client, told), *others = consumers.items()
    assert not others
    answer = driver.request(
        "consume_directly",
        topic=topic,
        group=topic,
        client=client,
        message_id=sent["offset_message_id"],
    )
    received = driver.wait_for(topic, 2)
    driver.stop_consumer(topic)

    assert sorted(told["topics"]) == [f"%RETRY%{topic}", topic]
    assert told["queues"] in (4, 5), "its topic's queues, and its retry topic's once it has it"
    assert answer["result"] == "CR_SUCCESS"
    assert bodies(received) == ["asked", "asked"]


@tried_with("operators")
def test_an_operator_sees_which_groups_have_consumed_a_message(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("tracked")
    driver.start_consumer(f"{topic}-done", f"{topic}_done", topic)
    driver.start_consumer(f"{topic}-away", f"{topic}_away", topic)
    driver.send(topic, [str(number) for number in range(8)])
    for name in ("done", "away"):
        driver.wait_for(f"{topic}-{name}", 8)
    driver.stop_consumer(f"{topic}-away")
    stage.wait_until_joined(f"{topic}_away", 0)
    (sent,) = driver.send(topic, ["tracked"])
    driver.wait_for(f"{topic}-done", 9)
    groups: dict[str, str] = {}

    def is_consumed() -> bool:
        nonlocal groups
        try:
            groups = driver.request("track", topic=topic, message_id=sent["message_id"])["groups"]
        except DriverFailed:
            return False
        return groups.get(f"{topic}_done") == "CONSUMED"

    raw.wait_until(is_consumed, 20, "the track of a message")
    driver.stop_consumer(f"{topic}-done")

    assert groups == {f"{topic}_done": "CONSUMED", f"{topic}_away": "NOT_ONLINE"}
