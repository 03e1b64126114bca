"""Brokers and name servers: how they do, and how they are set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields

from pocketmq.admin import Broker
from pocketmq.console.changeable import changeable, help_of
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.overview import BrokerNow
from pocketmq.console.problems import Problem, bad_request
from pocketmq.console.shapes import field_of
from pocketmq.errors import BrokerRefused, MalformedBody, NetError
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.route import MASTER_ID, ClusterTable
from pocketmq.protocol.bodies.topic_config import TopicList
from pocketmq.protocol.codes import RequestCode

brokers = Noun("Brokers")
name_servers = Noun("Name servers")


@dataclass(frozen=True, slots=True)
class BrokerList:
    """All brokers. `drained` are the names of those that producers turn away from."""

    items: tuple[BrokerNow, ...]
    drained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrokerPicture(BrokerNow):
    """A broker and everything it says of itself, by Apache's names."""

    runtime: dict[str, str]


@dataclass(frozen=True, slots=True)
class SettingPicture:
    """One setting of a broker."""

    name: str
    value: str
    changeable: bool
    help: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a broker."""

    items: tuple[SettingPicture, ...]


@dataclass(frozen=True, slots=True)
class SettingChanges:
    """Settings to change."""

    settings: dict[str, str] = field_of(doc="Name and value of each.", chars_max=4096)


@dataclass(frozen=True, slots=True)
class WritableForm:
    """Whether producers may send to a broker."""

    writable: bool = field_of(doc="False drains it, true resumes it.")


@dataclass(frozen=True, slots=True)
class WritablePicture:
    """What name servers say now: how many topics of the broker this is about."""

    name: str
    writable: bool
    topics: dict[str, int]


@dataclass(frozen=True, slots=True)
class NameServerPicture:
    """A name server, as seen from here."""

    address: str
    up: bool
    error: str | None
    latency_ms: float | None
    brokers: int | None
    topics: int | None
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class NameServerList:
    """The name servers that the console was given."""

    items: tuple[NameServerPicture, ...]


@brokers.get("/brokers")
async def list_brokers(desk: Desk) -> BrokerList:
    """All brokers and how they do, also those that do not answer."""
    found = await asyncio.gather(
        *(desk.live.broker_now(one) for one in await desk.picture.brokers())
    )
    drained = await desk.admin.brokers.drained()
    return BrokerList(tuple(now for now, _ in found), tuple(sorted(drained)))


@brokers.put("/brokers/{name}/writable")
async def set_writable(desk: Desk, name: str, body: WritableForm) -> WritablePicture:
    """Let producers turn to other brokers, or come back.

    Name servers tell clients, who ask every half minute. It lasts until it is changed again, and
    until the broker or a name server restarts.
    """
    broker = await desk.picture.broker(name, MASTER_ID)
    topics = await desk.admin.brokers.set_writable(broker.name, body.writable)
    return WritablePicture(broker.name, body.writable, topics)


@brokers.get("/brokers/{name}/{id}")
async def show(desk: Desk, name: str, id: int) -> BrokerPicture:
    """A broker and everything it says of itself."""
    now, figures = await desk.live.broker_now(await desk.picture.broker(name, id))
    return BrokerPicture(
        **{one.name: getattr(now, one.name) for one in fields(now)}, runtime=figures
    )


@brokers.get("/brokers/{name}/{id}/settings")
async def settings(desk: Desk, name: str, id: int) -> Settings:
    """All settings of a broker, and which of them can be changed while it runs."""
    return await _settings(desk, await desk.picture.broker(name, id))


@brokers.patch("/brokers/{name}/{id}/settings")
async def change_settings(desk: Desk, name: str, id: int, body: SettingChanges) -> Settings:
    """Change settings. The broker has a closed list of those it lets be changed."""
    if not body.settings:
        raise bad_request("no setting is given", "settings")
    broker = await desk.picture.broker(name, id)
    allowed = changeable(await desk.admin.brokers.settings(broker))
    for setting in body.settings:
        if setting not in allowed:
            raise Problem(
                422,
                "refused",
                f"{setting[:80]} cannot be changed while the broker runs; change its configuration "
                "and restart it",
                hint=f"what can be changed: {', '.join(sorted(allowed)) or 'nothing'}",
                details={"field": setting[:80]},
            )
    await desk.admin.brokers.update(broker, body.settings)
    return await _settings(desk, broker)


async def _settings(desk: Desk, broker: Broker) -> Settings:
    found = await desk.admin.brokers.settings(broker)
    allowed = changeable(found)
    return Settings(
        tuple(
            SettingPicture(name, value, name in allowed, help_of(name))
            for name, value in sorted(found.items())
        )
    )


@name_servers.get("/name-servers")
async def list_name_servers(desk: Desk) -> NameServerList:
    """The name servers and what each knows, also those that do not answer."""
    addresses = desk.admin.config.name_servers
    return NameServerList(
        tuple(await asyncio.gather(*(_name_server(desk, address) for address in addresses)))
    )


async def _name_server(desk: Desk, address: str) -> NameServerPicture:
    calls = desk.admin.calls
    started = desk.clock.monotonic()
    try:
        clusters = await calls.ask(address, RequestCode.GET_BROKER_CLUSTER_INFO)
        latency_ms = round((desk.clock.monotonic() - started) * 1000, 2)
        topics = await calls.ask(address, RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
        config = await calls.ask(address, RequestCode.GET_NAMESRV_CONFIG)
        return NameServerPicture(
            address,
            True,
            None,
            latency_ms,
            len(ClusterTable.from_json(bytes(clusters.body)).broker_addr_table),
            len(TopicList.from_json(bytes(topics.body)).topic_list),
            parse_properties(bytes(config.body)),
        )
    except (NetError, BrokerRefused, MalformedBody) as error:
        return NameServerPicture(address, False, str(error), None, None, None, {})
