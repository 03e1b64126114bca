"""Where the other clients read: where a new group begins, and where an operator puts it."""

from __future__ import annotations

import re
import time

from tests.compat.models.clients import CPP, GO, NODE
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Driver

RESET = 222
EARLY, LATE = numbered("early", 8), numbered("late", 8)
BEGINS = ("first", "timestamp", "last")


def send_two_waves(driver: Driver, topic: str) -> int:
    """Send early and late messages; return a whole second between them."""
    driver.send(topic, EARLY)
    between_ms = (int(time.time()) + 1) * 1000
    while time.time() * 1000 < between_ms + 50:
        time.sleep(0.02)
    driver.send(topic, LATE)
    return between_ms


def reset(stage: Stage, group: str, topic: str, moment_ms: int) -> list[int]:
    """Do what an operator does to put a group back to a time; return the queues' offsets."""
    fields = {"group": group, "topic": topic, "timestamp": str(moment_ms), "isForce": "true"}
    _, body = raw.call(stage.cluster.broker, RESET, fields)
    # The document's keys are objects, which a JSON parser does not take.
    return [int(offset) for offset in re.findall(r"\}\s*:\s*(\d+)", body.decode())]


@tried_with("start", peers=[GO, NODE])
def test_a_new_group_hears_a_young_topic_from_its_first_message(stage: Stage) -> None:
    # Whatever it asks for: as long as the first message is in memory, a group begins with it.
    driver, topic = stage.driver(), stage.topic("young")
    between_ms = send_two_waves(driver, topic)
    for begin in BEGINS:
        where = {"from": begin, "from_ms": between_ms}
        driver.start_consumer(f"{topic}-{begin}", f"{topic}_{begin}", topic, **where)
    for begin in BEGINS:
        received = driver.wait_for(f"{topic}-{begin}", len(EARLY + LATE))
        driver.stop_consumer(f"{topic}-{begin}")
        assert bodies(received) == sorted(EARLY + LATE), begin


@tried_with("start", "broadcast", peers=[GO])
def test_a_broadcast_consumer_begins_first_at_a_time_or_last(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("begin")
    between_ms = send_two_waves(driver, topic)
    for begin in BEGINS:
        where = {"from": begin, "from_ms": between_ms, "model": "broadcasting"}
        driver.start_consumer(f"{topic}-{begin}", f"{topic}_{begin}", topic, **where)
    wanted = {"first": EARLY + LATE, "timestamp": LATE, "last": []}
    for begin in BEGINS:
        driver.wait_for(f"{topic}-{begin}", len(wanted[begin]))
        driver.stop_consumer(f"{topic}-{begin}")

    assert {begin: sorted(driver.bodies(f"{topic}-{begin}")) for begin in BEGINS} == wanted


@tried_with("reset", peers=[GO, NODE, CPP], slow=True)
def test_an_operator_puts_a_group_back_while_its_consumer_runs(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("reset")
    between_ms = send_two_waves(driver, topic)
    driver.start_consumer(topic, topic, topic)
    before = driver.wait_for(topic, len(EARLY + LATE))
    assert reset(stage, topic, topic, between_ms) == [2, 2, 2, 2]
    received = driver.wait_for(topic, len(EARLY + LATE + LATE), seconds=90)
    driver.stop_consumer(topic)

    assert bodies(before) == sorted(EARLY + LATE)
    assert bodies(received) == sorted(EARLY + LATE + LATE)


@tried_with("reset", peers=[GO, NODE, CPP], slow=True)
def test_an_operator_puts_a_group_back_that_has_no_consumer(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("offline")
    between_ms = send_two_waves(driver, topic)
    driver.start_consumer(topic, topic, topic)
    driver.wait_for(topic, len(EARLY + LATE))
    raw.wait_until(
        lambda: raw.committed(stage.cluster.broker, topic, topic) == len(EARLY + LATE),
        30,
        "the group's offsets",
    )
    driver.stop_consumer(topic)
    stage.wait_until_joined(topic, 0)
    assert reset(stage, topic, topic, between_ms) == [2, 2, 2, 2]
    again = f"{topic}-again"
    driver.start_consumer(again, topic, topic)
    received = driver.wait_for(again, len(LATE), seconds=90)
    driver.stop_consumer(again)

    assert bodies(received) == sorted(LATE)
