"""Refused messages come back, each to the group that refused it, and end among the dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from tests.compat.conftest import Drivers, NewTopic
from tests.compat.models.others.peers import CPP, GO, NODE, by_name
from tests.compat.test_clients import numbered
from tests.compat.test_models_timer import peer_at
from tests.support.clients import raw
from tests.support.clients.peers import Peer
from tests.support.clients.servers import Cluster
from tests.support.pulling import Pulled, pull_all

pytestmark = pytest.mark.timeout(90)

UPDATE_GROUP = 200
RETRIES_MAX = 2


@pytest.mark.model("retry", "dead_letters")
@pytest.mark.parametrize("peer", [GO, NODE, CPP], ids=by_name)
def test_a_refused_message_comes_back_until_it_is_a_dead_letter(
    peer: Peer, drivers: Drivers, new_topic: NewTopic, cluster: Cluster
) -> None:
    driver, topic = drivers(peer, 0), new_topic("retry")
    group, bystander = f"group_{topic}", f"bystander_{topic}"
    # The C++ client leaves the number to the group, the others give their own.
    raw.create_group(cluster.broker, group, retries_max=RETRIES_MAX)
    fine, stubborn = numbered("fine", 6), numbered("stubborn", 3)
    refuse = {"late-1": 1, "late-2": 2} | dict.fromkeys(stubborn, -1)
    driver.start_consumer(topic, group, topic, refuse=refuse, max_reconsume=RETRIES_MAX)
    driver.start_consumer(bystander, bystander, topic)
    driver.send(topic, [*fine, "late-1", "late-2", *stubborn], tags="T", keys="K")
    times = Counter(fine) + Counter({"late-1": 2, "late-2": 3}) + Counter(stubborn * 3)
    received = driver.wait_for(topic, times.total())
    letters = dead_letters(cluster.broker, group, len(stubborn))
    heard = driver.wait_for(bystander, 11)
    for name in (topic, bystander):
        driver.stop_consumer(name)

    assert Counter(m["body"] for m in driver.received(topic)) == times
    for body, count in times.items():
        again = [m for m in received if m["body"] == body]
        assert [m["reconsume_times"] for m in again] == list(range(count))
        assert {(m["tags"], m["keys"]) for m in again} == {("T", "K")}
        assert {m["properties"]["ORIGIN_MESSAGE_ID"] for m in again[1:]} == (
            {again[1]["properties"]["ORIGIN_MESSAGE_ID"]} if count > 1 else set()
        )
    assert Counter(m["body"] for m in heard) == Counter([*fine, "late-1", "late-2", *stubborn])
    assert Counter(letter.body.decode() for letter in letters) == Counter(stubborn)
    for letter in letters:
        assert letter.properties["RETRY_TOPIC"] == topic
        assert letter.properties["KEYS"] == "K"


def dead_letters(broker: str, group: str, count: int) -> list[Pulled]:
    """Wait for the dead letters of a group."""

    async def read() -> list[Pulled]:
        peer = peer_at(broker)
        found = await pull_all(peer, f"%DLQ%{group}", group=f"letters_{group}")
        await peer.close()
        return found

    raw.wait_until(lambda: len(asyncio.run(read())) >= count, 30, "the dead letters")
    return asyncio.run(read())


@pytest.mark.model("retry", "ordered")
@pytest.mark.parametrize("peer", [GO, CPP], ids=by_name)
def test_an_orderly_listener_keeps_its_queue_waiting_for_a_refused_message(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("suspend")
    shards = ("a", "b", "c", "d")
    messages = [{"body": f"{shard}-{n}", "shard": shard} for n in range(6) for shard in shards]
    driver.request("send", topic=topic, messages=messages)
    driver.start_consumer(
        topic,
        f"group_{topic}",
        topic,
        listener="orderly",
        refuse={"a-2": 2, "b-4": 1},
        suspend_ms=200,
    )
    received = driver.wait_for(topic, len(messages) + 3)
    driver.stop_consumer(topic)

    heard = [m["body"] for m in received]
    want = {shard: [f"{shard}-{n}" for n in range(6)] for shard in shards}
    want["a"][2:3] = ["a-2"] * 3
    want["b"][4:5] = ["b-4"] * 2
    assert {s: [body for body in heard if body[0] == s] for s in shards} == want
