"""Consumer groups: listed, shown, made, changed, deleted; their progress and members."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pocketmq.admin.clients import Connections
from pocketmq.admin.configs import Configs
from pocketmq.admin.rates import GroupRate
from pocketmq.console.api.paging import matches, page_field, size_field, slice_of
from pocketmq.console.api.topics import Removed
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.picture import GroupFacts
from pocketmq.console.problems import Problem, bad_request
from pocketmq.console.shapes import field_of
from pocketmq.errors import BrokerRefused, NetError
from pocketmq.message.topics import DEAD_LETTER_PREFIX
from pocketmq.protocol.bodies.connections import ClientConnection
from pocketmq.protocol.bodies.heartbeat import SubscriptionData
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.codes import version_name

groups = Noun("Groups")

_TYPES = {"CONSUME_PASSIVELY": "push", "CONSUME_ACTIVELY": "pull", "CONSUME_POP": "pop"}


@dataclass(frozen=True, slots=True)
class GroupsQuery:
    """Which groups, in which order."""

    q: str = field_of("", "A part of the name, in any case.")
    prefix: str = field_of("", "How the name begins.")
    kind: Literal["user", "system", "all"] = field_of("user", "Which kind.")
    sort: Literal["name", "-name"] = field_of("name", "`-` turns it round.")
    figures: bool = field_of(False, "Ask brokers for the figures of this page.")
    page: int = page_field()
    size: int = size_field()


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group in a list. The last five are null unless figures were asked for."""

    name: str
    kind: str
    orderly: bool
    broadcast: bool
    enabled: bool
    retries_max: int
    brokers: tuple[str, ...]
    members: int | None
    lag: int | None
    consume_tps: float | None
    model: str | None
    type: str | None


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A page of groups."""

    items: tuple[GroupRow, ...]
    total: int
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class GroupPart:
    """How one broker has a group."""

    broker: str
    enabled: bool
    from_min: bool
    broadcast: bool
    orderly: bool
    retry_queues: int
    retries_max: int
    consume_timeout_min: int
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class SubscriptionPicture:
    """A topic and what of it is wanted."""

    topic: str
    expression: str
    expression_type: str


@dataclass(frozen=True, slots=True)
class MemberPicture:
    """A connected consumer; its subscriptions are those the broker holds for the group."""

    client_id: str
    address: str
    language: str
    version: int
    version_name: str
    subscriptions: tuple[SubscriptionPicture, ...]


@dataclass(frozen=True, slots=True)
class GroupTopic:
    """One topic of a group."""

    topic: str
    expression: str | None
    expression_type: str | None
    lag: int
    consume_tps: float | None
    consumed_ms: int


@dataclass(frozen=True, slots=True)
class Differing:
    """A topic that members subscribe to differently."""

    topic: str
    expressions: dict[str, str]


@dataclass(frozen=True, slots=True)
class GroupPicture:
    """A group: how it is set up, who is in it, how far it is."""

    name: str
    kind: str
    parts: tuple[GroupPart, ...]
    members: tuple[MemberPicture, ...]
    model: str | None
    type: str | None
    topics: tuple[GroupTopic, ...]
    lag: int
    consume_tps: float
    dead_letters: int
    differing: tuple[Differing, ...]


@dataclass(frozen=True, slots=True)
class GroupForm:
    """How a group is to be; what is left out stays, or gets its default."""

    retries_max: int | None = field_of(
        None, "How often a message is given again.", minimum=-1, maximum=10_000
    )
    orderly: bool | None = field_of(None, "Whether queues are consumed in order.")
    broadcast: bool | None = field_of(None, "Whether members may each get every message.")
    enabled: bool | None = field_of(None, "Whether it may consume.")
    consume_timeout_min: int | None = field_of(
        None, "Minutes until a message counts as not handled.", minimum=1, maximum=10_000
    )
    cluster: str | None = field_of(None, "Only on this cluster's brokers.")


@dataclass(frozen=True, slots=True)
class NewGroup(GroupForm):
    """A group to be made."""

    name: str = field_of("", "Its name.")


@dataclass(frozen=True, slots=True)
class DeleteQuery:
    """What goes with it."""

    offsets: bool = field_of(False, "Forget its offsets too.")


@dataclass(frozen=True, slots=True)
class Members:
    """The connected consumers of a group."""

    items: tuple[MemberPicture, ...]


@groups.get("/groups")
async def list_groups(desk: Desk, query: GroupsQuery) -> GroupPage:
    """A page of groups."""
    found = [
        facts
        for facts in (await desk.picture.groups()).values()
        if query.kind in ("all", facts.kind) and matches(facts.name, query.q, query.prefix)
    ]
    if query.sort == "-name":
        found.reverse()
    page = slice_of(found, query.page, query.size)
    figures: list[Figures] = [(None, None)] * len(page)
    if query.figures:
        figures = await asyncio.gather(*(_figures(desk, facts) for facts in page))
    rows = tuple(_row(facts, *one) for facts, one in zip(page, figures, strict=True))
    return GroupPage(rows, len(found), query.page, query.size)


@groups.post("/groups", status=201)
async def create(desk: Desk, body: NewGroup) -> GroupPicture:
    """Make a group. 409 `exists` when there is one of this name."""
    if not body.name:
        raise bad_request("the field name is needed", "name")
    desk.picture.forget()
    if body.name in await desk.picture.groups():
        raise Problem(409, "exists", f"the group {body.name} exists already")
    masters = await desk.admin.clusters.masters(body.cluster)
    await Configs(desk.admin.calls).save_group(
        body.name, _changes(body), [(broker, None) for broker in masters]
    )
    desk.picture.forget()
    return await show(desk, body.name)


@groups.get("/groups/{group}")
async def show(desk: Desk, group: str) -> GroupPicture:
    """How a group is set up, who is in it, how far it is in each topic."""
    facts = await desk.picture.group(group)
    masters = [broker for broker, _ in facts.parts]
    rate, found, dead = await asyncio.gather(
        desk.live.rates.group(group, masters),
        desk.live.clients.connections(group, masters),
        desk.live.rates.topic(DEAD_LETTER_PREFIX + group, masters),
    )
    return GroupPicture(
        group,
        facts.kind,
        tuple(_part(broker.name, config) for broker, config in facts.parts),
        _members(found),
        found.model.lower() or None,
        _TYPES.get(found.consume_type),
        _topics(rate, found),
        rate.lag,
        round(rate.per_second, 2),
        dead.messages,
        await _differing(desk, group, found),
    )


@groups.put("/groups/{group}")
async def update(desk: Desk, group: str, body: GroupForm) -> GroupPicture:
    """Change a group. What is left out stays as it is on each broker."""
    desk.picture.forget()
    facts = await desk.picture.group(group)
    known = [part for part in facts.parts if body.cluster in (None, part[0].cluster)]
    await Configs(desk.admin.calls).save_group(group, _changes(body), known)
    desk.picture.forget()
    return await show(desk, group)


@groups.delete("/groups/{group}")
async def delete(desk: Desk, group: str, query: DeleteQuery) -> Removed:
    """Delete a group. 409 `conflict` while members are connected, as they would make it again."""
    desk.picture.forget()
    facts = await desk.picture.group(group)
    found = await desk.live.clients.connections(group, [broker for broker, _ in facts.parts])
    if found.members:
        ids = ", ".join(one.client_id for one in found.members[:5])
        raise Problem(
            409,
            "conflict",
            f"the group {group} has {len(found.members)} connected consumers, which would create "
            f"it again; stop them first: {ids}",
        )
    brokers = await desk.admin.groups.delete(group, offsets_too=query.offsets)
    desk.picture.forget()
    return Removed(group, tuple(broker.name for broker in brokers))


@groups.get("/groups/{group}/members")
async def members(desk: Desk, group: str) -> Members:
    """The connected consumers of a group."""
    facts = await desk.picture.group(group)
    return Members(
        _members(await desk.live.clients.connections(group, [broker for broker, _ in facts.parts]))
    )


Figures = tuple[GroupRate | None, Connections | None]


async def _figures(desk: Desk, facts: GroupFacts) -> Figures:
    masters = [broker for broker, _ in facts.parts]
    try:
        return await asyncio.gather(
            desk.live.rates.group(facts.name, masters),
            desk.live.clients.connections(facts.name, masters),
        )
    except (NetError, BrokerRefused):
        return None, None


async def _differing(desk: Desk, group: str, found: Connections) -> tuple[Differing, ...]:
    """What members say they want, where they differ. One member cannot differ from itself."""
    if len(found.members) < 2:
        return ()
    said = await desk.live.said_by_members(group, found)
    by_topic: dict[str, dict[str, str]] = {}
    for client_id, running in said.items():
        for one in running.subscription_set:
            by_topic.setdefault(one.topic, {})[client_id] = one.sub_string
    asked = set(said)
    return tuple(
        Differing(topic, {name: expressions.get(name, "") for name in sorted(asked)})
        for topic, expressions in sorted(by_topic.items())
        if len(set(expressions.values())) > 1 or expressions.keys() != asked
    )


def _row(facts: GroupFacts, rate: GroupRate | None, found: Connections | None) -> GroupRow:
    config = facts.parts[0][1]
    return GroupRow(
        facts.name,
        facts.kind,
        config.consume_message_orderly,
        config.consume_broadcast_enable,
        all(one.consume_enable for _, one in facts.parts),
        config.retry_max_times,
        tuple(broker.name for broker, _ in facts.parts),
        len(found.members) if found is not None else None,
        rate.lag if rate is not None else None,
        round(rate.per_second, 2) if rate is not None else None,
        (found.model.lower() or None) if found is not None else None,
        _TYPES.get(found.consume_type) if found is not None else None,
    )


def _part(broker: str, config: SubscriptionGroup) -> GroupPart:
    return GroupPart(
        broker,
        config.consume_enable,
        config.consume_from_min_enable,
        config.consume_broadcast_enable,
        config.consume_message_orderly,
        config.retry_queue_nums,
        config.retry_max_times,
        config.consume_timeout_minute,
        config.attributes,
    )


def _members(found: Connections) -> tuple[MemberPicture, ...]:
    wanted = subscriptions_of(found.subscriptions)
    return tuple(_member(one, wanted) for one in found.members)


def _member(one: ClientConnection, wanted: tuple[SubscriptionPicture, ...]) -> MemberPicture:
    name = version_name(one.version)
    return MemberPicture(one.client_id, one.client_addr, one.language, one.version, name, wanted)


def subscriptions_of(found: Iterable[SubscriptionData]) -> tuple[SubscriptionPicture, ...]:
    """Subscriptions as they are shown."""
    return tuple(
        SubscriptionPicture(one.topic, one.sub_string, one.expression_type) for one in found
    )


def _topics(rate: GroupRate, found: Connections) -> tuple[GroupTopic, ...]:
    wanted = {one.topic: one for one in found.subscriptions}
    rows = []
    for topic in sorted({queue.topic for queue in rate.queues} | wanted.keys()):
        queues = [queue for queue in rate.queues if queue.topic == topic]
        one = wanted.get(topic)
        rows.append(
            GroupTopic(
                topic,
                one.sub_string if one is not None else None,
                one.expression_type if one is not None else None,
                sum(queue.lag for queue in queues),
                None,
                max((queue.consumed_ms for queue in queues), default=0),
            )
        )
    return tuple(rows)


def _changes(form: GroupForm) -> dict[str, Any]:
    given = {
        "retry_max_times": form.retries_max,
        "consume_message_orderly": form.orderly,
        "consume_broadcast_enable": form.broadcast,
        "consume_enable": form.enabled,
        "consume_timeout_minute": form.consume_timeout_min,
    }
    return {name: value for name, value in given.items() if value is not None}
