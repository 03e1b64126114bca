"""Brokers and name servers: what they are busy with, and how they are set."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pocketmq.admin.clusters import Broker, Clusters
from pocketmq.client.calls import Calls
from pocketmq.errors import BrokerRefused, ConfigError, NetError
from pocketmq.message.topics import AUTO_CREATE_TOPIC, PERM_WRITE, SELF_TEST_TOPIC
from pocketmq.protocol.bodies.java_properties import format_properties, parse_properties
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.fields import decode_fields
from pocketmq.protocol.requests.routes import (
    AddWritePermReply,
    BrokerNameRequest,
    WipeWritePermReply,
)

_WRITABLE: Final[dict[bool, tuple[int, type[AddWritePermReply | WipeWritePermReply]]]] = {
    True: (RequestCode.ADD_WRITE_PERM_OF_BROKER, AddWritePermReply),
    False: (RequestCode.WIPE_WRITE_PERM_OF_BROKER, WipeWritePermReply),
}
_EVERYWHERE: Final = (SELF_TEST_TOPIC, AUTO_CREATE_TOPIC)
"""Topics that every broker has by itself, so that their routes tell of every broker."""
WINDOWS = ("10 s", "1 min", "10 min")
"""The stretches of time that a broker's three rates are about."""


@dataclass(frozen=True, slots=True)
class BrokerState:
    """A broker at a glance. When it does not answer, `problem` says so and the rest is 0."""

    broker: Broker
    problem: str = ""
    version: str = ""
    started_ms: int = 0
    in_per_second: float = 0.0
    out_per_second: float = 0.0
    in_today: int = 0
    out_today: int = 0
    log_first: int = 0
    """The lowest byte of the commit log that is kept."""
    log_end: int = 0
    oldest_ms: int = 0
    """When the oldest message was stored."""
    disk_used: float = 0.0
    """How full the disk of the commit log is, 0 to 1."""
    dispatch_behind_bytes: int = 0
    waiting_sends: int = 0
    waiting_pulls: int = 0
    figures: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Everything it says, by RocketMQ's names."""


