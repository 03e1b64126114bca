"""Plain clients, bodies and traces with Apache's servers and ours; mqadmin reads the traces."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compat.conftest import Apaches, unavailable
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.cache import PeerUnavailable
from tests.support.clients.peers import JAVA_FLAGS
from tests.support.clients.servers import Cluster, PocketCluster

import pocketmq
from pocketmq.blocking import Consumer, PopConsumer, Producer, close_all

pytestmark = pytest.mark.timeout(600)

OURS = "pocketmq"
PATIENT = pocketmq.ProducerOptions(send_timeout_ms=20_000)  # a cold JVM takes its time


@pytest.fixture(scope="module", params=[OURS, apache.VERSION, apache.OLD_VERSION])
def server(
    request: pytest.FixtureRequest, apaches: Apaches, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A name server and a broker that keep traces: ours, and Apache's of either version."""
    if request.param != OURS:
        yield apaches(request.param)
        close_all()
        return
    pocket = PocketCluster(tmp_path_factory.mktemp("plain"), "traceTopicEnable=true")
    try:
        pocket.start()
        yield pocket
    finally:
        close_all()
        pocket.process.stop()


def traces_of(server: Cluster, home: Path, message_id: str) -> str:
    """What `mqadmin queryMsgTraceById` says, of the newer Apache."""
    main = "org.apache.rocketmq.tools.command.MQAdminStartup"
    (home / "conf").mkdir(exist_ok=True)
    command = ["java", *JAVA_FLAGS, f"-Duser.home={home}", "-cp", f"{apache.jars()}/*", main]
    command += ["queryMsgTraceById", "-n", server.name_server, "-i", message_id]
    finished = subprocess.run(
        command,
        env={**os.environ, "ROCKETMQ_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return finished.stdout


def test_apaches_tool_reads_our_traces(server: Cluster, tmp_path: Path) -> None:
    topic = "plain-traced"
    raw.create_topic(server.name_server, server.broker, topic)
    options = {"options": PATIENT, "hooks": [pocketmq.Trace()]}
    with Producer(server.name_server, "tracers", **options) as producer:  # type: ignore[arg-type]
        receipt = producer.send(topic, b"x", tag="t", keys="k")
    with Consumer(
        server.name_server,
        group="traced",
        topics=topic,
        start_from="first",
        hooks=[pocketmq.Trace()],
    ) as consumer:
        found = next(consumer.messages(idle=30))
        assert found.message_id == receipt.message_id
    try:
        apache.jars()
    except PeerUnavailable as error:
        unavailable(error)
    said = ""
    deadline = time.monotonic() + 30
    while "traced" not in said and time.monotonic() < deadline:
        said = traces_of(server, tmp_path, receipt.message_id)
    assert re.search(r"^Pub\s+tracers\s+\S+\s.*success", said, re.MULTILINE), said
    assert re.search(r"^Sub\s+traced\s+\S+\s.*success", said, re.MULTILINE), said


FORK = """
import os, sys
from pocketmq.blocking import Producer
producer = Producer(sys.argv[1], group="forks")
for number in range(3):
    producer.send("plain-forked", b"parent %d" % number)
    child = os.fork()
    if child == 0:
        producer.send("plain-forked", b"child %d" % number)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_plain_clients_send_and_receive_exact_sets(server: Cluster) -> None:
    topic = "plain-sets"
    raw.create_topic(server.name_server, server.broker, topic)
    producer = Producer(server.name_server, group="plain", options=PATIENT)
    wanted = set()

    def send(number: int) -> None:
        for n in range(20):
            producer.send(topic, f"direct {number}-{n}")
            producer.send_soon(topic, f"soon {number}-{n}")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {f"{way} {m}-{n}" for way in ("direct", "soon") for m in range(4) for n in range(20)}
    producer.send_batch(topic, [f"batch {n}" for n in range(10)])
    wanted |= {f"batch {n}" for n in range(10)}
    producer.close()
    with Consumer(server.name_server, group="sets", topics=topic, start_from="first") as consumer:
        found: list[str] = []
        for message in consumer.messages(idle=30):
            found.append(message.text)
            if len(found) == len(wanted):
                break
        assert "Queue 0 of" in consumer.explain()
    assert sorted(found) == sorted(wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_send(server: Cluster) -> None:
    raw.create_topic(server.name_server, server.broker, "plain-forked")
    command = [sys.executable, "-c", FORK, server.name_server]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    with Consumer(
        server.name_server, group="forked", topics="plain-forked", start_from="first"
    ) as consumer:
        found = [next(consumer.messages(idle=30)).text for _ in range(6)]
    assert sorted(found) == sorted(f"{who} {n}" for who in ("parent", "child") for n in range(3))


def test_bodies_keep_their_values(server: Cluster) -> None:
    topics = {"plain-json": "json", "plain-java": "java", "plain-hessian": "hessian"}
    codecs = pocketmq.Codecs(topics)
    value = {"id": 7, "lines": ["pen", 2.5, None, True]}
    with Producer(server.name_server, group="bodies", codec=codecs, options=PATIENT) as producer:
        for topic in topics:
            raw.create_topic(server.name_server, server.broker, topic)
            producer.send(topic, value)
    with Consumer(
        server.name_server, group="bodies", topics=list(topics), start_from="first", codec=codecs
    ) as consumer:
        found: dict[str, object] = {}
        while len(found) < len(topics):
            message = next(consumer.messages(idle=30))
            found[message.topic] = message.value
    assert found == dict.fromkeys(topics, value)


def test_plain_pops(server: Cluster, request: pytest.FixtureRequest) -> None:
    if apache.OLD_VERSION in request.node.name:
        pytest.skip("RocketMQ 4.9 does not pop")
    topic = "plain-pops"
    raw.create_topic(server.name_server, server.broker, topic)
    with Producer(server.name_server, group="pops", options=PATIENT) as producer:
        sent = [producer.send(topic, b"x").message_id for _ in range(10)]
    with PopConsumer(
        server.name_server, group="plain-pops", topics=topic, start_from="first"
    ) as consumer:
        seen: list[str] = []
        while len(seen) < 10:
            for message in consumer.receive(wait=10):
                consumer.ack(message)
                seen.append(message.message_id)
    assert sorted(seen) == sorted(sent)
