"""Refused messages of the other clients come back, and end among the dead letters of the group."""

from __future__ import annotations

import asyncio

from tests.compat.models.clients import CPP, GO, NODE
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support import apache
from tests.support.clients import raw
from tests.support.local_broker import peer_at
from tests.support.pulling import Pulled, pull_all

RETRIES_MAX = 2
# How long the first and the second retry wait, by client: only the Go client can choose a level.
WAIT_MS = {"go": (1000, 1000), "node": (10_000, 30_000), "cpp": (10_000, 30_000)}


def dead_letters(broker: str, group: str, count: int) -> list[Pulled]:
    """Wait for the dead letters of a group and read them by hand."""

    async def read() -> list[Pulled]:
        peer = peer_at(broker)
        found = await pull_all(peer, f"%DLQ%{group}", group=f"letters_{group}")
        await peer.close()
        return found

    raw.wait_until(lambda: len(asyncio.run(read())) >= count, 30, "the dead letters")
    return asyncio.run(read())


@tried_with("retry", peers=[GO, NODE, CPP], slow=True)
def test_a_refused_message_comes_back_to_the_group_that_refused_it(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("retry")
    bystander = f"bystander_{topic}"
    driver.start_consumer(topic, topic, topic, refuse={"twice": 2}, delay_level=1)
    driver.start_consumer(bystander, bystander, topic)
    fine = numbered("fine", 6)
    driver.send(topic, fine)
    driver.wait_for(topic, len(fine))
    # Alone: the C++ client sends all messages of a pull back when one of them is refused.
    driver.send(topic, ["twice"], tags="T", keys="K")
    driver.wait_for(topic, len(fine) + 3, seconds=100)
    for name in (topic, bystander):
        driver.stop_consumer(name)

    assert bodies(driver.received(topic)) == sorted([*fine, *["twice"] * 3])
    assert bodies(driver.received(bystander)) == sorted([*fine, "twice"])
    again = [m for m in driver.received(topic) if m["body"] == "twice"]
    assert [m["reconsume_times"] for m in again] == [0, 1, 2]
    assert {(m["tags"], m["keys"]) for m in again} == {("T", "K")}
    assert len({m["properties"]["ORIGIN_MESSAGE_ID"] for m in again[1:]}) == 1
    for first, second, wait_ms in zip(again, again[1:], WAIT_MS[stage.peer.name], strict=False):
        assert second["stored_ms"] - first["heard_ms"] >= wait_ms - 100


# Apache 5.3.3 fails where the C++ client, which does not name the topic, sends back once more.
@tried_with(
    "retry", "dead_letters", peers=[GO, NODE, *([] if apache.wanted() else [CPP])], slow=True
)
def test_a_message_refused_too_often_is_a_dead_letter(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("dead")
    # The C++ client leaves the number to the group, the others give their own.
    raw.create_group(stage.cluster.broker, topic, retryMaxTimes=RETRIES_MAX)
    refusing = {"refuse": {"stubborn": -1}, "delay_level": 1, "max_reconsume": RETRIES_MAX}
    driver.start_consumer(topic, topic, topic, **refusing)
    driver.send(topic, ["stubborn"], tags="T", keys="K")
    driver.wait_for(topic, RETRIES_MAX + 1, seconds=100)
    (letter,) = dead_letters(stage.cluster.broker, topic, 1)
    driver.stop_consumer(topic)

    received = driver.received(topic)
    assert [(m["body"], m["reconsume_times"]) for m in received] == [
        ("stubborn", times) for times in range(RETRIES_MAX + 1)
    ]
    assert letter.body == b"stubborn"
    assert letter.topic == f"%DLQ%{topic}"
    assert letter.reconsume_times == RETRIES_MAX + 1
    kept = {name: letter.properties[name] for name in ("RETRY_TOPIC", "TAGS", "KEYS")}
    assert kept == {"RETRY_TOPIC": topic, "TAGS": "T", "KEYS": "K"}
    origin = received[-1]["properties"]["ORIGIN_MESSAGE_ID"]
    assert letter.properties["ORIGIN_MESSAGE_ID"] == origin
