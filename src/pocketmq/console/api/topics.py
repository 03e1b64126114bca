"""Topics: listed, shown, made, changed, deleted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from pocketmq.admin.clients import Client
from pocketmq.admin.configs import Configs, TopicChange
from pocketmq.admin.rates import TopicRate
from pocketmq.console.api.clients import ClientPicture
from pocketmq.console.api.paging import matches, page_field, size_field, slice_of
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.picture import MESSAGE_TYPE, PERMISSIONS, TopicFacts, permission_word
from pocketmq.console.problems import Problem, bad_request
from pocketmq.console.shapes import field_of
from pocketmq.errors import BrokerRefused, NetError
from pocketmq.protocol.bodies.subscription_group import GroupList
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.topics import TopicRequest

topics = Noun("Topics")

Kind = Literal[
    "user", "normal", "fifo", "delay", "transaction", "mixed", "unspecified",
    "retry", "dead_letter", "system", "all",
]  # fmt: skip
Permission = Literal["both", "read", "write", "none"]
MessageType = Literal["NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"]
QUEUES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class TopicsQuery:
    """Which topics, in which order."""

    q: str = field_of("", "A part of the name, in any case.")
    prefix: str = field_of("", "How the name begins.")
    kind: Kind = field_of("user", "Which kind; `user` is all that people made.")
    sort: Literal["name", "-name", "queues", "-queues"] = field_of("name", "`-` turns it round.")
    figures: bool = field_of(False, "Ask brokers for the figures of this page.")
    page: int = page_field()
    size: int = size_field()


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic in a list. The last three are null unless figures were asked for."""

    name: str
    kind: str
    queues: int
    permission: str
    brokers: tuple[str, ...]
    messages: int | None
    put_tps: float | None
    updated_ms: int | None


@dataclass(frozen=True, slots=True)
class TopicPage:
    """A page of topics, and how many there are of each kind."""

    items: tuple[TopicRow, ...]
    total: int
    page: int
    size: int
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """What one broker has of a topic."""

    cluster: str
    broker: str
    address: str
    read_queues: int
    write_queues: int
    permission: str
    order: bool


@dataclass(frozen=True, slots=True)
class QueueNow:
    """What one queue holds: offsets from `first` up to `end`."""

    broker: str
    queue_id: int
    first: int
    end: int
    messages: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class TopicPicture:
    """A topic: where it lies and what it holds."""

    name: str
    kind: str
    attributes: dict[str, str]
    messages: int
    parts: tuple[Part, ...]
    queues: tuple[QueueNow, ...]
    put_tps: float
    get_tps: float


@dataclass(frozen=True, slots=True)
class TopicForm:
    """How a topic is to be; what is left out stays, or gets its default."""

    queues: int | None = field_of(
        None, "Queues on each broker, to read and write.", minimum=1, maximum=QUEUES_MAX
    )
    read_queues: int | None = field_of(None, "Queues to read.", minimum=1, maximum=QUEUES_MAX)
    write_queues: int | None = field_of(None, "Queues to write.", minimum=1, maximum=QUEUES_MAX)
    permission: Permission | None = field_of(None, "What clients may do.")
    message_type: MessageType | None = field_of(None, "The attribute message.type.")
    attributes: dict[str, str] | None = field_of(None, "All its attributes.")
    cluster: str | None = field_of(None, "Only on this cluster's brokers.")
    order: bool | None = field_of(None, "Whether it counts as ordered.")


