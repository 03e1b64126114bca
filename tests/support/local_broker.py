"""A broker in the test's own process, and clients that speak to it over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import BrokerConfig, IdentityConfig
from pocketmq.clock import Clock
from pocketmq.net import Address, Connection, Dispatch, RpcClient
from pocketmq.protocol.bodies.heartbeat import (
    ConsumerData,
    Heartbeat,
    ProducerData,
    SubscriptionData,
)
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Body, Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.store import StoreConfig
from pocketmq.store.config import IndexConfig, LogConfig

MIB = 1024 * 1024
START_MS = 1_700_000_000_000
"""Where clocks of tests begin."""


def broker_config(directory: Path, **groups: Any) -> BrokerConfig:
    """Small files, a free port, the names C and b; `groups` replaces groups of settings."""
    store = StoreConfig(
        root=directory,
        log=LogConfig(file_bytes=4 * MIB, reserve_step_bytes=MIB, warm_up=False),
        index=IndexConfig(slots=1000, entries=4000),
    )
    config = BrokerConfig(identity=IdentityConfig(cluster="C", name="b"), store=store)
    return replace(config, listen=replace(config.listen, port=0), **groups)


@asynccontextmanager
async def local_broker(
    directory: Path, clock: Clock | None = None, **groups: Any
) -> AsyncIterator[BrokerApp]:
    """A started broker, stopped at the end."""
    app = BrokerApp(broker_config(directory, **groups), clock)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


class Listening(Protocol):
    """A broker, in this process or another."""

    @property
    def address(self) -> Address:
        """Where it listens."""
        ...


class Peer:
    """One client: it asks, and keeps what the broker asks it."""

    def __init__(self, app: Listening, client_id: str = "client") -> None:
        self.client_id = client_id
        self.asked: list[Command] = []
        self.answers: dict[int, Command | None] = {}
        self.address = str(app.address)
        routes = {int(code): self._answer for code in RequestCode}
        self._rpc = RpcClient(service=Dispatch(routes, role="client"))

    def _answer(self, connection: Connection, command: Command) -> Command | None:
        self.asked.append(command)
        answer = self.answers.get(command.code)
        if answer is None:
            return None
        return command.reply(answer.code, answer.remark, answer.fields, answer.body)

    def asked_codes(self) -> list[int]:
        """The codes of what the broker asked so far."""
        return [command.code for command in self.asked]

    async def connection(self) -> Connection:
        """The connection to the broker, opened if need be."""
        return await self._rpc.connect(self.address)

    async def call(
        self,
        code: int,
        header: Any = None,
        body: Body = b"",
        *,
        language: int | None = None,
        timeout_ms: int = 5000,
    ) -> Command:
        """Ask the broker; `header` is a typed header or a dict of fields."""
        fields = header if header is None or type(header) is dict else encode_fields(header)
        command = Command.request(code, fields, body)
        if language is not None:
            command.language = language
        return await self._rpc.call(self.address, command, timeout_ms)

    async def heartbeat(
        self,
        *topics: str,
        group: str = "g",
        producers: tuple[str, ...] = (),
        model: str = "CLUSTERING",
        version: int = 1,
        fingerprint: int = 0,
        without_sub: bool = False,
    ) -> Command:
        """Present this client as a consumer of topics and a member of producer groups."""
        consumers = ()
        if topics or without_sub:
            subscriptions = tuple(SubscriptionData(name, sub_version=version) for name in topics)
            data = ConsumerData(group, message_model=model, subscription_data_set=subscriptions)
            consumers = (data,)  # type: ignore[assignment]
        beat = Heartbeat(
            self.client_id,
            tuple(ProducerData(name) for name in producers),
            consumers,
            fingerprint,
            without_sub,
        )
        return await self.call(RequestCode.HEART_BEAT, body=beat.to_json())

    async def send(
        self,
        topic: str,
        body: bytes = b"body",
        queue_id: int = 0,
        properties: str = "",
        sys_flag: int = 0,
    ) -> Command:
        """Send one message."""
        fields = {
            "producerGroup": "p",
            "topic": topic,
            "defaultTopic": "TBW102",
            "defaultTopicQueueNums": "4",
            "queueId": str(queue_id),
            "sysFlag": str(sys_flag),
            "bornTimestamp": "1700000000000",
            "flag": "0",
            "properties": properties,
        }
        return await self.call(RequestCode.SEND_MESSAGE, fields, body)

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()


@asynccontextmanager
async def connected(app: Listening, *client_ids: str) -> AsyncIterator[tuple[Peer, ...]]:
    """Clients of a broker, closed at the end."""
    peers = tuple(Peer(app, client_id) for client_id in client_ids)
    try:
        yield peers
    finally:
        await asyncio.gather(*(peer.close() for peer in peers))


@dataclass(frozen=True, slots=True)
class At:
    """A broker that listens somewhere else."""

    address: Address


def peer_at(address: str) -> Peer:
    """A client of the broker that listens at `host:port`."""
    return Peer(At(Address.parse(address)))
