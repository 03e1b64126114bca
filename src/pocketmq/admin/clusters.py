"""Clusters and their brokers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pocketmq.client.calls import Calls
from pocketmq.errors import (
    BrokerRefused,
    ConfigError,
    NameServersUnreachable,
    NetError,
    NoRoute,
)
from pocketmq.protocol.bodies.route import MASTER_ID
from pocketmq.protocol.bodies.tables import KvTable
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker process. Id 0 is the master."""

    cluster: str
    name: str
    id: int
    address: str

    @property
    def is_master(self) -> bool:
        """Whether it takes messages."""
        return self.id == MASTER_ID


class Clusters:
    """Finds brokers, and asks many at a time."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def brokers(self, cluster: str | None = None) -> list[Broker]:
        """All brokers, or those of one cluster. Raise ConfigError when there is no such cluster."""
        table = await self._calls.clusters()
        found = [
            Broker(data.cluster, name, number, address)
            for name, data in table.broker_addr_table.items()
            for number, address in data.broker_addrs.items()
            if cluster in (None, data.cluster)
        ]
        if cluster is not None and not found:
            known = ", ".join(sorted(table.cluster_addr_table)) or "none"
            raise ConfigError(f"there is no cluster {cluster!r}; the name server knows {known}")
        return sorted(found, key=lambda broker: (broker.cluster, broker.name, broker.id))

    async def masters(self, cluster: str | None = None) -> list[Broker]:
        """The brokers that take messages."""
        return [broker for broker in await self.brokers(cluster) if broker.is_master]

    async def masters_of_topic(self, topic: str) -> list[Broker]:
        """The masters that a topic has queues on. Raise NoRoute."""
        route = await self._calls.route(topic)
        if route is None:
            raise NoRoute(topic, "it does not exist; `topic list` shows those that do")
        return [
            Broker(data.cluster, data.broker_name, MASTER_ID, data.broker_addrs[MASTER_ID])
            for data in route.broker_datas
            if MASTER_ID in data.broker_addrs
        ]

    async def answering(self, topic: str) -> list[Broker]:
        """One broker of each name that has a topic: the master, else a replica. Raise NoRoute."""
        route = await self._calls.route(topic)
        if route is None:
            raise NoRoute(topic, "it does not exist; `topic list` shows those that do")
        return [
            Broker(data.cluster, data.broker_name, number, data.broker_addrs[number])
            for data in route.broker_datas
            for number in sorted(data.broker_addrs)[:1]
        ]

    async def ask_name_server(self, code: int) -> Command:
        """What the first name server that answers says. Raise NameServersUnreachable."""
        problems: dict[str, str] = {}
        for address in self._calls.name_servers:
            try:
                return await self._calls.ask(address, code)
            except (NetError, BrokerRefused) as error:
                problems[address] = str(error)
        raise NameServersUnreachable(problems)

    async def runtime(self, broker: Broker) -> dict[str, str]:
        """A broker's figures, by Apache's names."""
        answer = await self._calls.ask(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)
        return KvTable.from_json(bytes(answer.body)).table

    @staticmethod
    async def each(
        brokers: list[Broker], ask: Callable[[Broker], Awaitable[T]]
    ) -> list[tuple[Broker, T]]:
        """What each broker answers, asked all at once. The first error is raised."""
        answers = await asyncio.gather(*(ask(broker) for broker in brokers))
        return list(zip(brokers, answers, strict=True))
