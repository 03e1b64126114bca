"""Delay levels and timers of the other clients: messages come once, never early, hardly late."""

from __future__ import annotations

import time

from tests.compat.models.clients import CPP, GO, NODE
from tests.compat.models.stage import Stage, bodies, numbered, tried_with

# What a busy machine may add; the broker's own lateness is measured by `make bench`.
LATE_MS_MAX = 20_000
WHEEL_TURN_MS = 1000


@tried_with("delay", peers=[GO, NODE, CPP])
def test_messages_of_two_levels_come_each_after_its_time(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("delay")
    now, soon, later = numbered("now", 4), numbered("soon", 8), numbered("later", 8)
    driver.start_consumer(topic, topic, topic)
    driver.send(topic, later, delay_level=2)
    driver.send(topic, soon, delay_level=1)
    driver.send(topic, now)
    received = driver.wait_for(topic, len(now + soon + later))
    driver.stop_consumer(topic)

    assert bodies(received) == sorted(now + soon + later)
    for message in received:
        kind = message["body"].partition("-")[0]
        late_ms = message["stored_ms"] - message["born_ms"]
        late_ms -= {"now": 0, "soon": 1000, "later": 5000}[kind]
        assert 0 <= late_ms <= LATE_MS_MAX, message


@tried_with("timer", peers=[GO, NODE, CPP])
def test_messages_with_a_time_of_their_own_come_at_it(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("timer")
    waiting, timed, past = numbered("waiting", 6), numbered("timed", 6), numbered("past", 3)
    driver.start_consumer(topic, topic, topic)
    at_ms = int(time.time() * 1000) + 2500
    driver.send(topic, timed, deliver_ms=at_ms)
    driver.send(topic, waiting, delay_ms=1500)
    driver.send(topic, past, deliver_ms=at_ms - 60_000)
    received = driver.wait_for(topic, len(waiting + timed + past))
    driver.stop_consumer(topic)

    assert bodies(received) == sorted(waiting + timed + past)
    for message in received:
        due_ms = {
            "waiting": message["born_ms"] + 1500,
            "timed": at_ms,
            "past": message["born_ms"],
        }[message["body"].partition("-")[0]]
        late_ms = message["stored_ms"] - due_ms
        assert 0 <= late_ms <= WHEEL_TURN_MS + LATE_MS_MAX, message
