"""Batches: many messages in one send, each its own message afterwards."""

from __future__ import annotations

from tests.compat.models.stage import Stage, bodies, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed, Json

COUNT = 33


def batch(stem: str) -> list[Json]:
    """Messages that differ in everything a message of a batch may have of its own."""
    return [
        {
            "body": f"{stem}-{n}",
            "tags": f"T{n % 3}",
            "keys": f"{stem}{n} all-of-{stem}",
            "properties": {"number": str(n), "odd": "yes" if n % 2 else "no"},
        }
        for n in range(COUNT)
    ]


def assert_each_its_own(received: list[Json], sent: list[Json]) -> None:
    assert bodies(received) == bodies(sent)
    wanted = {message["body"]: message for message in sent}
    for message in received:
        original = wanted[message["body"]]
        assert (message["tags"], message["keys"]) == (original["tags"], original["keys"])
        found = {name: message["properties"].get(name) for name in ("number", "odd")}
        assert found == original["properties"]
    assert len({message["message_id"] for message in received}) == len(sent)


@tried_with("batch", not_apache="5.3.3 gives all messages of a batch the one id of the batch")
def test_each_message_of_a_batch_keeps_its_own_tags_keys_and_properties(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("batch")
    sent = batch("first")
    outcome = driver.request("send", topic=topic, mode="batch", messages=sent)["sent"][0]
    driver.start_consumer(topic, topic, topic)
    driver.wait_for(topic, COUNT)
    driver.start_consumer(f"{topic}-T1", f"{topic}_T1", topic, tags="T1")
    more = batch("second")
    driver.request("send", topic=topic, mode="batch", messages=more)
    received = driver.wait_for(topic, 2 * COUNT)
    tagged = driver.wait_for(f"{topic}-T1", 2 * COUNT // 3)
    for name in (topic, f"{topic}-T1"):
        driver.stop_consumer(name)

    assert_each_its_own(received, sent + more)
    assert bodies(tagged) == bodies(m for m in sent + more if m["tags"] == "T1")
    ids = set(outcome["message_id"].split(","))
    first = [message for message in received if message["body"].startswith("first")]
    assert {message["message_id"] for message in first} == ids
    # A batch goes to one queue, in one piece and in its order.
    assert {message["queue"] for message in first} == {outcome["queue"]}
    places = sorted((message["queue_offset"], message["body"]) for message in first)
    assert places == [(outcome["queue_offset"] + n, f"first-{n}") for n in range(COUNT)]
    assert bodies(_found_by_key(driver, topic, "first7", 1)) == ["first-7"]
    assert len(_found_by_key(driver, topic, "all-of-first", COUNT)) == COUNT


def _found_by_key(driver: Driver, topic: str, key: str, count: int) -> list[Json]:
    """Ask until the index has caught up; the client reports an empty answer as an error."""
    found: list[Json] = []

    def complete() -> bool:
        nonlocal found
        try:
            found = driver.request("query_key", topic=topic, key=key)["messages"]
        except DriverFailed:
            found = []
        return len(found) >= count

    raw.wait_until(complete, 15, f"{count} messages of key {key}")
    return found


@tried_with("whole_batch")
def test_a_topic_that_keeps_batches_whole_gives_each_message_its_own(stage: Stage) -> None:
    driver, topic = stage.driver(), f"{stage.topic('whole')}_batches"
    driver.request(
        "update_topic",
        topic=topic,
        broker=stage.cluster.broker,
        queues=1,
        attributes={"+queue.type": "BatchCQ"},
    )
    raw.wait_until(
        lambda: raw.route(stage.cluster.name_server, topic) is not None, 20, "the topic's route"
    )
    sent = batch("first")
    outcome = driver.request("send", topic=topic, mode="batch", messages=sent)["sent"][0]
    driver.send(topic, ["single"], tags="T0")
    more = batch("second")
    driver.request("send", topic=topic, mode="batch", messages=more)
    driver.start_consumer(topic, topic, topic)
    received = driver.wait_for(topic, 2 * COUNT + 1)
    driver.stop_consumer(topic)

    assert [m["queue_offset"] for m in received if m["body"] == "single"] == [COUNT]
    assert_each_its_own([m for m in received if m["body"] != "single"], sent + more)
    assert outcome["queue_offset"] == 0
    assert sorted(message["queue_offset"] for message in received) == list(range(2 * COUNT + 1))
    # What was consumed is committed in messages, not in batches.
    raw.wait_until(
        lambda: raw.committed(stage.cluster.broker, topic, topic, 1) == 2 * COUNT + 1,
        20,
        "the offset of all messages",
    )
