"""Transactions: what commits is delivered once, what rolls back never, and the broker asks."""

from __future__ import annotations

from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support.clients import raw

GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC"
IMMUNE_SECONDS = 8


@tried_with("transactions", not_apache="a commit that arrives twice is delivered twice")
def test_only_what_was_committed_is_delivered_by_the_producer_or_when_asked(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("transactions")
    checks = {
        "asked-commit": ["commit"],
        "asked-rollback": ["rollback"],
        "asked-twice": ["unknown", "commit"],
    }
    commits, rollbacks = numbered("commit", 5), numbered("rollback", 5)
    producer = f"{topic}-producer"
    driver.start_consumer(topic, topic, topic)
    driver.request(
        "start_transactions", name=producer, group=f"{topic}_p", topic=topic, checks=checks
    )
    messages = [{"body": body, "local": "commit"} for body in commits]
    messages += [{"body": body, "local": "rollback"} for body in rollbacks]
    messages += [{"body": body, "local": "unknown"} for body in checks]
    for message in messages:
        message |= {"tags": "T", "keys": f"key-of-{message['body']}"}
    sent = driver.request("transact", name=producer, topic=topic, messages=messages)["sent"]
    wanted = sorted([*commits, "asked-commit", "asked-twice"])
    received = driver.wait_for(topic, len(wanted))
    raw.wait_until(lambda: "asked-rollback" in driver.bodies(producer), 20, "the check-back")
    driver.wait_for(topic, len(wanted) + 1, seconds=2)
    driver.request("stop_transactions", name=producer)
    driver.stop_consumer(topic)

    assert {outcome["status"] for outcome in sent} == {"SEND_OK"}
    assert bodies(driver.received(topic)) == wanted
    id_of = {outcome["body"]: outcome["message_id"] for outcome in sent}
    for message in received:
        assert message["message_id"] == id_of[message["body"]]
        assert (message["tags"], message["keys"]) == ("T", f"key-of-{message['body']}")
    asked = driver.received(producer)
    assert {message["body"] for message in asked} == set(checks)
    assert {message["topic"] for message in asked} == {topic}, "it is asked about its message"


@tried_with("transactions")
def test_another_producer_of_the_group_answers_for_one_that_has_gone(stage: Stage) -> None:
    gone, stays = stage.driver(0), stage.driver(1)
    topic = stage.topic("orphans")
    fields = {"group": f"{topic}_p", "topic": topic}
    orphans = numbered("orphan", 4)
    checks = {body: ["rollback" if body == "orphan-3" else "commit"] for body in orphans}
    gone.request("start_transactions", name="gone", **fields)
    gone.request(
        "transact",
        name="gone",
        topic=topic,
        messages=[{"body": body, "local": "unknown"} for body in orphans],
    )
    gone.request("stop_transactions", name="gone")
    stays.start_consumer(topic, topic, topic)
    stays.request("start_transactions", name=f"{topic}-stays", checks=checks, **fields)
    stays.wait_for(topic, 3)
    raw.wait_until(lambda: len(stays.bodies(f"{topic}-stays")) >= 4, 20, "all check-backs")
    received = stays.wait_for(topic, 4, seconds=2)
    stays.request("stop_transactions", name=f"{topic}-stays")
    stays.stop_consumer(topic)

    assert bodies(received) == orphans[:3]


@tried_with(
    "transactions",
    slow=True,
    not_apache="it counts rounds in which it does not ask, and asks about what has ended",
)
def test_what_nobody_decides_is_given_up_and_an_immune_message_is_asked_about_later(
    stage: Stage,
) -> None:
    with stage.alone(transactionCheckMax="3") as alone:
        driver, topic = alone.driver(), alone.topic("undecided")
        producer = {"name": f"{topic}-p", "topic": topic}
        checks = {"immune": ["commit"]}
        driver.start_consumer(topic, topic, topic)
        driver.request("start_transactions", group=f"{topic}_p", checks=checks, **producer)
        messages = [
            {"body": "lost", "local": "unknown"},
            {
                "body": "immune",
                "local": "unknown",
                "properties": {"CHECK_IMMUNITY_TIME_IN_SECONDS": str(IMMUNE_SECONDS)},
            },
            {"body": "fine", "local": "commit"},
        ]
        driver.request("transact", messages=messages, **producer)
        driver.wait_for(topic, 2)
        raw.wait_until(
            lambda: raw.stored(alone.cluster.broker, GIVEN_UP, 1) == 1, 30, "one that is given up"
        )
        asked = driver.wait_for(producer["name"], 5, seconds=2)
        driver.request("stop_transactions", name=producer["name"])
        driver.stop_consumer(topic)
        heard = driver.received(topic)

    assert [m["body"] for m in sorted(heard, key=lambda each: each["heard_ms"])] == [
        "fine",
        "immune",
    ]
    assert bodies(asked) == ["immune", "lost", "lost", "lost"], "as often as transactionCheckMax"
    (immune,) = [message for message in asked if message["body"] == "immune"]
    assert immune["heard_ms"] - immune["born_ms"] >= 1000 * IMMUNE_SECONDS
    first_lost = min(message["heard_ms"] for message in asked if message["body"] == "lost")
    assert first_lost < immune["heard_ms"], "it does not wait behind the immune one"
