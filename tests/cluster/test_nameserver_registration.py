"""A broker's registration with name servers: ours, a recording one, and ones that misbehave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from tests.support.cutting_proxy import CuttingProxy
from tests.support.local_cluster import name_server
from tests.support.raw_peer import RawPeer
from tests.support.waiting import until
from tests.unit.broker.builders import topic_table

from pocketmq.broker.config import RegistrationConfig
from pocketmq.broker.services.registration import (
    Learned,
    Presence,
    RegistrationService,
    parse_name_servers,
)
from pocketmq.broker.state.topics import TopicTable
from pocketmq.errors import ConfigError
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.net import Connection, Dispatch, ListenConfig, Server
from pocketmq.protocol.bodies.registration import Registration, body_checksum
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

PRESENCE = Presence("C", "b", 0, 10911, 10912, "10.0.0.1")


@asynccontextmanager
async def registering(
    name_servers: str,
    topics: TopicTable | None = None,
    presence: Presence = PRESENCE,
    learned: list[Learned] | None = None,
    *,
    interval_ms: int = 30_000,
    timeout_ms: int = 24_000,
) -> AsyncIterator[RegistrationService]:
    """A started registration, stopped at the end."""
    config = RegistrationConfig(name_servers, interval_ms, timeout_ms)
    heard = [] if learned is None else learned
    service = RegistrationService(
        config, presence, topics or topic_table(), heard.append, retry_ms=20
    )
    service.start()
    try:
        yield service
    finally:
        await service.stop()


class RecordingNameServer:
    """Keeps what brokers say, and answers as it is told."""

    def __init__(self) -> None:
        self.heard: list[Command] = []
        self.code = 0
        self.refuse_single_topics = False
        self.fields: dict[str, str] = {}
        self.body = b""

    def answer(self, connection: Connection, command: Command) -> Command:
        """Keep a request and answer it."""
        self.heard.append(command)
        single = command.code == 103 and len(topics_in(command)) == 1
        if self.code or (single and self.refuse_single_topics):
            return command.reply(self.code or 1, "told to")
        return command.reply(fields=self.fields, body=self.body)

    @property
    def told(self) -> list[set[str]]:
        """The topics of each registration."""
        return [set(topics_in(command)) for command in self.heard if command.code == 103]


def topics_in(command: Command) -> dict[str, TopicConfig]:
    """The topics of a registration, read as a name server reads them."""
    return Registration.from_body(command.body).topics.topic_config_table


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[RecordingNameServer, str]]:
    """A recording name server and its address."""
    peer = RecordingNameServer()
    server = Server(Dispatch({103: peer.answer, 104: peer.answer}), ListenConfig())
    await server.start()
    try:
        yield peer, f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def test_a_broker_is_known_to_all_name_servers_after_the_first_round() -> None:
    async with name_server() as one, name_server() as two:
        async with registering(f"{one.address};{two.address}") as service:
            assert await service.first_round(5)
            for app in (one, two):
                route = app.routes.route("TBW102")
                assert route is not None
                assert route.broker_datas[0].broker_addrs == {0: "10.0.0.1:10911"}
            assert service.registered_with == [str(one.address), str(two.address)]
        # Stopping says goodbye.
        assert len(one.routes.members) == len(two.routes.members) == 0


async def test_a_registration_is_written_as_apaches_brokers_write_it() -> None:
    topics = topic_table()
    async with recording() as (peer, address), registering(address, topics) as service:
        assert await service.first_round(5)
    registration, goodbye = peer.heard
    assert registration.fields == {
        "brokerName": "b",
        "brokerAddr": "10.0.0.1:10911",
        "clusterName": "C",
        "haServerAddr": "10.0.0.1:10912",
        "brokerId": "0",
        "enableActingMaster": "false",
        "compressed": "false",
        "bodyCrc32": str(body_checksum(registration.body)),
    }
    assert bytes(registration.body).startswith(
        b'{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":'
    )
    read = Registration.from_body(registration.body)
    assert read.topics.topic_config_table == topics.configs
    assert read.topics.data_version == topics.data_version
    assert goodbye.code == RequestCode.UNREGISTER_BROKER
    assert goodbye.fields == {
        "brokerName": "b",
        "brokerAddr": "10.0.0.1:10911",
        "clusterName": "C",
        "brokerId": "0",
    }


async def test_changed_topics_are_told_at_once_and_alone() -> None:
    topics = topic_table()
    async with recording() as (peer, address), registering(address, topics) as service:
        assert await service.first_round(5)
        topics.put(TopicConfig("T1", 4, 4))
        await service.tell_changes(5)
        topics.put_all([TopicConfig("T1", 8, 8), TopicConfig("T2", 4, 4)])
        await service.tell_changes(5)
        assert peer.told[1:] == [{"T1"}, {"T1", "T2"}]
        assert topics_in(peer.heard[2])["T1"].read_queue_nums == 8
        assert Registration.from_body(peer.heard[2].body).topics.data_version == topics.data_version
        topics.delete("T1")
        await service.tell_changes(5)
        assert peer.told[3] == set(topics.configs)


async def test_a_new_topic_has_a_route_in_our_name_server_at_once() -> None:
    topics = topic_table()
    async with name_server() as app, registering(str(app.address), topics) as service:
        assert await service.first_round(5)
        topics.put(TopicConfig("T1", 4, 4))
        await service.tell_changes(5)
        assert app.routes.route("T1") is not None


async def test_changes_while_a_registration_is_under_way_are_told_after_it() -> None:
    topics = topic_table()
    async with (
        recording() as (peer, address),
        CuttingProxy(int(address.rpartition(":")[2])) as proxy,
        registering(proxy.address, topics) as service,
    ):
        assert await service.first_round(5)
        proxy.stall()
        for number in range(20):
            topics.put(TopicConfig(f"T{number}", 4, 4))
            await asyncio.sleep(0)
        proxy.flow()
        await service.tell_changes(5)
        told: set[str] = set().union(*peer.told[1:])
        assert told == {f"T{number}" for number in range(20)}
        assert len(peer.told) < 10


async def test_a_name_server_that_forgot_the_broker_is_told_everything() -> None:
    topics = topic_table()
    async with recording() as (peer, address), registering(address, topics) as service:
        assert await service.first_round(5)
        peer.refuse_single_topics = True
        topics.put(TopicConfig("T1", 4, 4))
        await service.tell_changes(5)
        assert peer.told[1:] == [{"T1"}, set(topics.configs)]
        assert service.registered_with == [address]


async def test_everything_is_told_again_every_interval() -> None:
    topics = topic_table()
    async with (
        recording() as (peer, address),
        registering(address, topics, interval_ms=30) as service,
    ):
        assert await service.first_round(5)
        await until(lambda: len(peer.told) >= 4)
        assert all(told == set(topics.configs) for told in peer.told)
        assert peer.heard[0].body == peer.heard[1].body


async def test_a_dead_and_a_silent_name_server_delay_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with name_server() as gone:
        dead = str(gone.address)
    async with name_server() as app, CuttingProxy(app.port) as silent, name_server() as good:
        silent.stall()
        addresses = f"{dead};{silent.address};{good.address}"
        topics = topic_table()
        with caplog.at_level(logging.WARNING):
            async with registering(addresses, topics, timeout_ms=50) as service:
                await until(lambda: service.registered_with == [str(good.address)])
                topics.put(TopicConfig("T1", 4, 4))
                await until(lambda: good.routes.route("T1") is not None)
                await until(lambda: len(caplog.records) >= 2)
                await asyncio.sleep(0.2)  # several more tries, which say nothing new
        said = " ".join(record.message for record in caplog.records)
        assert (said.count(dead), said.count(f"name_server={silent.address}")) == (2, 1)
        silent.flow()


async def test_a_name_server_that_comes_back_knows_the_broker_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with name_server() as app:
        port = app.port
    said = caplog.records
    with caplog.at_level(logging.INFO, "pocketmq.broker"):
        async with registering(f"127.0.0.1:{port}") as service:
            assert not await service.first_round(5)
            for turn in range(1, 3):
                async with name_server(port=port) as app:
                    members = app.routes.members
                    await until(partial(len, members))
                    await until(lambda: service.registered_with)
                await until(lambda: len(said) % 2)
                assert len(said) == 2 * turn + 1
    levels = [record.levelname for record in said]
    assert levels == ["WARNING", "INFO", "WARNING", "INFO", "WARNING"]


async def test_a_cut_connection_is_opened_again_at_once() -> None:
    async with (
        name_server() as app,
        CuttingProxy(app.port) as proxy,
        registering(proxy.address) as service,
    ):
        assert await service.first_round(5)
        proxy.cut()
        await until(lambda: proxy.connections == 2)
        await until(lambda: service.registered_with)
        await until(lambda: len(app.routes.members) == 1)


async def test_a_refusal_is_tried_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with recording() as (peer, address):
        peer.code = 1
        with caplog.at_level(logging.INFO, "pocketmq.broker"):
            async with registering(address) as service:
                assert not await service.first_round(5)
                await until(lambda: len(peer.heard) >= 4)
                peer.code = 0
                await until(lambda: service.registered_with)
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        assert "answer 1: told to" in caplog.records[0].message


async def test_a_broker_hears_of_order_topics_and_its_master_when_they_change() -> None:
    heard: list[Learned] = []
    async with recording() as (peer, address):
        peer.fields = {"haServerAddr": "10.0.0.9:10912", "masterAddr": "10.0.0.9:10911"}
        peer.body = b'{"table":{"T1":"b:4"}}'
        presence = PRESENCE._replace(id=1)
        async with registering(address, None, presence, heard, interval_ms=20) as service:
            assert await service.first_round(5)
            await until(lambda: len(peer.heard) >= 3)
            assert heard == [Learned({"T1": "b:4"}, "10.0.0.9:10912", "10.0.0.9:10911")]
            peer.fields, peer.body = {}, b""
            await until(lambda: len(heard) == 2)
            assert heard[1] == Learned({}, None, None)


async def test_what_the_broker_does_not_permit_no_topic_of_it_does() -> None:
    topics = topic_table()
    topics.put(TopicConfig("T1", 4, 4, 6, attributes={"message.type": "FIFO"}, order=True))
    async with recording() as (peer, address), registering(address, topics) as service:
        assert await service.first_round(5)
        assert topics_in(peer.heard[0])["T1"].perm == 6
        topics.set_broker_permission(4)
        await service.tell_changes(5)
        restricted = topics_in(peer.heard[-1])
        assert restricted["T1"] == replace(topics.configs["T1"], perm=4)
        assert all(not topic.perm & 2 for topic in restricted.values())


@pytest.mark.parametrize(
    ("own_host", "registered"), [(None, "127.0.0.1"), ("10.0.0.8", "10.0.0.8")]
)
async def test_a_broker_without_a_host_of_its_own_registers_the_one_it_is_reached_by(
    own_host: str | None, registered: str
) -> None:
    presence = PRESENCE._replace(host=None, follows_client=True, own_host=own_host)
    listen = ListenConfig(host="0.0.0.0")
    async with (
        name_server(NameServerConfig(listen=listen)) as app,
        registering(f"127.0.0.1:{app.port}", None, presence) as service,
        RawPeer(app.port, "127.0.0.3") as client,
    ):
        assert await service.first_round(5)
        (replica,) = app.routes.members.replicas
        assert replica.place.address == f"{registered}:10911"
        answer = await client.ask(Command.request(105, {"topic": "TBW102"}))
        assert b'"127.0.0.3:10911"' in bytes(answer.body)


async def test_name_servers_can_be_exchanged() -> None:
    async with (
        name_server() as one,
        name_server() as two,
        registering(str(one.address)) as service,
    ):
        assert await service.first_round(5)
        await service.use_name_servers(str(two.address))
        assert len(one.routes.members) == 0
        await until(lambda: len(two.routes.members) == 1)
        with pytest.raises(ConfigError):
            await service.use_name_servers("nonsense")
        assert service.name_servers == [str(two.address)]


def test_a_list_of_name_servers_is_read_and_checked() -> None:
    assert parse_name_servers("") == []
    assert parse_name_servers(" a:1; b:2 ;a:1;") == ["a:1", "b:2"]
    with pytest.raises(ConfigError, match=r"name_servers \(namesrvAddr\): 'a' is not an address"):
        parse_name_servers("a")


async def test_a_broker_with_ten_thousand_topics_is_read_once() -> None:
    topics = topic_table()
    topics.put_all(TopicConfig(f"T{number}", 4, 4) for number in range(10_000))
    async with (
        name_server() as app,
        registering(str(app.address), topics, interval_ms=30) as service,
    ):
        assert await service.first_round(10)
        (first,) = app.routes.members.replicas
        seen_ms = first.last_seen_ms
        await until(lambda: first.last_seen_ms > seen_ms + 60)
        # A registration that was read would have made another replica of it.
        assert list(app.routes.members.replicas) == [first]
        assert len(app.routes.topics) == len(topics)
