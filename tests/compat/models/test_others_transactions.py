"""Transactions of the Go client, the only one of the other clients that has them."""

from __future__ import annotations

from collections import Counter

from tests.compat.models.clients import GO
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Json


def half(body: str, local: str) -> Json:
    """A message to send, with what its producer says of it at once."""
    return {"body": body, "local": local, "tags": "T", "keys": f"key-of-{body}"}


@tried_with("transactions", peers=[GO])
def test_what_was_committed_at_once_or_when_asked_is_delivered_once(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("transactions")
    producer = f"{topic}_p"
    checks = {
        "asked-commit": ["commit"],
        "asked-rollback": ["rollback"],
        "asked-thrice": ["unknown", "unknown", "commit"],
    }
    commits, rollbacks = numbered("commit", 5), numbered("rollback", 5)
    driver.start_consumer(topic, topic, topic)
    driver.request("start_transactions", name=producer, group=producer, checks=checks)
    messages = [half(body, "commit") for body in commits]
    messages += [half(body, "rollback") for body in rollbacks]
    messages += [half(body, "unknown") for body in checks]
    sent = driver.request("transact", name=producer, topic=topic, messages=messages)["sent"]
    at_once = driver.wait_for(topic, len(commits))
    wanted = sorted([*commits, "asked-commit", "asked-thrice"])
    received = driver.wait_for(topic, len(wanted))
    raw.wait_until(lambda: "asked-rollback" in driver.bodies(producer), 20, "the check-back")
    # Two more rounds of checks: nothing that was ended is asked about or delivered again.
    driver.wait_for(topic, len(wanted) + 1, seconds=2.5)
    driver.request("stop_transactions", name=producer)
    driver.stop_consumer(topic)

    assert bodies(at_once) == sorted(commits)
    assert bodies(driver.received(topic)) == wanted
    assert Counter(driver.bodies(producer)) == {
        "asked-commit": 1,
        "asked-rollback": 1,
        "asked-thrice": 3,
    }
    id_of = {outcome["body"]: outcome["message_id"] for outcome in sent}
    for message in received:
        assert message["message_id"] == id_of[message["body"]]
        assert (message["tags"], message["keys"]) == ("T", f"key-of-{message['body']}")
        assert message["properties"]["PGROUP"] == producer
    for question in driver.received(producer):
        assert question["topic"] == topic, "it is asked about its own message"


@tried_with("transactions", peers=[GO])
def test_a_producer_of_the_same_group_answers_for_one_that_has_gone(stage: Stage) -> None:
    gone, stays = stage.driver(0), stage.driver(1)
    topic = stage.topic("orphans")
    orphans = numbered("orphan", 4)
    checks = {body: ["rollback" if body == "orphan-3" else "commit"] for body in orphans}
    left, right = f"{topic}-gone", f"{topic}-stays"
    stays.start_consumer(topic, topic, topic)
    gone.request("start_transactions", name=left, group=f"{topic}_p")
    unknown = [half(body, "unknown") for body in orphans]
    gone.request("transact", name=left, topic=topic, messages=unknown)
    gone.request("stop_transactions", name=left)
    stays.request("start_transactions", name=right, group=f"{topic}_p", checks=checks)
    # With its first message the client finds the broker and makes itself known there.
    own = [half("own", "commit")]
    stays.request("transact", name=right, topic=topic, messages=own)
    received = stays.wait_for(topic, 4)
    raw.wait_until(lambda: "orphan-3" in stays.bodies(right), 20, "the last check-back")
    stays.wait_for(topic, 5, seconds=1.5)
    stays.request("stop_transactions", name=right)
    stays.stop_consumer(topic)

    assert bodies(received) == sorted(["own", *orphans[:3]])
    assert len(stays.received(topic)) == 4
