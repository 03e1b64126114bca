"""The name server over real sockets, every request code of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_cluster import ask, name_server, register, told
from tests.support.raw_peer import RawPeer
from tests.support.registrations import (
    header,
    register_command,
    registration,
    unregister_command,
)
from tests.support.waiting import until

from pocketmq.clock import ManualClock
from pocketmq.nameserver.app import NameServerApp
from pocketmq.nameserver.config import LivenessConfig, NameServerConfig, RoutingConfig
from pocketmq.net import Connection, Dispatch, ListenConfig, Server
from pocketmq.protocol.bodies.route import QueueData, TopicRoute
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.bodies.versions import DataVersion
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import ROCKETMQ, Command

ROUTE = RequestCode.GET_ROUTEINFO_BY_TOPIC


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[NameServerApp]:
    config = NameServerConfig(kv_path=tmp_path / "kvConfig.json")
    async with name_server(config) as app:
        yield app


@pytest.fixture
async def broker(app: NameServerApp) -> AsyncIterator[RawPeer]:
    async with RawPeer(app.port) as peer:
        yield peer


@pytest.fixture
async def client(app: NameServerApp) -> AsyncIterator[RawPeer]:
    async with RawPeer(app.port) as peer:
        yield peer


# -- registration -----------------------------------------------------------------------------


async def test_a_registered_broker_is_in_routes_and_cluster(
    broker: RawPeer, client: RawPeer
) -> None:
    answer = await register(broker)
    assert (answer.fields, bytes(answer.body)) == ({}, b"")
    route = await ask(client, ROUTE, topic="T1")
    assert json.loads(bytes(route.body)) == {
        "brokerDatas": [
            {
                "brokerAddrs": {"0": "10.0.0.1:10911"},
                "brokerName": "broker-a",
                "cluster": "c1",
                "enableActingMaster": False,
            }
        ],
        "filterServerTable": {},
        "queueDatas": [
            {
                "brokerName": "broker-a",
                "perm": 6,
                "readQueueNums": 4,
                "topicSysFlag": 0,
                "writeQueueNums": 4,
            }
        ],
    }
    cluster = await ask(client, RequestCode.GET_BROKER_CLUSTER_INFO)
    assert bytes(cluster.body) == (
        b'{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"10.0.0.1:10911"},"brokerName":'
        b'"broker-a","cluster":"c1","enableActingMaster":false}},"clusterAddrTable":'
        b'{"c1":["broker-a"]}}'
    )


@pytest.mark.parametrize("claims", ["true", "false"])
async def test_a_compressed_registration_is_taken_whatever_its_header_says(
    broker: RawPeer, client: RawPeer, claims: str
) -> None:
    command = register_command(None, None, compressed=claims, bodyCrc32="0")
    command.body = registration(["T7", "T8"]).to_compressed()
    await register(broker, command)
    assert (await told(client, RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER))["topicList"] == [
        "T7",
        "T8",
    ]


async def test_a_body_that_does_not_match_its_checksum_is_refused(
    broker: RawPeer, client: RawPeer
) -> None:
    command = register_command()
    command.body = bytes(command.body).replace(b"T1", b"T9")
    answer = await broker.ask(command)
    assert (answer.code, answer.remark) == (1, "the body does not match its bodyCrc32")
    assert (await ask(client, ROUTE, topic="T9")).code == 17


@pytest.mark.parametrize("body", [b"{", b"[]", b"\x78\x9cgarbage", b"garbage", b'{"a":'])
async def test_a_body_that_cannot_be_read_is_refused(broker: RawPeer, body: bytes) -> None:
    command = register_command(None, None, bodyCrc32="0")
    command.body = body
    answer = await broker.ask(command)
    assert answer.code == 1
    assert (await register(broker)).code == 0


async def test_a_missing_header_field_is_named(broker: RawPeer) -> None:
    command = register_command()
    del command.fields["brokerId"]
    answer = await broker.ask(command)
    assert answer.code == 1
    assert answer.remark is not None and "brokerId" in answer.remark


async def test_a_registration_without_a_body_makes_the_broker_known(
    broker: RawPeer, client: RawPeer
) -> None:
    command = register_command(None, None, bodyCrc32="0")
    command.body = b""
    await register(broker, command)
    assert (
        "broker-a" in (await told(client, RequestCode.GET_BROKER_CLUSTER_INFO))["brokerAddrTable"]
    )


async def test_a_broker_of_long_ago_sends_only_its_topic_table(
    broker: RawPeer, client: RawPeer
) -> None:
    command = register_command(None, None, bodyCrc32="0")
    command.version = 36
    command.body = registration(["Old1", "Old2"]).topics.to_json()
    await register(broker, command)
    assert (await ask(client, ROUTE, topic="Old1")).code == 0


async def test_a_broker_with_a_binary_header_is_answered_in_kind(broker: RawPeer) -> None:
    command = register_command()
    command.serialization = ROCKETMQ
    assert (await register(broker, command)).serialization == ROCKETMQ


async def test_repeating_a_registration_restores_a_deleted_topic(
    broker: RawPeer, client: RawPeer
) -> None:
    await register(broker)
    await ask(client, RequestCode.DELETE_TOPIC_IN_NAMESRV, topic="T1")
    assert (await ask(client, ROUTE, topic="T1")).code == 17
    await register(broker)
    assert (await ask(client, ROUTE, topic="T1")).code == 0


async def test_unregistering_removes_the_broker_at_once(broker: RawPeer, client: RawPeer) -> None:
    await register(broker)
    assert (await broker.ask(unregister_command())).code == 0
    assert (await ask(client, ROUTE, topic="T1")).code == 17
    assert (await told(client, RequestCode.GET_BROKER_CLUSTER_INFO))["brokerAddrTable"] == {}
    assert (await broker.ask(unregister_command())).code == 0


async def test_a_broker_is_gone_as_soon_as_its_connection_closes(
    app: NameServerApp, client: RawPeer
) -> None:
    async with RawPeer(app.port) as broker:
        await register(broker)
        await register(broker, register_command(header("10.0.0.2:1", name="second")))
        assert len(app.routes.members) == 2
    await until(lambda: len(app.routes.members) == 0)
    assert (await ask(client, ROUTE, topic="T1")).code == 17


async def test_an_old_connection_that_closes_late_does_not_remove_a_broker_that_came_back(
    app: NameServerApp, client: RawPeer
) -> None:
    async with RawPeer(app.port) as again:
        async with RawPeer(app.port) as former:
            await register(former)
            await register(again)
        answer = await ask(client, ROUTE, topic="T1")
        assert answer.code == 0
    await until(lambda: len(app.routes.members) == 0)


async def test_a_silent_broker_is_dropped_and_its_connection_closed() -> None:
    clock = ManualClock()
    config = NameServerConfig(liveness=LivenessConfig(scan_interval_ms=10))
    async with name_server(config, clock) as app, RawPeer(app.port) as broker:
        await register(broker, register_command(header(timeout_ms=5000)))
        clock.advance(seconds=4)
        await ask(
            broker,
            RequestCode.BROKER_HEARTBEAT,
            clusterName="c1",
            brokerAddr="10.0.0.1:10911",
            brokerName="broker-a",
        )
        clock.advance(seconds=4)
        await asyncio.sleep(0.03)
        assert len(app.routes.members) == 1
        clock.advance(seconds=2)
        assert await broker.closed_by_other_side()
        assert len(app.routes.members) == 0


async def test_a_data_version_is_compared_and_keeps_the_broker_alive(broker: RawPeer) -> None:
    who = {
        "brokerName": "broker-a",
        "brokerAddr": "10.0.0.1:10911",
        "clusterName": "c1",
        "brokerId": "0",
    }
    version = DataVersion(0, 1_700, 1).to_json()
    answer = await ask(broker, RequestCode.QUERY_DATA_VERSION, version, **who)
    assert (answer.code, answer.fields, bytes(answer.body)) == (0, {"changed": "true"}, b"")
    await register(broker)
    answer = await ask(broker, RequestCode.QUERY_DATA_VERSION, version, **who)
    assert (answer.fields, bytes(answer.body)) == ({"changed": "false"}, version)
    other = DataVersion(0, 1_700, 2).to_json()
    answer = await ask(broker, RequestCode.QUERY_DATA_VERSION, other, **who)
    assert (answer.fields, bytes(answer.body)) == ({"changed": "true"}, version)


async def test_members_of_a_broker_are_listed_with_bare_ids(broker: RawPeer) -> None:
    await register(broker)
    await register(broker, register_command(header("10.0.0.2:1", number=1)))
    fields = {"clusterName": "c1", "brokerName": "broker-a"}
    answer = await ask(broker, RequestCode.GET_BROKER_MEMBER_GROUP, **fields)
    assert bytes(answer.body) == (
        b'{"brokerMemberGroup":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:1"},'
        b'"brokerName":"broker-a","cluster":"c1"}}'
    )
    fields["brokerName"] = "nobody"
    unknown = await told(broker, RequestCode.GET_BROKER_MEMBER_GROUP, **fields)
    assert unknown["brokerMemberGroup"]["brokerAddrs"] == {}


async def test_replicas_are_notified_when_the_smallest_id_changes() -> None:
    heard: list[Command] = []

    def listen(connection: Connection, command: Command) -> None:
        heard.append(command)

    replica = Server(Dispatch({905: listen}), ListenConfig())
    await replica.start()
    config = NameServerConfig(routing=RoutingConfig(notify_min_broker_id=True))
    async with name_server(config) as app, RawPeer(app.port) as one, RawPeer(app.port) as two:
        slave = header(f"127.0.0.1:{replica.port}", number=1, acting_master=True)
        await register(one, register_command(slave))
        await register(two, register_command(header("127.0.0.1:1", acting_master=True)))
        await until(lambda: len(heard) == 1)
        await two.ask(unregister_command(header("127.0.0.1:1")))
        await until(lambda: len(heard) == 2)
    await replica.stop()
    arrived, left = heard
    assert arrived.is_oneway
    assert arrived.fields["minBrokerId"] == "0"
    assert arrived.fields["minBrokerAddr"] == "127.0.0.1:1"
    assert left.fields["minBrokerId"] == "1"
    assert left.fields["offlineBrokerAddr"] == "127.0.0.1:1"


# -- routes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "accept", "form"),
    [(400, None, b"{0:"), (400, "true", b'{"0":'), (401, None, b'{"0":'), (479, None, b'{"0":')],
)
async def test_a_route_is_written_as_its_reader_can_read_it(
    broker: RawPeer, client: RawPeer, version: int, accept: str | None, form: bytes
) -> None:
    await register(broker)
    request = Command.request(ROUTE, {"topic": "T1"})
    if accept is not None:
        request.fields["acceptStandardJsonOnly"] = accept
    request.version = version
    body = bytes((await client.ask(request)).body)
    assert b'"brokerAddrs":' + form in body
    assert TopicRoute.from_json(body).broker_datas[0].broker_addrs == {0: "10.0.0.1:10911"}


async def test_a_topic_without_a_route_does_not_exist(client: RawPeer) -> None:
    answer = await ask(client, ROUTE, topic="T1")
    assert answer.code == 17
    assert answer.remark is not None
    assert answer.remark.startswith("No topic route info in name server for the topic: T1")


async def test_a_zone_hides_masters_of_other_zones(broker: RawPeer, client: RawPeer) -> None:
    zones = {"near": "z1", "far": "z2", "none": None}
    for number, (name, zone) in enumerate(zones.items(), 1):
        extra = {} if zone is None else {"__ZONE_NAME": zone}
        who = header(f"10.0.0.{number}:1", name=name)
        await register(broker, register_command(who, None, **extra))
    orphan = register_command(header("10.0.0.9:1", name="orphan", number=1), None, __ZONE_NAME="z2")
    await register(broker, orphan)
    fields = {"topic": "T1", "__ZONE_MODE": "true", "__ZONE_NAME": "Z1"}
    answer = await ask(client, ROUTE, **fields)
    route = TopicRoute.from_json(bytes(answer.body))
    assert {item.broker_name for item in route.broker_datas} == {"near", "orphan"}
    assert {item.broker_name for item in route.queue_datas} == {"near", "orphan"}
    assert b'"brokerAddrs":{0:' in bytes(answer.body)
    fields["__ZONE_MODE"] = "false"
    everywhere = TopicRoute.from_json((await ask(client, ROUTE, **fields)).body)
    assert len(everywhere.broker_datas) == 4


async def test_order_configuration_is_told_to_clients_only_when_enabled(
    app: NameServerApp, broker: RawPeer, client: RawPeer
) -> None:
    await register(broker)
    fields = {"namespace": "ORDER_TOPIC_CONFIG", "key": "T1", "value": "broker-a:4"}
    await ask(client, RequestCode.PUT_KV_CONFIG, **fields)
    assert "orderTopicConf" not in await told(client, ROUTE, topic="T1")
    await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, b"orderMessageEnable=true")
    assert (await told(client, ROUTE, topic="T1"))["orderTopicConf"] == "broker-a:4"
    assert "orderTopicConf" not in await told(client, ROUTE, topic="T2")


async def test_brokers_learn_order_configuration_when_they_register(
    broker: RawPeer, client: RawPeer
) -> None:
    fields = {"namespace": "ORDER_TOPIC_CONFIG", "key": "T1", "value": "broker-a:4"}
    await ask(client, RequestCode.PUT_KV_CONFIG, **fields)
    for _ in range(2):  # the second time nothing else is new
        answer = await register(broker)
        assert bytes(answer.body) == b'{"table":{"T1":"broker-a:4"}}'
    await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, b"returnOrderTopicConfigToBroker=false")
    assert bytes((await register(broker)).body) == b""


async def test_no_route_is_told_while_brokers_are_given_time_to_register() -> None:
    clock = ManualClock()
    config = NameServerConfig(routing=RoutingConfig(wait_for_service=True))
    async with name_server(config, clock) as app, RawPeer(app.port) as peer:
        await register(peer)
        clock.advance(seconds=44)
        answer = await ask(peer, ROUTE, topic="T1")
        assert answer.code == 1
        assert answer.remark is not None and answer.remark.startswith("name server not ready")
        clock.advance(seconds=1)
        assert (await ask(peer, ROUTE, topic="T1")).code == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5"])
async def test_a_broker_that_follows_its_clients_is_told_by_the_host_they_used(host: str) -> None:
    listen = ListenConfig(host="0.0.0.0")
    async with (
        name_server(NameServerConfig(listen=listen)) as app,
        RawPeer(app.port) as broker,
        RawPeer(app.port, host) as client,
    ):
        command = register_command(header("127.0.0.1:10911"), None, pocketmqAdvertise="auto")
        await register(broker, command)
        await register(broker, register_command(header("10.9.9.9:1", name="fixed")))
        route = TopicRoute.from_json((await ask(client, ROUTE, topic="T1")).body)
        addresses = {item.broker_name: item.broker_addrs[0] for item in route.broker_datas}
        assert addresses == {"broker-a": f"{host}:10911", "fixed": "10.9.9.9:1"}
        cluster = await told(client, RequestCode.GET_BROKER_CLUSTER_INFO)
        shown = cluster["brokerAddrTable"]["broker-a"]["brokerAddrs"]
        assert list(shown.values()) == [f"{host}:10911"]
        goodbye = await broker.ask(unregister_command(header("127.0.0.1:10911")))
        assert goodbye.code == 0
        assert len(app.routes.members) == 1


async def test_a_broker_on_another_machine_cannot_ask_to_follow_its_clients() -> None:
    async with name_server() as app, RawPeer(app.port) as broker, RawPeer(app.port) as client:
        await broker.send(b"PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876\r\n")
        await register(broker, register_command(None, None, pocketmqAdvertise="auto"))
        route = TopicRoute.from_json((await ask(client, ROUTE, topic="T1")).body)
        assert route.broker_datas[0].broker_addrs == {0: "10.0.0.1:10911"}


# -- topics -----------------------------------------------------------------------------------


async def test_topics_are_listed_by_cluster_and_by_system(broker: RawPeer, client: RawPeer) -> None:
    await register(broker)
    second = header("10.0.0.2:1", name="broker-b", cluster="c2")
    await register(broker, register_command(second, registration(["T2", "T3"])))
    everything = await told(client, RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
    assert set(everything["topicList"]) == {"T1", "T2", "T3"}
    for cluster, topics in (("c1", {"T1", "T2"}), ("c2", {"T2", "T3"}), ("c3", set())):
        answer = await told(client, RequestCode.GET_TOPICS_BY_CLUSTER, cluster=cluster)
        assert set(answer["topicList"]) == topics
    system = await told(client, RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS)
    assert system["topicList"] == ["c1", "broker-a", "c2", "broker-b"]
    assert system["brokerAddr"] == "10.0.0.1:10911"


async def test_topics_are_listed_by_their_unit_flags(broker: RawPeer, client: RawPeer) -> None:
    topics = [TopicConfig(f"F{flag}", 1, 1, topic_sys_flag=flag) for flag in range(4)]
    await register(broker, register_command(None, registration(topics)))
    for code, expected in (
        (RequestCode.GET_UNIT_TOPIC_LIST, {"F1", "F3"}),
        (RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST, {"F2", "F3"}),
        (RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, {"F2"}),
    ):
        assert set((await told(client, code))["topicList"]) == expected


async def test_lists_can_be_disabled(client: RawPeer) -> None:
    disable = b"enableAllTopicList=false\nenableTopicList=false"
    assert (await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, disable)).code == 0
    for code in (206, 224, 311, 312, 313):
        assert (await ask(client, code, cluster="c1")).code == 1
    assert (await ask(client, RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS)).code == 0


async def test_a_topic_is_deleted_in_one_cluster_or_everywhere(
    broker: RawPeer, client: RawPeer
) -> None:
    await register(broker)
    await register(broker, register_command(header("10.0.0.2:1", name="b", cluster="c2")))
    for cluster in ("unknown", "c2"):
        fields = {"topic": "T1", "clusterName": cluster}
        assert (await ask(client, RequestCode.DELETE_TOPIC_IN_NAMESRV, **fields)).code == 0
    route = TopicRoute.from_json((await ask(client, ROUTE, topic="T1")).body)
    assert [item.broker_name for item in route.queue_datas] == ["broker-a"]
    assert (await ask(client, RequestCode.DELETE_TOPIC_IN_NAMESRV, topic="T1")).code == 0
    assert (await ask(client, ROUTE, topic="T1")).code == 17
    assert (await ask(client, ROUTE, topic="T2")).code == 0


async def test_a_single_topic_is_registered_for_known_brokers(
    broker: RawPeer, client: RawPeer
) -> None:
    await register(broker)
    body = TopicRoute((QueueData("broker-a", 2, 3, 6),)).to_json()
    assert (await ask(broker, RequestCode.REGISTER_TOPIC_IN_NAMESRV, body, topic="New")).code == 0
    route = TopicRoute.from_json((await ask(client, ROUTE, topic="New")).body)
    assert route.queue_datas == (QueueData("broker-a", 2, 3, 6),)
    strange = TopicRoute((QueueData("nobody", 2, 2, 6),)).to_json()
    for body in (strange, b""):
        answer = await ask(broker, RequestCode.REGISTER_TOPIC_IN_NAMESRV, body, topic="Other")
        assert answer.code == 0
    assert (await ask(client, ROUTE, topic="Other")).code == 17


async def test_write_permission_is_wiped_and_given_back_for_all_topics(
    broker: RawPeer, client: RawPeer
) -> None:
    topics = [TopicConfig("Inherited", 1, 1, 7), TopicConfig("Plain", 1, 1, 6)]
    await register(broker, register_command(None, registration(topics)))

    async def perms() -> list[int]:
        routes = [await told(client, ROUTE, topic=name) for name in ("Inherited", "Plain")]
        return [route["queueDatas"][0]["perm"] for route in routes]

    wiped = await ask(client, RequestCode.WIPE_WRITE_PERM_OF_BROKER, brokerName="broker-a")
    assert (wiped.fields, await perms()) == ({"wipeTopicCount": "2"}, [5, 4])
    given = await ask(client, RequestCode.ADD_WRITE_PERM_OF_BROKER, brokerName="broker-a")
    assert (given.fields, await perms()) == ({"addTopicCount": "2"}, [6, 6])
    nobody = await ask(client, RequestCode.WIPE_WRITE_PERM_OF_BROKER, brokerName="nobody")
    assert (nobody.code, nobody.fields) == (0, {"wipeTopicCount": "0"})


async def test_other_codes_are_not_supported(client: RawPeer) -> None:
    answer = await ask(client, RequestCode.SEND_MESSAGE_V2)
    assert (answer.code, answer.remark) == (
        3,
        "request code 310 (SEND_MESSAGE_V2) is not supported: a broker answers this, not a name "
        "server; clusterList shows the brokers' addresses",
    )
