"""Broadcast: every member of a group hears everything, from where it came in."""

from __future__ import annotations

from tests.compat.models.stage import Stage, numbered, tried_with
from tests.support.clients.driver import Driver

QUEUES = 4


@tried_with("broadcast")
def test_a_late_member_begins_at_the_end_and_a_returning_one_where_it_left(stage: Stage) -> None:
    early, late = stage.driver(0), stage.driver(1)
    topic = stage.topic("broadcast")
    first = numbered("first", 8)
    early.send(topic, first)
    early.start_consumer(topic, topic, topic, model="broadcasting")
    early.wait_for(topic, len(first))
    late.start_consumer(topic, topic, topic, model="broadcasting", **{"from": "last"})
    probes = _send_until_heard_on_every_queue(early, late, topic)
    second = numbered("second", 8)
    early.send(topic, second)
    early.wait_for(topic, len(first) + len(probes) + len(second))
    late.wait_for(topic, len(set(late.bodies(topic)) - set(second)) + len(second))
    early.stop_consumer(topic)
    third = numbered("third", 8)
    late.send(topic, third)
    before = len(early.received(topic))
    early.start_consumer(topic, topic, topic, model="broadcasting")
    early.wait_for(topic, before + len(third))
    for driver in (early, late):
        driver.stop_consumer(topic)

    assert sorted(early.bodies(topic)) == sorted(first + probes + second + third)
    heard = late.bodies(topic)
    assert not set(heard) & set(first), "what was there before it came is not for it"
    assert sorted(set(heard) - set(probes)) == sorted(second + third)
    assert len(heard) == len(set(heard))


def _send_until_heard_on_every_queue(sender: Driver, late: Driver, topic: str) -> list[str]:
    """A consumer may take up its queues whenever it gets to it; send until it has."""
    sent: list[str] = []
    for attempt in range(60):
        if len({message["queue"] for message in late.received(topic)}) == QUEUES:
            return sent
        probes = numbered(f"probe{attempt}", QUEUES)
        sender.send(topic, probes)
        sent += probes
        late.wait_for(topic, len(late.received(topic)) + 1, seconds=0.3)
    raise AssertionError("the late member never heard of all queues")
