"""A broker that is killed in the middle of everything, and clients that live through it."""

from __future__ import annotations

from tests.compat.models.stage import Stage, bodies, numbered, tried_with
from tests.compat.models.test_ordered import assert_in_order, heard_by_key, send_round
from tests.compat.models.test_pop import switch_to_pop
from tests.compat.table import peers_of
from tests.support.clients import raw
from tests.support.clients.driver import Driver, DriverFailed

ROUNDS = 12
# Longer than a busy machine takes to acknowledge, or what was popped comes once more.
INVISIBLE_MS = 25_000


def until_it_works(driver: Driver, topic: str, number: int) -> None:
    """Send a round, again while the client still finds its connections broken."""
    for attempt in range(30):
        try:
            send_round(driver, topic, number)
        except DriverFailed:
            if attempt == 29:
                raise
        else:
            return


def wait_until_heard(driver: Driver, name: str, wanted: list[str]) -> None:
    raw.wait_until(
        lambda: set(wanted) <= set(driver.bodies(name)), 90, f"{name}: {', '.join(wanted)}"
    )


@tried_with("ordered", "restart", slow=True)
def test_order_is_kept_while_the_broker_is_killed_and_started_again(stage: Stage) -> None:
    with stage.alone() as alone:
        driver, topic = alone.driver(), alone.topic("orderly")
        driver.start_consumer(topic, topic, topic, listener="orderly", pause_ms=10)
        for number in range(ROUNDS):
            send_round(driver, topic, number)
        driver.wait_for(topic, 10)
        alone.cluster.kill()
        alone.cluster.start()
        for number in range(ROUNDS, 2 * ROUNDS):
            until_it_works(driver, topic, number)
        raw.wait_until(
            lambda: all(
                set(numbers) == set(range(2 * ROUNDS))
                for numbers in heard_by_key([driver], topic).values()
            ),
            90,
            "the messages of all keys",
        )
        driver.stop_consumer(topic)

        for numbers in heard_by_key([driver], topic).values():
            assert_in_order(numbers, 2 * ROUNDS)


@tried_with("delay", "retry", "transactions", "restart", slow=True)
def test_what_waits_in_a_killed_broker_comes_once_after_its_start(stage: Stage) -> None:
    with stage.alone() as alone:
        driver = alone.driver()
        delayed, retried, halves = (
            alone.topic(stem) for stem in ("delayed", "retried", "transactions")
        )
        alone.retry_topic(retried)
        for topic, fields in {
            delayed: {},
            halves: {},
            retried: {"refuse": {"bad": 1}, "delay_level": 3},
        }.items():
            driver.start_consumer(topic, topic, topic, **fields)
        producer = {"name": f"{halves}-p", "topic": halves}
        answers = {"half-0": ["unknown"] * 5 + ["commit"], "half-1": ["unknown"] * 5 + ["rollback"]}
        driver.request("start_transactions", group=f"{halves}_p", checks=answers, **producer)
        driver.request(
            "transact",
            messages=[{"body": body, "local": "unknown"} for body in answers],
            **producer,
        )
        waiting = numbered("delayed", 4)
        driver.send(delayed, waiting, delay_level=3)
        if alone.peer in peers_of("timer"):
            timed = numbered("timed", 4)
            driver.send(delayed, timed, delay_ms=9000)
            waiting += timed
        driver.send(retried, ["bad", "good"])
        wait_until_heard(driver, retried, ["bad", "good"])
        raw.wait_until(
            lambda: raw.stored(alone.cluster.broker, "SCHEDULE_TOPIC_XXXX", 18) == 5, 20, "a retry"
        )
        alone.cluster.kill()
        assert not driver.received(delayed)
        alone.cluster.start()
        wait_until_heard(driver, delayed, waiting)
        wait_until_heard(driver, halves, ["half-0"])
        raw.wait_until(lambda: len(driver.received(retried)) >= 3, 60, "the retry")
        driver.wait_for(halves, 2, seconds=2)

        assert bodies(driver.received(delayed)) == sorted(waiting)
        assert bodies(driver.received(halves)) == ["half-0"]
        tries = [(m["body"], m["reconsume_times"]) for m in driver.received(retried)]
        assert sorted(tries) == [("bad", 0), ("bad", 1), ("good", 0)]


@tried_with("pop", "restart", slow=True)
def test_what_was_popped_from_a_killed_broker_comes_again(stage: Stage) -> None:
    with stage.alone() as alone:
        stays, dies = alone.driver(0), alone.driver(1)
        topic = alone.topic("popped")
        switch_to_pop(alone, topic, topic)
        dies.start_consumer(topic, topic, topic, invisible_ms=INVISIBLE_MS, stall=True)
        held = numbered("held", 4)
        stays.send(topic, held)
        wait_until_heard(dies, topic, held)
        dies.kill()
        alone.cluster.kill()
        alone.cluster.start()
        stays.start_consumer(topic, topic, topic, invisible_ms=INVISIBLE_MS)
        wait_until_heard(stays, topic, held)
        stays.wait_for(topic, len(held) + 1, seconds=2)

        assert bodies(stays.received(topic)) == sorted(held)
