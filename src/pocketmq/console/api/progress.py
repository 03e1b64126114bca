"""How far a group is, queue by queue, and what one of its consumers says of itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pocketmq.admin.groups import QueueProgress as Measured
from pocketmq.console.api.groups import SubscriptionPicture, subscriptions_of
from pocketmq.console.api.paging import page_field, size_field, slice_of
from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun
from pocketmq.console.problems import not_found
from pocketmq.console.shapes import field_of
from pocketmq.protocol.bodies.running import ConsumerRunning

progress = Noun("Groups")

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProgressQuery:
    """Which queues."""

    topic: str | None = field_of(None, "Only of this topic.")
    page: int = page_field()
    size: int = size_field()


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """How far the group is in a queue; `client_id` null: nobody is known to have it."""

    topic: str
    broker: str
    queue_id: int
    end: int
    consumed: int
    lag: int
    consumed_ms: int
    client_id: str | None


@dataclass(frozen=True, slots=True)
class ProgressPage:
    """A page of queues, and how far behind the group is in all of them."""

    items: tuple[QueueProgress, ...]
    total: int
    page: int
    size: int
    lag: int


@dataclass(frozen=True, slots=True)
class RunningQuery:
    """Which consumer."""

    client: str = field_of(doc="Its client id.")
    stack: bool = field_of(False, "Ask for the stacks of its threads.")


@dataclass(frozen=True, slots=True)
class RunningQueue:
    """A queue that the consumer has."""

    topic: str
    broker: str
    queue_id: int
    commit_offset: int
    cached: int
    cached_bytes: int
    first_cached: int
    last_cached: int
    locked: bool
    dropped: bool
    pulled_ms: int
    consumed_ms: int


@dataclass(frozen=True, slots=True)
class PoppedQueue:
    """A queue that the consumer pops from."""

    topic: str
    broker: str
    queue_id: int
    unacknowledged: int
    dropped: bool
    popped_ms: int


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the consumer is on a topic."""

    topic: str
    pull_rt_ms: float
    pull_tps: float
    consume_rt_ms: float
    ok_tps: float
    failed_tps: float
    failed_hour: int


@dataclass(frozen=True, slots=True)
class RunningPicture:
    """What a consumer says of itself."""

    client_id: str
    properties: dict[str, str]
    subscriptions: tuple[SubscriptionPicture, ...]
    queues: tuple[RunningQueue, ...]
    pop_queues: tuple[PoppedQueue, ...]
    status: tuple[Speed, ...]
    stack: str | None


@progress.get("/groups/{group}/progress")
async def queues(desk: Desk, group: str, query: ProgressQuery) -> ProgressPage:
    """How far a group is in each queue, and which member has it."""
    facts = await desk.picture.group(group)
    masters = [broker for broker, _ in facts.parts]
    rate, owners = await asyncio.gather(
        desk.live.rates.group(group, masters, query.topic), desk.live.owners(group, masters)
    )
    page = slice_of(rate.queues, query.page, query.size)
    items = tuple(_queue(one, owners.get((one.topic, one.broker, one.queue_id))) for one in page)
    return ProgressPage(items, len(rate.queues), query.page, query.size, rate.lag)


@progress.get("/groups/{group}/running")
async def running(desk: Desk, group: str, query: RunningQuery) -> RunningPicture:
    """What a consumer says of itself, with the stacks of its threads if asked for."""
    facts = await desk.picture.group(group)
    masters = [broker for broker, _ in facts.parts]
    found = await desk.live.clients.connections(group, masters)
    if all(one.client_id != query.client for one in found.members):
        raise not_found("client", query.client, f"members are listed at /api/v1/groups/{group}")
    said = await desk.live.clients.running(group, query.client, masters, stack=query.stack)
    return _running(query.client, said)


def _queue(one: Measured, owner: str | None) -> QueueProgress:
    return QueueProgress(
        one.topic,
        one.broker,
        one.queue_id,
        one.end,
        one.consumed,
        one.lag,
        one.consumed_ms,
        owner,
    )


def _running(client_id: str, said: ConsumerRunning) -> RunningPicture:
    return RunningPicture(
        client_id,
        {name: str(value) for name, value in said.properties.items()},
        subscriptions_of(said.subscription_set),
        tuple(
            RunningQueue(
                queue.topic,
                queue.broker_name,
                queue.queue_id,
                one.commit_offset,
                one.cached_msg_count,
                one.cached_msg_size_mib * _MIB,
                one.cached_msg_min_offset,
                one.cached_msg_max_offset,
                one.locked,
                one.dropped,
                one.last_pull_timestamp,
                one.last_consume_timestamp,
            )
            for queue, one in said.mq_table.items()
        ),
        tuple(
            PoppedQueue(
                queue.topic,
                queue.broker_name,
                queue.queue_id,
                popped.wait_ack_count,
                popped.dropped,
                popped.last_pop_timestamp,
            )
            for queue, popped in said.mq_pop_table.items()
        ),
        tuple(
            Speed(
                topic,
                one.pull_rt,
                one.pull_tps,
                one.consume_rt,
                one.consume_ok_tps,
                one.consume_failed_tps,
                one.consume_failed_msgs,
            )
            for topic, one in said.status_table.items()
        ),
        said.jstack,
    )
