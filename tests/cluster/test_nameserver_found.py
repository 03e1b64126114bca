"""Being found: clients are told an address at which they can reach the broker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_broker import broker_config
from tests.support.local_cluster import name_server
from tests.support.raw_peer import RawPeer

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import RegistrationConfig
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.net import ListenConfig
from pocketmq.protocol.bodies.route import ClusterTable, TopicRoute
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command


@pytest.mark.parametrize(
    ("listens_on", "advertises", "used", "told"),
    [
        pytest.param("0.0.0.0", "auto", "127.0.0.1", "127.0.0.1", id="everywhere, from here"),
        pytest.param("0.0.0.0", "auto", "127.0.0.7", "127.0.0.7", id="everywhere, by a name"),
        pytest.param("127.0.0.1", "auto", "127.0.0.7", "127.0.0.1", id="on one address only"),
        pytest.param("0.0.0.0", "192.0.2.5", "127.0.0.7", "192.0.2.5", id="set by the operator"),
    ],
)
async def test_a_client_is_told_an_address_that_works_for_it(
    tmp_path: Path, listens_on: str, advertises: str, used: str, told: str
) -> None:
    everywhere = NameServerConfig(listen=ListenConfig(host="0.0.0.0"))
    async with name_server(everywhere) as names:
        known_to = RegistrationConfig(name_servers=f"127.0.0.1:{names.port}")
        config = broker_config(tmp_path, registration=known_to)
        identity = replace(config.identity, advertise=advertises)
        listen = ListenConfig(host=listens_on)
        broker = BrokerApp(replace(config, identity=identity, listen=listen, fast_port_offset=0))
        await broker.start()
        try:
            async with RawPeer(names.port, used) as client:
                request = Command.request(105, {"topic": "TBW102"})
                route = TopicRoute.from_json((await client.ask(request)).body)
                assert route.broker_datas[0].broker_addrs == {0: f"{told}:{broker.port}"}
                answer = await client.ask(Command.request(RequestCode.GET_BROKER_CLUSTER_INFO))
                table = ClusterTable.from_json(answer.body).broker_addr_table
                assert table["b"].broker_addrs == {0: f"{told}:{broker.port}"}
            if told.startswith("127."):
                async with RawPeer(broker.port, told) as client:
                    assert (await client.ask(Command.request(2**31 - 1))).code == 3
        finally:
            await broker.stop()
        assert len(names.routes.members) == 0