class Brokers:
    """What an operator does with brokers. What goes wrong is raised, as `Admin` says."""

    def __init__(self, calls: Calls, clusters: Clusters) -> None:
        self._calls = calls
        self._clusters = clusters

    async def find(self, name: str) -> list[Broker]:
        """The brokers of a name, master first, or the one at an address. Raise ConfigError."""
        brokers = await self._clusters.brokers()
        found = [one for one in brokers if name in (one.name, one.address, f"{one.name}:{one.id}")]
        if not found:
            known = ", ".join(sorted({one.name for one in brokers})) or "none"
            raise ConfigError(f"there is no broker {name!r}; the name server knows {known}")
        return found

    async def states(self, cluster: str | None = None) -> list[BrokerState]:
        """All brokers at a glance, also those that do not answer."""
        brokers = await self._clusters.brokers(cluster)
        return list(await asyncio.gather(*(self.state(one) for one in brokers)))

    async def state(self, broker: Broker) -> BrokerState:
        """One broker at a glance. Raises nothing when it does not answer: the state says so."""
        try:
            figures = await self._clusters.runtime(broker)
        except (NetError, BrokerRefused) as error:
            return BrokerState(broker, problem=str(error))
        return _state(broker, figures)

    async def settings(self, broker: Broker) -> dict[str, str]:
        """All settings of a broker by RocketMQ's names. Raise BrokerRefused, NetError."""
        answer = await self._calls.ask(broker.address, RequestCode.GET_BROKER_CONFIG)
        return parse_properties(bytes(answer.body))

    async def update(self, broker: Broker, changes: Mapping[str, str]) -> dict[str, str]:
        """Change settings of a running broker; return what it says about them afterwards.

        Raise BrokerRefused for what cannot be changed so, ConfigError for what it does not know.
        """
        known = await self.settings(broker)
        for name in changes:
            if name not in known:
                raise ConfigError(
                    f"{broker.name} knows no setting {name!r}; `broker settings {broker.name}` "
                    "lists them"
                )
        body = format_properties(dict(changes))
        await self._calls.ask(broker.address, RequestCode.UPDATE_BROKER_CONFIG, body=body)
        after = await self.settings(broker)
        for name, value in changes.items():
            if after.get(name, "").strip().lower() != value.strip().lower():
                raise ConfigError(
                    f"{broker.name} took the change of {name} without an error, but says it is "
                    f"{after.get(name)!r}; set it in the broker's configuration and restart it"
                )
        return {name: after[name] for name in changes}

    async def set_writable(self, name: str, writable: bool) -> dict[str, int]:
        """Let name servers tell clients that they may, or may not, send to the brokers of a name.

        Return how many topics each name server says this is about. All are asked, also when one
        of them does not answer; then raise its NetError.
        """
        code, reply = _WRITABLE[writable]

        async def ask(address: str) -> int:
            answer = await self._calls.ask(address, code, BrokerNameRequest(name))
            return decode_fields(reply, answer.fields)[0]

        servers = self._calls.name_servers
        answers = await asyncio.gather(*map(ask, servers), return_exceptions=True)
        counts: dict[str, int] = {}
        for address, answer in zip(servers, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            counts[address] = answer
        return counts

    async def drained(self) -> frozenset[str]:
        """The names of brokers that the first name server lets nobody send to."""
        for topic in _EVERYWHERE:
            route = await self._calls.route(topic)
            if route is not None and route.queue_datas:
                return frozenset(
                    queue.broker_name for queue in route.queue_datas if not queue.perm & PERM_WRITE
                )
        return frozenset()

    async def name_server_settings(self) -> dict[str, dict[str, str]]:
        """Name server -> its settings."""

        async def ask(address: str) -> dict[str, str]:
            answer = await self._calls.ask(address, RequestCode.GET_NAMESRV_CONFIG)
            return parse_properties(bytes(answer.body))

        servers = self._calls.name_servers
        answers = await asyncio.gather(*(ask(address) for address in servers))
        return dict(zip(servers, answers, strict=True))

    async def update_name_servers(self, changes: Mapping[str, str]) -> list[str]:
        """Change settings of all name servers; return their addresses. Raise BrokerRefused."""
        body = format_properties(dict(changes))
        servers = list(self._calls.name_servers)
        for address in servers:
            await self._calls.ask(address, RequestCode.UPDATE_NAMESRV_CONFIG, body=body)
        return servers


def _state(broker: Broker, figures: dict[str, str]) -> BrokerState:
    return BrokerState(
        broker,
        version=figures.get("brokerVersionDesc", ""),
        started_ms=_whole(figures, "bootTimestamp"),
        in_per_second=_rate(figures, "putTps"),
        out_per_second=_rate(figures, "getTransferredTps"),
        in_today=_today(figures, "msgPutTotal"),
        out_today=_today(figures, "msgGetTotal"),
        log_first=_whole(figures, "commitLogMinOffset"),
        log_end=_whole(figures, "commitLogMaxOffset"),
        oldest_ms=_whole(figures, "earliestMessageTimeStamp"),
        disk_used=_share(figures),
        dispatch_behind_bytes=_whole(figures, "dispatchBehindBytes"),
        waiting_sends=_whole(figures, "sendThreadPoolQueueSize"),
        waiting_pulls=_whole(figures, "pullThreadPoolQueueSize"),
        figures=figures,
    )


def _whole(figures: Mapping[str, str], name: str) -> int:
    text = figures.get(name, "")
    return int(text) if text.isdigit() else 0


def _rate(figures: Mapping[str, str], name: str) -> float:
    """The first of three rates: that of the last ten seconds."""
    return _number(figures.get(name, "").split(" ")[0])


def _today(figures: Mapping[str, str], name: str) -> int:
    now = _whole(figures, f"{name}TodayNow")
    return max(now - _whole(figures, f"{name}TodayMorning"), 0)


def _share(figures: Mapping[str, str]) -> float:
    """The fullest disk; a broker with several directories names a ratio for each."""
    shares = [
        _number(text) for name, text in figures.items() if name.startswith("commitLogDiskRatio")
    ]
    return max(shares, default=0.0)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
