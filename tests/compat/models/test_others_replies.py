"""Request and reply with the Go client, the only one of the other clients that has them."""

from __future__ import annotations

import pytest
from tests.compat.models.clients import GO
from tests.compat.models.stage import Stage, numbered, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed, Json

PRODUCERS_OF_GROUP = 204


def get_known(stage: Stage, driver: Driver, topic: str) -> None:
    """Let the client send, so that it finds the broker, and wait for its heartbeat.

    It sends one a second after its start, and a reply to a client that is not known goes nowhere.
    """
    driver.request("send", topic=topic, group=topic, messages=[{"body": "hello"}])

    def known() -> bool:
        try:
            raw.call(stage.cluster.broker, PRODUCERS_OF_GROUP, {"producerGroup": topic})
        except raw.CallRefused:
            return False
        return True

    raw.wait_until(known, 20, f"a heartbeat of producer group {topic}")


@tried_with("request_reply", peers=[GO])
def test_each_request_gets_the_reply_to_itself(stage: Stage) -> None:
    asks, answers = stage.driver(0), stage.driver(1)
    topic = stage.topic("requests")
    get_known(stage, asks, group := stage.topic("asking"))
    answers.start_consumer(topic, topic, topic, reply=True)
    fields: Json = {"topic": topic, "group": group, "timeout_ms": 15_000}
    first = asks.request("request", **fields, body="first")["reply"]
    questions = numbered("question", 20)
    replies = asks.request("request_many", **fields, bodies=questions)
    received = answers.wait_for(topic, 1 + len(questions))
    answers.stop_consumer(topic)

    assert first["body"] == "re: first"
    found = {body: reply["body"] for body, reply in replies["replies"].items()}
    assert found == {body: f"re: {body}" for body in questions}
    correlations = {m["properties"]["CORRELATION_ID"] for m in received}
    assert len(correlations) == len(received) == 1 + len(questions)


@tried_with("request_reply", peers=[GO])
def test_a_request_that_nobody_answers_fails_after_its_time_alone(stage: Stage) -> None:
    asks, answers = stage.driver(0), stage.driver(1)
    topic, silent = stage.topic("answered"), stage.topic("silent")
    get_known(stage, asks, silent)
    answers.start_consumer(topic, topic, topic, reply=True)
    with pytest.raises(DriverFailed, match="timeout"):
        asks.request("request", topic=silent, group=silent, body="anybody", timeout_ms=1000)
    reply = asks.request("request", topic=topic, group=silent, body="and now", timeout_ms=15_000)[
        "reply"
    ]
    answers.stop_consumer(topic)

    assert reply["body"] == "re: and now"
