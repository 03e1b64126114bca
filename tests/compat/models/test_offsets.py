"""Where consumers read: from where a group begins, and where an operator puts it."""

from __future__ import annotations

import time

from tests.compat.models.clients import GO, NODE
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.compat.table import peers_of
from tests.support.clients import raw
from tests.support.clients.driver import Driver

EARLY, LATE = numbered("early", 8), numbered("late", 8)


def send_two_waves(driver: Driver, topic: str) -> int:
    """Send early and late messages; return a whole second between them."""
    driver.send(topic, EARLY)
    between_ms = (int(time.time()) + 1) * 1000
    while time.time() * 1000 < between_ms + 50:
        time.sleep(0.02)
    driver.send(topic, LATE)
    return between_ms


@tried_with("start", "broadcast")
def test_a_broadcast_consumer_begins_first_at_a_time_or_last(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("begin")
    between_ms = send_two_waves(driver, topic)
    begins = {"first": EARLY + LATE, "timestamp": LATE, "last": []}
    for begin in begins:
        driver.start_consumer(
            f"{topic}-{begin}",
            f"{topic}_{begin}",
            topic,
            model="broadcasting",
            **{"from": begin, "from_ms": between_ms},
        )
    for begin, wanted in begins.items():
        driver.wait_for(f"{topic}-{begin}", len(wanted))
    # The last one hears what comes once it has looked up the end of each queue.
    probes: set[str] = set()
    while len({message["queue"] for message in driver.received(f"{topic}-last")}) < 4:
        assert len(probes) < 400, "the consumer that begins last hears nothing"
        more = numbered("probe", 4, first=len(probes))
        driver.send(topic, more)
        probes |= set(more)
        driver.wait_for(f"{topic}-last", len(driver.received(f"{topic}-last")) + 1, seconds=0.3)
    for begin in begins:
        driver.stop_consumer(f"{topic}-{begin}")

    for begin, wanted in begins.items():
        heard = driver.bodies(f"{topic}-{begin}")
        assert sorted(body for body in heard if body not in probes) == sorted(wanted), begin


@tried_with("start")
def test_a_new_group_hears_a_young_topic_from_its_first_message(stage: Stage) -> None:
    # Whatever it asks for: while the first message is still in memory a broker gives a group
    # without an offset 0, so that a consumer that comes a moment later misses nothing.
    driver, topic = stage.driver(), stage.topic("young")
    between_ms = send_two_waves(driver, topic)
    for begin in ("first", "timestamp", "last"):
        name = f"{topic}-{begin}"
        fields = {"from": begin, "from_ms": between_ms}
        driver.start_consumer(name, f"{topic}_{begin}", topic, **fields)
    for begin in ("first", "timestamp", "last"):
        received = driver.wait_for(f"{topic}-{begin}", len(EARLY + LATE))
        driver.stop_consumer(f"{topic}-{begin}")
        assert bodies(received) == sorted(EARLY + LATE), begin


@tried_with(
    "start",
    peers=[*peers_of("start"), GO, NODE],
    slow=True,
    not_apache="it asks the system what is in memory, which no setting changes",
)
def test_a_new_group_begins_first_at_a_time_or_last(stage: Stage) -> None:
    # The broker has nothing in memory, as if the first message were old, so the client decides.
    with stage.alone(accessMessageInMemoryMaxRatio="0") as alone:
        driver, topic = alone.driver(), alone.topic("begins")
        between_ms = send_two_waves(driver, topic)
        wanted = {"first": EARLY + LATE, "timestamp": LATE, "last": []}
        for begin in wanted:
            fields = {"from": begin, "from_ms": between_ms}
            driver.start_consumer(f"{topic}-{begin}", f"{topic}_{begin}", topic, **fields)
            alone.wait_until_joined(f"{topic}_{begin}", 1)
        for begin, those in wanted.items():
            driver.wait_for(f"{topic}-{begin}", len(those))
        # Once it has been at the end of all queues, it hears what comes.
        raw.wait_until(
            lambda: raw.committed(alone.cluster.broker, f"{topic}_last", topic) == 16,
            30,
            "the last one's offsets",
        )
        more = numbered("more", 8)
        driver.send(topic, more)
        for begin, those in wanted.items():
            heard = driver.wait_for(f"{topic}-{begin}", len(those + more))
            driver.stop_consumer(f"{topic}-{begin}")
            assert bodies(heard) == sorted(those + more), begin


@tried_with("reset", slow=True)
def test_an_operator_sets_a_group_back_while_its_consumer_runs(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("reset")
    between_ms = send_two_waves(driver, topic)
    driver.start_consumer(topic, topic, topic)
    before = driver.wait_for(topic, len(EARLY + LATE))
    offsets = driver.request("reset_offsets", topic=topic, group=topic, to_ms=between_ms)
    received = driver.wait_for(topic, len(EARLY + LATE + LATE), seconds=60)
    driver.stop_consumer(topic)

    assert bodies(before) == sorted(EARLY + LATE)
    assert bodies(received) == sorted(EARLY + LATE + LATE)
    assert offsets["offsets"] == {str(queue): 2 for queue in range(4)}


@tried_with("reset")
def test_an_operator_sets_a_group_back_that_has_no_consumer(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("offline")
    between_ms = send_two_waves(driver, topic)
    driver.start_consumer(topic, topic, topic)
    driver.wait_for(topic, len(EARLY + LATE))
    driver.stop_consumer(topic)
    stage.wait_until_joined(topic, 0)
    driver.request("reset_offsets", topic=topic, group=topic, to_ms=between_ms)
    driver.start_consumer(f"{topic}-again", topic, topic)
    again = driver.wait_for(f"{topic}-again", len(LATE))
    driver.stop_consumer(f"{topic}-again")
    stage.wait_until_joined(topic, 0)
    answer = driver.request("reset_offsets", topic=topic, group=topic, to_ms=0, offline=True)
    driver.start_consumer(f"{topic}-old", topic, topic)
    old = driver.wait_for(f"{topic}-old", len(EARLY + LATE))
    driver.stop_consumer(f"{topic}-old")

    assert bodies(again) == sorted(LATE)
    assert bodies(old) == sorted(EARLY + LATE)
    assert answer["offsets"] == {str(queue): 0 for queue in range(4)}


@tried_with("reset")
def test_a_group_goes_on_where_the_one_it_was_cloned_from_was(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("clone")
    driver.send(topic, EARLY)
    driver.start_consumer(topic, topic, topic)
    driver.wait_for(topic, len(EARLY))
    driver.stop_consumer(topic)
    stage.wait_until_joined(topic, 0)
    # A group that is cloned to must have been there, so that its retry topic can be copied too.
    driver.start_consumer(f"{topic}-twin", f"{topic}_twin", topic, **{"from": "last"})
    driver.wait_for(f"{topic}-twin", len(EARLY))
    driver.stop_consumer(f"{topic}-twin")
    stage.wait_until_joined(f"{topic}_twin", 0)
    driver.request("reset_offsets", topic=topic, group=f"{topic}_twin", to_ms=0, offline=True)
    driver.request("clone_offsets", topic=topic, group=f"{topic}_twin", **{"from": topic})
    driver.send(topic, LATE)
    driver.start_consumer(f"{topic}-next", f"{topic}_twin", topic)
    received = driver.wait_for(f"{topic}-next", len(LATE))
    driver.stop_consumer(f"{topic}-next")

    assert bodies(received) == sorted(LATE)