@dataclass(frozen=True, slots=True)
class NewTopic(TopicForm):
    """A topic to be made."""

    name: str = field_of("", "Its name.")


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed, from which brokers."""

    name: str
    brokers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterQuery:
    """One cluster of several."""

    cluster: str | None = field_of(None, "Only on this cluster's brokers.")


@dataclass(frozen=True, slots=True)
class TopicGroup:
    """A group that consumes a topic."""

    group: str
    members: int | None
    lag: int | None
    consume_tps: float | None
    consumed_ms: int | None


@dataclass(frozen=True, slots=True)
class TopicGroups:
    """The groups that consume a topic."""

    items: tuple[TopicGroup, ...]


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """One producer group."""

    group: str | None = field_of(None, "A producer group.")


@dataclass(frozen=True, slots=True)
class Producers:
    """Producers that are connected."""

    items: tuple[ClientPicture, ...]


@topics.get("/topics")
async def list_topics(desk: Desk, query: TopicsQuery) -> TopicPage:
    """A page of topics."""
    known = await desk.picture.topics()
    found = [
        facts
        for facts in known.by_name.values()
        if _is_kind(facts, query.kind) and matches(facts.name, query.q, query.prefix)
    ]
    if query.sort.endswith("queues"):
        found.sort(key=lambda facts: sum(c.read_queue_nums for _, c in facts.parts))
    if query.sort.startswith("-"):
        found.reverse()
    page = slice_of(found, query.page, query.size)
    rates: list[TopicRate | None] = [None] * len(page)
    if query.figures:
        rates = await asyncio.gather(*(_rate(desk, facts) for facts in page))
    rows = tuple(_row(facts, rate) for facts, rate in zip(page, rates, strict=True))
    return TopicPage(rows, len(found), query.page, query.size, known.kinds)


@topics.post("/topics", status=201)
async def create(desk: Desk, body: NewTopic) -> TopicPicture:
    """Make a topic. 409 `exists` when there is one of this name."""
    if not body.name:
        raise bad_request("the field name is needed", "name")
    desk.picture.forget()
    if body.name in (await desk.picture.topics()).by_name:
        raise Problem(409, "exists", f"the topic {body.name} exists already")
    masters = await desk.admin.clusters.masters(body.cluster)
    await Configs(desk.admin.calls).save_topic(
        body.name, _change(body, {}), [(broker, None) for broker in masters]
    )
    desk.picture.forget()
    return await show(desk, body.name)


@topics.get("/topics/{topic}")
async def show(desk: Desk, topic: str) -> TopicPicture:
    """Where a topic lies and what its queues hold."""
    facts = await desk.picture.topic(topic)
    masters = [broker for broker, _ in facts.parts]
    extents, rate, out = await asyncio.gather(
        desk.admin.topics.extents(topic),
        _rate(desk, facts),
        desk.live.rates.consumed(topic, masters),
    )
    return TopicPicture(
        topic,
        facts.kind,
        _attributes(facts),
        sum(one.messages for one in extents),
        tuple(
            Part(
                broker.cluster,
                broker.name,
                broker.address,
                config.read_queue_nums,
                config.write_queue_nums,
                permission_word(config.perm),
                config.order,
            )
            for broker, config in facts.parts
        ),
        tuple(
            QueueNow(one.broker, one.queue_id, one.first, one.end, one.messages, one.updated_ms)
            for one in extents
        ),
        round(rate.per_second, 2) if rate is not None else 0.0,
        round(out, 2),
    )


@topics.put("/topics/{topic}")
async def update(desk: Desk, topic: str, body: TopicForm) -> TopicPicture:
    """Change a topic. What is left out stays as it is on each broker."""
    desk.picture.forget()
    facts = await desk.picture.topic(topic)
    known = [
        (broker, config) for broker, config in facts.parts if body.cluster in (None, broker.cluster)
    ]
    change = _change(body, _attributes(facts))
    await Configs(desk.admin.calls).save_topic(topic, change, known)
    desk.picture.forget()
    return await show(desk, topic)


@topics.delete("/topics/{topic}")
async def delete(desk: Desk, topic: str, query: ClusterQuery) -> Removed:
    """Delete a topic with all its messages."""
    desk.picture.forget()
    await desk.picture.topic(topic)
    brokers = await desk.admin.topics.delete(topic, cluster=query.cluster)
    desk.picture.forget()
    return Removed(topic, tuple(broker.name for broker in brokers))


@topics.get("/topics/{topic}/groups")
async def groups_of(desk: Desk, topic: str) -> TopicGroups:
    """The groups that consume a topic, and how far they are."""
    facts = await desk.picture.topic(topic)
    masters = [broker for broker, _ in facts.parts]
    names: set[str] = set()
    for broker in masters:
        code = RequestCode.QUERY_TOPIC_CONSUME_BY_WHO
        answer = await desk.admin.calls.ask(broker.address, code, TopicRequest(topic))
        names.update(GroupList.from_json(bytes(answer.body)).group_list)
    turns = asyncio.Semaphore(8)

    async def ask(group: str) -> TopicGroup:
        async with turns:
            try:
                rate, found = await asyncio.gather(
                    desk.live.rates.group(group, masters, topic),
                    desk.live.clients.connections(group, masters),
                )
            except (NetError, BrokerRefused):
                return TopicGroup(group, None, None, None, None)
        newest = max((queue.consumed_ms for queue in rate.queues), default=0)
        return TopicGroup(group, len(found.members), rate.lag, rate.per_second, newest)

    return TopicGroups(tuple(await asyncio.gather(*(ask(name) for name in sorted(names)))))


@topics.get("/topics/{topic}/producers")
async def producers_of(desk: Desk, topic: str, query: GroupQuery) -> Producers:
    """Who may produce: a group's producers, or all on the brokers of the topic."""
    facts = await desk.picture.topic(topic)
    masters = [broker for broker, _ in facts.parts]
    found: list[Client] = await desk.live.clients.producers(masters, query.group)
    return Producers(tuple(ClientPicture.of(client) for client in found))


async def _rate(desk: Desk, facts: TopicFacts) -> TopicRate | None:
    try:
        return await desk.live.rates.topic(facts.name, [broker for broker, _ in facts.parts])
    except (NetError, BrokerRefused):
        return None


def _row(facts: TopicFacts, rate: TopicRate | None) -> TopicRow:
    return TopicRow(
        facts.name,
        facts.kind,
        sum(config.read_queue_nums for _, config in facts.parts),
        permission_word(facts.parts[0][1].perm),
        tuple(broker.name for broker, _ in facts.parts),
        rate.messages if rate is not None else None,
        round(rate.per_second, 2) if rate is not None else None,
        rate.updated_ms if rate is not None else None,
    )


def _is_kind(facts: TopicFacts, kind: str) -> bool:
    return kind in ("all", facts.kind) or (kind == "user" and facts.is_user)


def _attributes(facts: TopicFacts) -> dict[str, str]:
    return {name: value for _, config in facts.parts for name, value in config.attributes.items()}


def _change(form: TopicForm, now: dict[str, str]) -> TopicChange:
    attributes = form.attributes
    if form.message_type is not None:
        attributes = {
            **(now if attributes is None else attributes),
            MESSAGE_TYPE: form.message_type,
        }
    return TopicChange(
        form.read_queues or form.queues,
        form.write_queues or form.queues,
        None if form.permission is None else PERMISSIONS[form.permission],
        form.order,
        attributes,
    )
