"""A name server and brokers in the test's process, for clients of the SDK; and what they stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.local_broker import broker_config, connected
from tests.support.local_cluster import name_server
from tests.support.pulling import Pulled, pull_all
from tests.support.registrations import header, register_command, registration

import pocketmq
from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import BrokerConfig, IdentityConfig, RegistrationConfig
from pocketmq.clock import Clock
from pocketmq.message.properties import encode_properties
from pocketmq.nameserver.app import NameServerApp
from pocketmq.net import RpcClient
from pocketmq.protocol.bodies.topic_config import TopicConfig


class SdkCluster:
    """One name server and some brokers, each of which can go and come back."""

    def __init__(self, names: NameServerApp, directory: Path, clock: Clock | None) -> None:
        self.names = names
        self.brokers: dict[str, BrokerApp] = {}
        self._directory = directory
        self._clock = clock
        self._configs: dict[str, BrokerConfig] = {}
        self._rpc = RpcClient()

    @property
    def address(self) -> str:
        """What a client is given."""
        return str(self.names.address)

    async def start_broker(self, name: str, cluster: str = "C", **groups: Any) -> BrokerApp:
        """Start a broker, or start it again on the port it had."""
        config = self._configs.get(name)
        if config is None:
            groups.setdefault("registration", RegistrationConfig(name_servers=self.address))
            config = broker_config(self._directory / name, fast_port_offset=0, **groups)
            config = replace(config, identity=IdentityConfig(cluster=cluster, name=name))
        app = BrokerApp(config, self._clock)
        await app.start()
        listen = replace(config.listen, port=app.port)
        self._configs[name] = replace(config, listen=listen)
        self.brokers[name] = app
        return app

    async def stop_broker(self, name: str) -> None:
        """Stop a broker cleanly."""
        await self.brokers.pop(name).stop()

    def create_topic(self, topic: str, queues: int = 4) -> None:
        """Create a topic on every broker."""
        for app in self.brokers.values():
            app.running.tables.topics.put(TopicConfig(topic, queues, queues))

    async def register(self, name: str, address: str, *topics: str, queues: int = 4) -> None:
        """Tell the name server of a broker by hand, for one that is behind a proxy."""
        configs = [TopicConfig(topic, queues, queues) for topic in (*topics, "TBW102")]
        command = register_command(
            header(address, name=name, cluster="C", timeout_ms=3_600_000), registration(configs)
        )
        # The name server forgets a broker whose connection closes, so this one stays open.
        answer = await self._rpc.call(self.address, command)
        assert answer.code == 0, answer.remark

    async def stored(self, topic: str) -> list[Pulled]:
        """All messages of a topic, broker by broker and queue by queue."""
        found: list[Pulled] = []
        for app in self.brokers.values():
            config = app.running.tables.topics.configs.get(topic)
            if config is None:
                continue
            async with connected(app, "reader") as (peer,):
                for queue_id in range(config.read_queue_nums):
                    found += await pull_all(peer, topic, queue_id)
        return found

    async def bodies(self, topic: str) -> list[bytes]:
        """The bodies of all messages of a topic."""
        return [message.body for message in await self.stored(topic)]

    async def received(self, topic: str) -> list[pocketmq.ReceivedMessage]:
        """All messages of a topic as a consumer hands them out; brokers must have one name."""
        ((name, app),) = self.brokers.items()
        return [
            pocketmq.ReceivedMessage(
                m.topic,
                name,
                m.queue_id,
                m.queue_offset,
                m.log_offset,
                m.flag,
                m.sys_flag,
                0,
                m.born_timestamp_ms,
                app.address.packed(),
                m.store_timestamp_ms,
                app.address.packed(),
                m.reconsume_times,
                0,
                m.body,
                encode_properties(m.properties).encode(),
            )
            for m in await self.stored(topic)
        ]

    async def stop(self) -> None:
        """Stop the brokers that run."""
        await self._rpc.close()
        for name in list(self.brokers):
            await self.stop_broker(name)


@asynccontextmanager
async def sdk_cluster(
    directory: Path, *names: str, clock: Clock | None = None, **groups: Any
) -> AsyncIterator[SdkCluster]:
    """A started cluster; one broker called broker-a unless `names` says otherwise."""
    async with name_server() as server:
        cluster = SdkCluster(server, directory, clock)
        try:
            for name in names or ("broker-a",):
                await cluster.start_broker(name, **groups)
            yield cluster
        finally:
            await cluster.stop()
