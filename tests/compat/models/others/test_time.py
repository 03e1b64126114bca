"""Messages of the delay levels and with a time of their own come once, never early, never late."""

from __future__ import annotations

import time

import pytest
from tests.compat.conftest import Drivers, NewTopic
from tests.compat.models.others.peers import CPP, GO, NODE, by_name
from tests.compat.test_clients import bodies, numbered
from tests.support.clients.peers import Peer

pytestmark = pytest.mark.timeout(60)

LATE_MS_MAX = 2000  # of a test machine that is busy; how late messages are is measured elsewhere
TIMER_PRECISION_MS = 1000


@pytest.mark.model("delay")
@pytest.mark.parametrize("peer", [GO, NODE, CPP], ids=by_name)
def test_messages_of_two_levels_come_each_after_its_time(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("delay")
    now, soon, later = numbered("now", 4), numbered("soon", 8), numbered("later", 8)
    driver.start_consumer(topic, f"group_{topic}", topic)
    driver.send(topic, later, delay_level=2)
    driver.send(topic, soon, delay_level=1)
    driver.send(topic, now)
    received = driver.wait_for(topic, len(now + soon + later))
    driver.stop_consumer(topic)

    assert bodies(received) == sorted(now + soon + later)
    for message in received:
        kind = message["body"].partition("-")[0]
        delay_ms = {"now": 0, "soon": 1000, "later": 2000}[kind]
        waited_ms = message["stored_ms"] - message["born_ms"]
        assert delay_ms <= waited_ms <= delay_ms + LATE_MS_MAX, message


@pytest.mark.model("timer")
@pytest.mark.parametrize("peer", [GO, NODE, CPP], ids=by_name)
def test_messages_with_a_time_of_their_own_come_at_it(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("timer")
    waiting, timed, past = numbered("waiting", 6), numbered("timed", 6), numbered("past", 3)
    driver.start_consumer(topic, f"group_{topic}", topic)
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
        assert 0 <= late_ms <= TIMER_PRECISION_MS + LATE_MS_MAX, message
