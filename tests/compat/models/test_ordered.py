"""Ordered messages: a key's messages are heard in the order they were sent, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tests.compat.models.stage import Stage, tried_with
from tests.support.clients import raw
from tests.support.clients.driver import Driver

KEYS = [f"key{n}" for n in range(8)]


def send_round(driver: Driver, topic: str, number: int) -> None:
    """One message of each key."""
    messages = [{"body": f"{key}:{number}", "shard": key} for key in KEYS]
    driver.request("send", topic=topic, messages=messages)


def heard_by_key(drivers: list[Driver], consumer: str) -> dict[str, list[int]]:
    """For each key the numbers of its messages in the order in which any consumer heard them."""
    heard = [message for driver in drivers for message in driver.received(consumer)]
    found: dict[str, list[int]] = {key: [] for key in KEYS}
    for message in sorted(heard, key=lambda each: each["heard_ms"]):
        key, _, number = message["body"].partition(":")
        found[key].append(int(number))
    return found


def assert_in_order(numbers: list[int], count: int) -> None:
    """All were heard; one may come again after a takeover, and then so do those behind it."""
    heard: set[int] = set()
    for before, number in zip([-1, *numbers], numbers, strict=False):
        assert number == before + 1 or number in heard, f"{number} after {before}: {numbers}"
        heard.add(number)
    assert heard == set(range(count)), numbers


@tried_with("ordered")
def test_each_key_is_heard_in_the_order_it_was_sent(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("orderly")
    for number in range(10):
        send_round(driver, topic, number)
    driver.start_consumer(topic, topic, topic, listener="orderly")
    driver.wait_for(topic, 15 * len(KEYS), seconds=0.5)
    for number in range(10, 20):
        send_round(driver, topic, number)
    received = driver.wait_for(topic, 20 * len(KEYS))
    driver.stop_consumer(topic)

    assert heard_by_key([driver], topic) == {key: list(range(20)) for key in KEYS}
    queue_of = {(message["body"].partition(":")[0], message["queue"]) for message in received}
    assert len(queue_of) == len(KEYS), "a key keeps to one queue"


@tried_with("ordered")
def test_a_suspended_queue_does_not_hold_up_the_others(stage: Stage) -> None:
    driver, topic = stage.driver(), stage.topic("suspended")
    messages = [{"body": body, "shard": body[0]} for body in ("a0", "b0", "a1", "b1", "a2", "b2")]
    driver.start_consumer(topic, topic, topic, listener="orderly", refuse={"a0": 3}, suspend_ms=700)
    driver.request("send", topic=topic, messages=messages)
    received = driver.wait_for(topic, 9)
    driver.stop_consumer(topic)

    order = {queue: [m["body"] for m in received if m["queue"] == queue] for queue in range(4)}
    assert sorted(order.values()) == [
        [], [], ["a0", "a0", "a0", "a0", "a1", "a2"], ["b0", "b1", "b2"],
    ]  # fmt: skip
    at_ms = [message["heard_ms"] for message in received if message["body"] == "a0"]
    assert all(second - first >= 690 for first, second in pairwise(at_ms))
    others = [message["heard_ms"] for message in received if message["body"][0] == "b"]
    assert max(others) < at_ms[-1], "the other queue was heard while this one was suspended"


@tried_with("ordered", slow=True)
def test_order_is_kept_while_members_join_leave_and_die(stage: Stage) -> None:
    stays, joins, dies = drivers = [stage.driver(number) for number in (0, 1, 2)]
    topic = stage.topic("members")
    sent = 0

    def send_some(count: int) -> None:
        nonlocal sent
        for number in range(sent, sent + count):
            send_round(stays, topic, number)
        sent += count

    def start(driver: Driver) -> None:
        driver.start_consumer(topic, topic, topic, listener="orderly", pause_ms=5)

    start(stays)
    send_some(10)
    start(joins)
    stage.wait_until_joined(topic, 2)
    send_until_heard(joins, topic, send_some)
    joins.stop_consumer(topic)
    start(dies)
    stage.wait_until_joined(topic, 2)
    send_until_heard(dies, topic, send_some)
    send_some(5)
    dies.kill()
    send_some(5)
    # The queues of the dead come free when their lease ends, a minute after they were locked.
    raw.wait_until(
        lambda: all(set(n) == set(range(sent)) for n in heard_by_key(drivers, topic).values()),
        90,
        "the messages of all keys",
    )
    stays.stop_consumer(topic)

    for numbers in heard_by_key(drivers, topic).values():
        assert_in_order(numbers, sent)
    assert all(driver.received(topic) for driver in drivers), "each had queues for a time"


def send_until_heard(driver: Driver, topic: str, send_some: Callable[[int], None]) -> None:
    """Send round after round until this consumer has some queues, and hears of them."""
    for _ in range(60):
        send_some(1)
        if driver.wait_for(topic, 1, seconds=0.3):
            return
    raise AssertionError(f"{driver.name} was never given a queue")
