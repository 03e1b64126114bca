"""Name servers, brokers and data directories of PocketMQ and Apache, put in place of each other."""

from __future__ import annotations

import pytest
from tests.compat.machines import EXCHANGES, STOPS, Machines
from tests.compat.test_clients import bodies, numbered
from tests.support import apache
from tests.support.clients import raw
from tests.support.clients.servers import free_broker_port

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(("broker", "name_server"), EXCHANGES)
def test_a_broker_registers_with_a_name_server_of_the_other_kind(
    broker: str, name_server: str, machines: Machines
) -> None:
    data, names = machines.directory("crossing") / "data", machines.name_server(name_server)
    java = machines.java(name_server)
    topic = f"topic-of-{data.parent.name}"  # a broker's own name is a system topic
    with machines.broker(broker, name_server, data, free_broker_port()) as server:
        raw.create_topic(names, server.address, topic)
        wanted = numbered("crossing", 20)
        java.send(topic, wanted, tags="T")
        java.start_consumer(topic, f"group_{topic}", topic, tags="T")
        received = java.wait_for(topic, len(wanted))
        java.stop_consumer(topic)
        route = raw.route(names, topic) or ""
        server.process.stop()
        raw.wait_until(lambda: server.address not in raw.cluster(names), 15, "its farewell")

    assert bodies(received) == sorted(wanted)
    assert f'"{server.address}"' in route


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize(("writer", "reader"), EXCHANGES)
def test_a_data_directory_is_served_whole_by_a_broker_of_the_other_kind(
    writer: str, reader: str, stop: str, machines: Machines
) -> None:
    data, names = machines.directory("handover") / "data", machines.name_server("apache")
    java, port = machines.java("apache"), free_broker_port()
    topic = f"topic-of-{data.parent.name}"  # a broker's own name is a system topic
    texts = numbered("plain", 30) + [f"grüße {n} " + "long " * 2000 for n in range(10)]
    wanted = texts + numbered("batch", 10)
    later = numbered("later", 20)
    # Synchronous flush: what was acknowledged is on disk, however the writer ends.
    with machines.broker(writer, "apache", data, port, flushDiskType="SYNC_FLUSH") as first:
        raw.create_topic(names, first.address, topic)
        java.send(topic, texts, tags="T", keys="order-7")
        java.send(topic, numbered("batch", 10), mode="batch", tags="B")
        stored = raw.stored(first.address, topic)
        STOPS[stop](first.process)
    with machines.broker(reader, "apache", data, port) as second:
        raw.create_topic(names, second.address, topic)
        read = java.request("pull", topic=topic, group=f"pull_{topic}", count=len(wanted))
        java.send(topic, later, tags="T")
        java.start_consumer(topic, f"group_{topic}", topic)
        pushed = java.wait_for(topic, len(wanted) + len(later))
        java.stop_consumer(topic)
        by_key = java.request("query_key", topic=topic, key="order-7")

    assert stored == len(wanted)
    assert bodies(read["messages"]) == sorted(wanted)
    assert bodies(pushed) == sorted(wanted + later)
    assert bodies(by_key["messages"]) == sorted(texts)


@pytest.mark.skipif(apache.wanted(), reason="needs both kinds")
def test_a_data_directory_goes_to_apache_and_back(machines: Machines) -> None:
    data, names = machines.directory("pendulum") / "data", machines.name_server("apache")
    java, port = machines.java("apache"), free_broker_port()
    topic = f"topic-of-{data.parent.name}"  # a broker's own name is a system topic
    wanted: list[str] = []
    for turn, kind in enumerate(("pocketmq", "apache", "pocketmq")):
        fresh = numbered(f"turn-{turn}", 20)
        wanted += fresh
        with machines.broker(kind, "apache", data, port) as server:
            raw.create_topic(names, server.address, topic)
            java.send(topic, fresh)
            reader = f"reader-{turn}"
            java.start_consumer(reader, f"group_{topic}", topic)
            received = java.wait_for(reader, len(fresh))
            java.stop_consumer(reader)
            read = java.request("pull", topic=topic, group=f"pull_{topic}", count=len(wanted))
            server.process.stop()
        # The group's offsets travel with the directory, so each turn pushes only what is new.
        assert bodies(received) == sorted(fresh)
        assert bodies(read["messages"]) == sorted(wanted)
