"""POP in order: a queue gives a group nothing more until what it gave is acknowledged or due again.

The official push consumer pops, but never in order. So members here pop through the part of the
Java client that Apache's proxy does it with.
"""

from __future__ import annotations

import time

from tests.compat.models.stage import Stage, numbered, tried_with
from tests.compat.models.test_ordered import (
    assert_in_order,
    heard_by_key,
    send_round,
    send_until_heard,
)
from tests.compat.models.test_pop import INVISIBLE_MS, switch_to_pop
from tests.support.clients import raw
from tests.support.clients.driver import Driver, Json

HIDDEN_MS = 4000
SUSPENDED_MS = 1500
WAIT_MS = 1500


class Member:
    """Somebody of a group named like the topic, who pops in order and notes what was popped."""

    def __init__(self, driver: Driver, topic: str) -> None:
        self.driver = driver
        self.topic = topic
        self.had: list[Json] = []

    def pop(self, count: int, wait_ms: int = WAIT_MS, hidden_ms: int = HIDDEN_MS) -> list[Json]:
        """What the broker gives of any one queue or of several."""
        where = {"topic": self.topic, "group": self.topic, "order": True, "count": count}
        answer = self.driver.request("pop", **where, wait_ms=wait_ms, invisible_ms=hidden_ms)
        messages: list[Json] = answer["messages"]
        self.had += messages
        return messages

    def pop_until_some(self, count: int) -> list[Json]:
        """Pop as often as nothing is given."""
        found: list[Json] = []

        def given() -> bool:
            found.extend(self.pop(count))
            return bool(found)

        raw.wait_until(given, 20, "messages to pop")
        return found

    def end(self, message: Json, **fields: int) -> None:
        """Acknowledge a message, or suspend it for `invisible_ms`."""
        handle = message["properties"]["POP_CK"]
        where = {"topic": self.topic, "group": self.topic, "handle": handle}
        assert self.driver.request("pop_end", **where, **fields)["status"] == "OK"

    def take(self, count: int) -> list[Json]:
        """Pop and acknowledge."""
        messages = self.pop(count)
        for message in messages:
            self.end(message)
        return messages


def send_to_queues(driver: Driver, topic: str, count: int) -> None:
    """Messages of two shards, each of which goes to a queue of its own."""
    shards = [{"body": f"{shard}-{n}", "shard": shard} for n in range(count) for shard in "ab"]
    sent = driver.request("send", topic=topic, messages=shards)["sent"]
    assert len({outcome["queue"] for outcome in sent}) == 2


def queue_of(messages: list[Json], shard: str) -> list[str]:
    return [each["body"] for each in messages if each["body"].startswith(f"{shard}-")]


@tried_with("pop", "ordered")
def test_what_is_popped_in_order_keeps_the_order_of_each_queue(stage: Stage) -> None:
    topic = stage.topic("pop_order", queues=2)
    pair = [Member(stage.driver(number), topic) for number in range(2)]
    send_to_queues(pair[0].driver, topic, 25)
    turns: list[Json] = []

    def all_had() -> bool:
        for member in pair:
            turns.extend(member.take(3))
        return len(turns) >= 50

    raw.wait_until(all_had, 60, "all messages")

    assert queue_of(turns, "a") == numbered("a", 25)
    assert queue_of(turns, "b") == numbered("b", 25)
    assert all(member.had for member in pair)
    assert {message["reconsume_times"] for message in turns} == {0}
    assert not pair[0].pop(3)


