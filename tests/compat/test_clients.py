"""Official clients send and receive, each with exactly the messages it should."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from tests.compat.conftest import Drivers, NewTopic
from tests.support.clients import raw
from tests.support.clients.driver import Driver
from tests.support.clients.peers import PEERS, Peer
from tests.support.clients.servers import Cluster

pytestmark = pytest.mark.timeout(600)

MODES = [(peer, mode) for peer in PEERS for mode in peer.send_modes]
PULLERS = [peer for peer in PEERS if peer.can_pull]
LITE_PULLERS = [peer for peer in PEERS if peer.has_lite_pull]
QUERIERS = [peer for peer in PEERS if peer.can_query]


def numbered(stem: str, count: int, first: int = 0) -> list[str]:
    return [f"{stem}-{n}" for n in range(first, first + count)]


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return sorted(message["body"] for message in messages)


def name_of(value: object) -> str:
    return value.name if isinstance(value, Peer) else str(value)


@pytest.mark.model("normal")
@pytest.mark.parametrize(("peer", "mode"), MODES, ids=name_of)
def test_every_message_sent_is_pushed_exactly_once(
    peer: Peer, mode: str, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic(f"send_{mode}")
    wanted = numbered(mode, 20)
    sent = driver.send(topic, wanted, mode, tags="T", keys="K")
    driver.start_consumer(topic, f"group_{topic}", topic)
    received = driver.wait_for(topic, len(wanted))
    driver.stop_consumer(topic)

    assert bodies(received) == sorted(wanted)
    assert {(m["tags"], m["keys"]) for m in received} == {("T", "K")}
    assert {outcome["status"] for outcome in sent} <= {"SEND_OK"}
    assert len(sent) == {"oneway": 0, "batch": 1}.get(mode, len(wanted))
    if mode in ("sync", "async"):
        assert bodies(sent) == sorted(wanted)
        assert len({outcome["message_id"] for outcome in sent}) == len(wanted)


@pytest.mark.model("tags")
def test_a_push_consumer_gets_only_the_tags_it_subscribed(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("tags")
    # AaAa and BBBB have the same hash, by which the broker filters; the client tells them apart.
    for tag in ("red", "green", "blue", "AaAa", "BBBB"):
        driver.send(topic, numbered(tag, 6), tags=tag)
    driver.send(topic, numbered("untagged", 6))
    driver.start_consumer(topic, f"group_{topic}", topic, tags="red || blue || AaAa")
    wanted = numbered("red", 6) + numbered("blue", 6) + numbered("AaAa", 6)
    received = driver.wait_for(topic, len(wanted))
    late = numbered("blue", 4, first=6)
    driver.send(topic, numbered("green", 4, first=6), tags="green")
    driver.send(topic, late, tags="blue")
    received = driver.wait_for(topic, len(wanted) + len(late))
    driver.stop_consumer(topic)

    assert bodies(received) == sorted(wanted + late)


@pytest.mark.model("broadcast")
def test_broadcast_reaches_every_consumer(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    topic = new_topic("broadcast")
    pair = [drivers(peer, number) for number in (0, 1)]
    for driver in pair:
        driver.start_consumer(topic, f"group_{topic}", topic, model="broadcasting")
    # A broadcast consumer may begin at the end of each queue whenever it gets to it, so what
    # counts is sent when it was heard on all of them.
    for driver in pair:
        for _ in range(60):
            if len({message["queue"] for message in driver.received(topic)}) == 4:
                break
            pair[0].send(topic, numbered("probe", 4))
            driver.wait_for(topic, len(driver.received(topic)) + 1, seconds=0.5)
    wanted = numbered("wanted", 12)
    pair[1].send(topic, wanted)
    heard = []
    for driver in pair:
        raw.wait_until(partial(_has, [driver], topic, wanted), 30, "the broadcast")
        driver.wait_for(topic, 0)
        heard.append(sorted(body for body in driver.bodies(topic) if body in wanted))
        driver.stop_consumer(topic)

    assert heard == [sorted(wanted), sorted(wanted)]


def _has(drivers: list[Driver], consumer: str, wanted: list[str]) -> bool:
    return set(wanted) <= {body for driver in drivers for body in driver.bodies(consumer)}


@pytest.mark.model("pull")
@pytest.mark.parametrize("peer", PULLERS, ids=name_of)
def test_a_pull_consumer_reads_a_whole_topic(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("pull")
    wanted = numbered("even", 60)
    driver.send(topic, wanted, tags="even")
    driver.send(topic, numbered("odd", 60), tags="odd")
    read = driver.request(
        "pull", topic=topic, group=f"group_{topic}", tags="even", count=len(wanted)
    )["messages"]

    assert bodies(read) == sorted(wanted)


@pytest.mark.model("lite_pull")
@pytest.mark.parametrize("peer", LITE_PULLERS, ids=name_of)
def test_a_lite_pull_consumer_polls_subscribed_and_assigned_queues(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("lite")
    wanted = numbered("lite", 40)
    driver.send(topic, wanted, tags="T")
    driver.start_consumer(topic, f"group_{topic}", topic, kind="lite", tags="T")
    received = driver.wait_for(topic, len(wanted))
    driver.stop_consumer(topic)
    assigned = driver.request(
        "lite_assign", topic=topic, group=f"assigned_{topic}", count=len(wanted)
    )["messages"]

    assert bodies(received) == sorted(wanted)
    assert bodies(assigned) == sorted(wanted)


@pytest.mark.model("sharing")
def test_two_consumers_share_a_topic_and_one_takes_over_when_the_other_leaves(
    peer: Peer, drivers: Drivers, new_topic: NewTopic, cluster: Cluster
) -> None:
    topic = new_topic("share")
    group = f"group_{topic}"
    stays, leaves = pair = [drivers(peer, 0), drivers(peer, 1)]
    for driver in pair:
        driver.start_consumer(topic, group, topic)
    raw.wait_until(lambda: len(raw.consumers_of(cluster.broker, group)) == 2, 30, "two members")
    _wait_until_shared(pair, topic)

    shared = numbered("shared", 40)
    stays.send(topic, shared)
    raw.wait_until(lambda: _has(pair, topic, shared), 30, "the shared messages")
    shares = [[body for body in driver.bodies(topic) if body in shared] for driver in pair]
    leaves.stop_consumer(topic)
    alone = numbered("alone", 20)
    stays.send(topic, alone)
    raw.wait_until(lambda: _has([stays], topic, alone), 60, "the whole topic")
    stays.wait_for(topic, 0)
    stays.stop_consumer(topic)

    assert sorted(shares[0] + shares[1]) == sorted(shared)
    assert [len(share) for share in shares] == [20, 20]
    assert sorted(body for body in stays.bodies(topic) if body in alone) == sorted(alone)
    assert not [body for body in leaves.bodies(topic) if body in alone]


@pytest.mark.model("sharing")
def test_the_queues_of_a_killed_consumer_are_taken_over(
    peer: Peer, drivers: Drivers, new_topic: NewTopic, cluster: Cluster
) -> None:
    topic = new_topic("killed")
    group = f"group_{topic}"
    survivor, victim = pair = [drivers(peer, 0), drivers(peer, 2)]
    for driver in pair:
        driver.start_consumer(topic, group, topic)
    raw.wait_until(lambda: len(raw.consumers_of(cluster.broker, group)) == 2, 30, "two members")
    _wait_until_shared(pair, topic)
    victim.kill()
    raw.wait_until(lambda: len(raw.consumers_of(cluster.broker, group)) == 1, 30, "one member")
    alone = numbered("alone", 20)
    survivor.send(topic, alone)
    raw.wait_until(lambda: _has([survivor], topic, alone), 60, "the whole topic")
    survivor.wait_for(topic, 0)
    survivor.stop_consumer(topic)

    assert sorted(body for body in survivor.bodies(topic) if body in alone) == sorted(alone)


def _wait_until_shared(pair: list[Driver], topic: str) -> None:
    """Send rounds until one comes through once and evenly; until then the clients rebalance."""
    shares: list[list[str]] = []
    for attempt in range(60):
        batch = numbered(f"settling-{attempt}", 8)
        pair[0].send(topic, batch)
        raw.wait_until(partial(_has, pair, topic, batch), 30, "a round of messages")
        pair[0].wait_for(topic, 0)
        shares = [[body for body in driver.bodies(topic) if body in batch] for driver in pair]
        if [len(share) for share in shares] == [4, 4]:
            return
    raise AssertionError(f"the consumers never shared evenly: {shares}")


@pytest.mark.model("query")
@pytest.mark.parametrize("peer", QUERIERS, ids=name_of)
def test_messages_are_found_by_key_and_by_both_kinds_of_id(
    peer: Peer, drivers: Drivers, new_topic: NewTopic
) -> None:
    driver, topic = drivers(peer, 0), new_topic("query")
    driver.send(topic, numbered("other", 5), keys="other-key")
    wanted = numbered("wanted", 5)
    sent = driver.send(topic, wanted, keys="order-7 customer-3")

    for key in ("order-7", "customer-3"):
        found = _query_key(driver, topic, key, len(wanted))
        assert bodies(found) == sorted(wanted)
        assert {message["keys"] for message in found} == {"order-7 customer-3"}
    for outcome in sent:
        for kind in ("message_id", "offset_message_id"):
            one = driver.request("query_id", topic=topic, message_id=outcome[kind])["messages"]
            assert bodies(one) == [outcome["body"]]


def _query_key(driver: Driver, topic: str, key: str, count: int) -> list[dict[str, Any]]:
    """Ask until the index has caught up; the client reports an empty answer as an error."""
    found: list[dict[str, Any]] = []

    def complete() -> bool:
        nonlocal found
        try:
            found = driver.request("query_key", topic=topic, key=key)["messages"]
        except AssertionError:
            found = []
        return len(found) >= count

    raw.wait_until(complete, 15, f"{count} messages of key {key}")
    return found


def test_every_language_reads_what_every_other_wrote(drivers: Drivers, new_topic: NewTopic) -> None:
    topic = new_topic("tongues")
    wanted = []
    for peer in PEERS:
        # The long one is compressed by clients that compress, the other is more than ASCII.
        texts = [f"{peer.name} says grüße 你好", f"{peer.name} " + "long " * 3000]
        drivers(peer, 0).send(topic, texts, tags="T")
        wanted += texts
    for peer in PEERS:
        group = f"{peer.name}_{topic}".replace(".", "_")
        drivers(peer, 0).start_consumer(topic, group, topic)
    received = {peer.name: drivers(peer, 0).wait_for(topic, len(wanted)) for peer in PEERS}
    for peer in PEERS:
        drivers(peer, 0).stop_consumer(topic)

    assert {name: bodies(found) for name, found in received.items()} == {
        peer.name: sorted(wanted) for peer in PEERS
    }
