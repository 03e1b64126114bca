"""Resets of old: the broker tells the consumers that are online to go back, and moves nothing.

A consumer that is told (220) throws away what it holds, waits ten seconds for its listener, and
goes on from where it was sent; the C++ client does it without the wait. A broker tells when it is
set to `useServerSideResetOffset=false`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.compat.models.clients import CPP, GO
from tests.compat.models.stage import Stage, bodies, tried_with
from tests.compat.models.test_offsets import EARLY, LATE, send_two_waves
from tests.support.clients import raw

RESET = 222
NOT_ONLINE = 206
PUSHED = {"useServerSideResetOffset": "false"}

Reset = Callable[[Stage, str, int], None]


def by_mqadmin(stage: Stage, topic: str, moment_ms: int) -> None:
    """`mqadmin resetOffsetByTime`."""
    stage.driver().request("mqadmin_reset", topic=topic, group=topic, to_ms=moment_ms)


def by_hand(stage: Stage, topic: str, moment_ms: int) -> None:
    """What `mqadmin` asks the broker for; the queues' offsets are asserted."""
    fields = {"group": topic, "topic": topic, "timestamp": str(moment_ms), "isForce": "true"}
    language = "CPP" if stage.peer is CPP else "OTHER"  # consumers in C++ are told in another form
    _, body = raw.call(stage.cluster.broker, RESET, fields, language=language)
    # The document's keys are objects, which a JSON parser does not take.
    assert re.findall(r"\}\s*:\s*(\d+)", body.decode()) == ["2"] * 4


def hear_again(stage: Stage, reset: Reset) -> tuple[str, int]:
    """A consumer that is online hears once more what came after a moment, and only that.

    Returns the topic, which is its group's name too, and the moment.
    """
    driver, topic = stage.driver(), stage.topic("told")
    between_ms = send_two_waves(driver, topic)
    driver.start_consumer(topic, topic, topic)
    before = driver.wait_for(topic, len(EARLY + LATE))
    # A broker tells nobody of a queue in which it knows of no offset.
    until_committed(stage, topic, len(EARLY + LATE))
    reset(stage, topic, between_ms)
    untouched = raw.committed(stage.cluster.broker, topic, topic)
    driver.wait_for(topic, len(EARLY + LATE + LATE), seconds=60)
    until_committed(stage, topic, len(EARLY + LATE))
    received = driver.wait_for(topic, len(EARLY + LATE + LATE) + 1, seconds=1)
    driver.stop_consumer(topic)

    assert bodies(before) == sorted(EARLY + LATE)
    if stage.peer is not CPP:  # which does not wait
        assert untouched == len(EARLY + LATE), "the consumer is told; the broker moves nothing"
    assert bodies(received) == sorted(EARLY + LATE + LATE)
    return topic, between_ms


def until_committed(stage: Stage, topic: str, count: int) -> None:
    raw.wait_until(
        lambda: raw.committed(stage.cluster.broker, topic, topic) == count, 30, "the offsets"
    )


@tried_with("reset", slow=True)
def test_mqadmin_has_an_online_consumer_told_and_an_absent_one_put_back(stage: Stage) -> None:
    with stage.alone(**PUSHED) as alone:
        topic, between_ms = hear_again(alone, by_mqadmin)
        alone.wait_until_joined(topic, 0)
        with pytest.raises(raw.CallRefused) as refused:
            by_hand(alone, topic, between_ms)
        by_mqadmin(alone, topic, between_ms)
        driver, again = alone.driver(), f"{topic}-again"
        driver.start_consumer(again, topic, topic)
        received = driver.wait_for(again, len(LATE) + 1, seconds=3)
        driver.stop_consumer(again)

        assert refused.value.code == NOT_ONLINE
        assert bodies(received) == sorted(LATE)


@tried_with("reset", peers=[GO, CPP], slow=True)
def test_a_consumer_that_is_told_goes_back(stage: Stage) -> None:
    with stage.alone(**PUSHED) as alone:
        topic, _ = hear_again(alone, by_hand)
        assert raw.committed(alone.cluster.broker, topic, topic) == len(EARLY + LATE)
