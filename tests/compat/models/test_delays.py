"""Messages that wait: for a delay level, for a time of their own, or until they are recalled."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.support.clients.driver import DriverFailed, Json

# What a busy machine may add; the broker's own lateness is measured by `make bench`.
LATENESS_MS_MAX = 20_000


def now_ms() -> int:
    return int(time.time() * 1000)


@tried_with("delay")
def test_each_level_is_heard_when_it_is_due_and_not_before(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("levels")
    driver.start_consumer(topic, topic, topic)
    wanted = {0: numbered("now", 4), 1: numbered("second", 4), 2: numbered("five", 4)}
    for level in (2, 1, 0):
        driver.send(topic, wanted[level], tags="T", keys="K", delay_level=level)
    received = driver.wait_for(topic, 12)
    driver.stop_consumer(topic)

    assert bodies(received) == sorted(wanted[0] + wanted[1] + wanted[2])
    waited = {"now": 0, "second": 1000, "five": 5000}
    for message in received:
        late_ms = message["stored_ms"] - message["born_ms"] - waited[message["body"].split("-")[0]]
        assert 0 <= late_ms < LATENESS_MS_MAX, message
        assert (message["topic"], message["tags"], message["keys"]) == (topic, "T", "K")


@tried_with("timer")
def test_a_message_comes_at_the_time_it_was_given(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("timed")
    driver.start_consumer(topic, topic, topic)
    start_ms = now_ms()
    due: dict[str, dict[str, Any]] = {
        "by-clock": {"deliver_ms": start_ms + 4200},
        "by-delay": {"delay_ms": 2500},
        "by-seconds": {"delay_sec": 3},
        "long-ago": {"deliver_ms": start_ms - 60_000},
    }
    sent = {}
    for body, fields in due.items():
        sent[body] = driver.send(topic, [body], tags="T", keys="K", **fields)[0]
    received = {message["body"]: message for message in driver.wait_for(topic, len(due))}
    driver.stop_consumer(topic)

    assert len(driver.received(topic)) == len(due)
    assert set(received) == set(due)
    wait_ms = {"by-clock": 4200, "by-delay": 2500, "by-seconds": 3000, "long-ago": 0}
    for body, message in received.items():
        late_ms = message["stored_ms"] - start_ms - wait_ms[body]
        # The wheel turns once a second.
        assert 0 <= late_ms < LATENESS_MS_MAX, message
        assert message["message_id"] == sent[body]["message_id"]
        assert (message["tags"], message["keys"]) == ("T", "K")
    recallable = {body for body, outcome in sent.items() if outcome.get("recall_handle")}
    assert recallable == set(due) - {"long-ago"}


@tried_with("timer", "recall")
def test_a_recalled_message_never_comes_and_a_late_recall_is_refused(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("recalled")
    driver.start_consumer(topic, topic, topic)
    sent: list[Json] = driver.send(topic, numbered("timed", 6), delay_ms=8000)
    for outcome in sent[::2]:
        answer = driver.request("recall", topic=topic, handle=outcome["recall_handle"])
        assert answer["message_id"] == outcome["message_id"]
    with pytest.raises(DriverFailed, match="recall"):
        driver.request("recall", topic=topic, handle="not-a-handle")
    with pytest.raises(DriverFailed, match="recall"):
        driver.request("recall", topic=stage.topic("other"), handle=sent[1]["recall_handle"])
    received = driver.wait_for(topic, 3)
    driver.wait_for(topic, 4, seconds=1.5)
    with pytest.raises(DriverFailed, match="recall"):
        driver.request("recall", topic=topic, handle=sent[1]["recall_handle"])
    driver.stop_consumer(topic)

    assert bodies(received) == ["timed-1", "timed-3", "timed-5"]
    assert len(driver.received(topic)) == 3
