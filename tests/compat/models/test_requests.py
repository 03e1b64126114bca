"""Request and reply: an answer finds the producer that asked, through any broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.compat.models.stage import Stage, numbered, tried_with
from tests.compat.table import peers_of
from tests.support.clients import raw
from tests.support.clients.driver import DriverFailed
from tests.support.clients.servers import Cluster, PocketBroker, wait_registered

# The blocking form of 5.3.3 gives up as soon as its request is stored, whatever the broker.
BLOCKING = [peer for peer in peers_of("request_reply") if peer.name != "java-5.3.3"]


@pytest.fixture(scope="module", autouse=True)
def second_broker(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PocketBroker]:
    """Another broker of the same cluster, so that a reply may go through either."""
    home = tmp_path_factory.mktemp("second")
    broker = PocketBroker(
        home, cluster.name_server, home / "data", brokerName="second",
        brokerClusterName="DefaultCluster",
    )  # fmt: skip
    broker.process.start()
    try:
        wait_registered(cluster.name_server, broker.address, broker.process)
        yield broker
    finally:
        broker.process.stop()


def topic_on_both(stage: Stage, stem: str) -> str:
    topic = stage.topic(stem)
    body = raw.cluster(stage.cluster.name_server)
    (second,) = [address for address in raw.brokers(body) if address != stage.cluster.broker]
    raw.create_topic(stage.cluster.name_server, second, topic)
    raw.wait_until(
        lambda: (raw.route(stage.cluster.name_server, topic) or "").count("readQueueNums") == 2,
        20,
        "the topic on both brokers",
    )
    return topic


@tried_with("request_reply")
def test_each_request_gets_its_own_reply_through_two_brokers(stage: Stage) -> None:
    asks, answers = stage.driver(0), stage.driver(1)
    topic = topic_on_both(stage, "requests")
    answers.start_consumer(topic, topic, topic, reply=True)
    wanted = numbered("question", 16)
    answer = asks.request("request_many", topic=topic, bodies=wanted, timeout_ms=15_000)
    asked = answers.wait_for(topic, len(wanted))
    answers.stop_consumer(topic)

    assert answer["failures"] == {}
    assert {body: reply["body"] for body, reply in answer["replies"].items()} == {
        body: f"re: {body}" for body in wanted
    }
    assert sorted(message["body"] for message in asked) == sorted(wanted)
    assert len({message["broker"] for message in asked}) == 2, "both brokers took requests"


@tried_with("request_reply", peers=BLOCKING)
def test_a_blocking_request_returns_its_reply_or_runs_out_of_time(stage: Stage) -> None:
    asks, answers = stage.driver(0), stage.driver(1)
    topic = stage.topic("blocking")
    with pytest.raises(DriverFailed, match=r"[Tt]imeout"):
        asks.request("request", topic=topic, body="nobody there", timeout_ms=1500)
    answers.start_consumer(topic, topic, topic, reply=True)
    reply = asks.request("request", topic=topic, body="who is it?", timeout_ms=15_000)["reply"]
    answers.stop_consumer(topic)

    assert reply["body"] == "re: who is it?"


@tried_with("request_reply")
def test_a_reply_to_a_producer_that_has_gone_disturbs_nobody(stage: Stage) -> None:
    asks, answers, goes = stage.driver(0), stage.driver(1), stage.driver(3)
    topic = stage.topic("gone")
    with pytest.raises(DriverFailed):
        goes.request("request", topic=topic, body="too late", timeout_ms=3000)
    goes.kill()
    answers.start_consumer(topic, topic, topic, reply=True)
    answer = asks.request("request_many", topic=topic, bodies=["in time"], timeout_ms=15_000)
    answers.wait_for(topic, 2)
    answers.stop_consumer(topic)

    assert answer["failures"] == {}
    assert answer["replies"]["in time"]["body"] == "re: in time"
    assert "too late" in answers.bodies(topic)