@tried_with("pop", "ordered", slow=True)
def test_a_popped_queue_waits_for_what_failed_and_for_what_was_suspended(stage: Stage) -> None:
    topic = stage.topic("pop_fail", queues=1)
    member = Member(stage.driver(), topic)
    member.driver.send(topic, numbered("m", 10))

    first = member.pop_until_some(4)
    member.end(first[0])
    blocked = member.pop(4)
    again = member.pop_until_some(4)
    waited_ms = again[0]["heard_ms"] - first[0]["heard_ms"]
    for message in again:
        member.end(message)
    (refused,) = member.pop_until_some(1)
    suspended_ms = time.time() * 1000
    member.end(refused, invisible_ms=SUSPENDED_MS)
    nothing = member.pop(4, wait_ms=100)
    (retried,) = member.pop_until_some(1)
    member.end(retried)
    rest: list[Json] = []
    while len(rest) < 4:
        rest += member.take(4)

    assert [each["body"] for each in first] == ["m-0", "m-1", "m-2", "m-3"]
    assert blocked == nothing == []
    assert [each["body"] for each in again] == ["m-1", "m-2", "m-3", "m-4"]
    assert [each["reconsume_times"] for each in again] == [1, 1, 1, 0]
    assert waited_ms >= HIDDEN_MS - 500, "it comes again when it is visible, not before"
    assert [each["body"] for each in (refused, retried)] == ["m-5", "m-5"]
    assert [each["reconsume_times"] for each in (refused, retried)] == [0, 1]
    assert retried["heard_ms"] - suspended_ms >= SUSPENDED_MS - 500
    assert [each["body"] for each in rest] == ["m-6", "m-7", "m-8", "m-9"]
    assert not member.pop(4)


@tried_with("pop", "ordered", slow=True)
def test_another_member_goes_on_in_order_where_a_dead_one_stopped(stage: Stage) -> None:
    topic = stage.topic("pop_heir", queues=2)
    dies, stays = (Member(stage.driver(number), topic) for number in range(2))
    send_to_queues(stays.driver, topic, 12)
    held: list[Json] = []

    def holds_one_queue() -> bool:
        held.extend(dies.pop(3))
        return bool(held)

    raw.wait_until(holds_one_queue, 20, "messages to hold")
    for message in held[:1]:
        dies.end(message)
    dies.driver.kill()
    shard = held[0]["body"][0]
    other = "b" if shard == "a" else "a"
    heard: list[Json] = []

    def all_heard() -> bool:
        heard.extend(stays.take(3))
        return len(heard) >= 23

    raw.wait_until(all_heard, 60, "what the dead member left")

    assert {each["body"][0] for each in held} == {shard}
    assert queue_of(held, shard) == numbered(shard, 3)
    assert queue_of(heard, shard) == numbered(shard, 11, first=1)
    assert queue_of(heard, other) == numbered(other, 12)
    times = {each["body"]: each["reconsume_times"] for each in heard}
    assert {body for body, count in times.items() if count} == {f"{shard}-1", f"{shard}-2"}
    assert not stays.pop(3)


@tried_with("pop", "ordered", slow=True)
def test_an_orderly_listener_of_a_group_that_pops_hears_each_key_in_order(stage: Stage) -> None:
    # For such a listener this client does not pop but pulls and locks, whatever mode was set.
    stays, leaves, topic = stage.driver(0), stage.driver(1), stage.topic("pop_listener")
    switch_to_pop(stage, topic, topic)
    fields: Json = {"listener": "orderly", "invisible_ms": INVISIBLE_MS, "suspend_ms": 300}
    sent = 0

    def send_some(count: int) -> None:
        nonlocal sent
        for number in range(sent, sent + count):
            send_round(stays, topic, number)
        sent += count

    stays.start_consumer(topic, topic, topic, refuse={"key0:1": 2}, **fields)
    send_some(4)
    leaves.start_consumer(topic, topic, topic, **fields)
    stage.wait_until_joined(topic, 2)
    send_until_heard(leaves, topic, send_some)
    leaves.stop_consumer(topic)
    send_some(4)
    pair = [stays, leaves]
    raw.wait_until(
        lambda: all(set(n) == set(range(sent)) for n in heard_by_key(pair, topic).values()),
        60,
        "the messages of all keys",
    )
    stays.stop_consumer(topic)

    by_key = heard_by_key(pair, topic)
    for numbers in by_key.values():
        assert_in_order(numbers, sent)
    assert by_key["key0"].count(1) >= 3, "what was refused came again in its place"
    heard = [message for driver in pair for message in driver.received(topic)]
    assert not [message for message in heard if "POP_CK" in message["properties"]]
