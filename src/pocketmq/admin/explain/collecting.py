"""Collects the facts about one message: copies, brokers, queue, transaction, pops and traces."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pocketmq.admin.admin import Admin
from pocketmq.admin.clusters import Broker
from pocketmq.admin.explain.facts import (
    BrokerFacts,
    CheckPointFacts,
    Copy,
    MessageFacts,
    QueueFacts,
)
from pocketmq.admin.explain.membership import GroupMembers
from pocketmq.admin.explain.pops import check_points_of
from pocketmq.admin.explain.search import Search, all_of
from pocketmq.admin.explain.transactions import ended_halves
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue
from pocketmq.clock import SystemClock
from pocketmq.errors import BrokerRefused, MalformedBody, NetError
from pocketmq.message import topics as names
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.subscription_group import GroupList
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.requests.topics import TopicRequest

GROUPS_ASKED_MAX: Final = 2000
_FILE_BYTES: Final = 1024 * 1024 * 1024
_RUNTIME: Final = re.compile(
    r"(?P<days>\d+) days, (?P<hours>\d+) hours, (?P<minutes>\d+) minutes, (?P<seconds>\d+) sec"
)
_FAILURES: Final = (NetError, BrokerRefused, MalformedBody)


def broker_now_ms(runtime: Mapping[str, str]) -> int | None:
    """What a broker's clock said, to the second: its start, and how long it has been running."""
    found = _RUNTIME.search(runtime.get("runtime", ""))
    start = runtime.get("bootTimestamp", "")
    if found is None or not start.isdecimal():
        return None
    hours = int(found["days"]) * 24 + int(found["hours"])
    return int(start) + ((hours * 60 + int(found["minutes"])) * 60 + int(found["seconds"])) * 1000


async def broker_facts(admin: Admin, broker: Broker) -> BrokerFacts:
    """A broker's figures and settings; without those it refuses to tell."""
    runtime: Mapping[str, str] = {}
    config: Mapping[str, str] = {}
    try:
        runtime = await admin.clusters.runtime(broker)
        answer = await admin.calls.ask(broker.address, RequestCode.GET_BROKER_CONFIG)
        config = parse_properties(bytes(answer.body))
    except _FAILURES as error:
        admin.calls.note_error(broker.address, error)
    here_ms = SystemClock().now_ms()
    there_ms = broker_now_ms(runtime)
    # Seconds are cut off there, so a difference of less is none.
    is_same = there_ms is None or 0 <= here_ms - there_ms < 2000
    now_ms = here_ms if there_ms is None or is_same else there_ms + 500
    return BrokerFacts(broker.name, broker.address, now_ms, runtime, config)


async def groups_of_topic(
    calls: Calls, masters: Sequence[Broker], topic: str, configs: Iterable[str]
) -> set[str]:
    """The groups that subscribe to a topic or have positions in it, the system's left out."""

    async def ask(broker: Broker) -> set[str]:
        code = RequestCode.QUERY_TOPIC_CONSUME_BY_WHO
        try:
            answer = await calls.ask(broker.address, code, TopicRequest(topic))
        except _FAILURES as error:
            calls.note_error(broker.address, error)
            return set()
        return set(GroupList.from_json(bytes(answer.body)).group_list) if answer.body else set()

    told = await all_of(masters, ask)
    found = set().union(*told) - {topic}
    for broker, groups in zip(masters, told, strict=True):
        if topic in groups:
            # Apache's 5.3 names the topic where it should name the groups that subscribe to it.
            found |= await _subscribed(calls, broker, topic, set(configs) - found)
    return {name for name in found if not is_hidden(name)}


async def _subscribed(calls: Calls, broker: Broker, topic: str, groups: Iterable[str]) -> set[str]:
    """Those of these groups that have a member that subscribes to a topic."""

    async def ask(group: str) -> bool:
        asked = GroupMembers(calls, broker.address, group, topic)
        connections = await asked.connections()
        return connections is not None and topic in connections.subscription_table

    chosen = [group for group in sorted(groups) if not is_hidden(group)][:GROUPS_ASKED_MAX]
    answers = await all_of(chosen, ask)
    return {group for group, is_one in zip(chosen, answers, strict=True) if is_one}


def is_hidden(group: str) -> bool:
    """Whether a group is the system's own."""
    return names.is_system_group(group) or group in names.BUILT_IN_GROUPS


async def collect(
    admin: Admin,
    search: Search,
    masters: Sequence[Broker],
    found: Sequence[Copy],
    group: str,
    configs: Iterable[str],
) -> tuple[MessageFacts, list[str]]:
    """All about the message that these are copies of, and the groups to look at.

    `configs` are the groups there are.
    """
    topic = found[0].origin
    unique_key = found[0].unique_key
    traces = await search.traces(unique_key) if unique_key else []
    groups = {group} if group else await groups_of_topic(admin.calls, masters, topic, configs)
    traced = {point.group for point in traces if point.what == "delivered"}
    if not group:
        groups |= {name for name in traced if "@" not in name}
    chosen = sorted(groups)
    copies = await _all_copies(search, found, topic, chosen)
    brokers = {broker.name: broker for broker in masters}
    holding = [brokers[name] for name in {copy.broker for copy in copies} if name in brokers]
    told = await all_of(holding, lambda broker: broker_facts(admin, broker))
    facts = MessageFacts(
        unique_key or found[0].offset_id,
        topic,
        tuple(copies),
        {one.name: one for one in told},
        traces=tuple(traces),
    )
    return await _deepened(admin.calls, search, brokers, facts), chosen


async def _all_copies(
    search: Search, found: Sequence[Copy], topic: str, groups: Sequence[str]
) -> list[Copy]:
    unique_key = found[0].unique_key
    if not unique_key:
        return list(found)
    places = [topic, names.SCHEDULE_TOPIC, names.TIMER_TOPIC, names.HALF_TOPIC]
    places.append(names.CHECK_MAX_TOPIC)
    for group in groups:
        places += [
            names.retry_topic(group),
            names.dead_letter_topic(group),
            names.pop_retry_topic(group, topic),
            names.pop_retry_topic(group, topic, second_form=True),
        ]
    everywhere = await search.copies_in(places, unique_key)
    once = {(copy.broker, copy.log_offset): copy for copy in (*found, *everywhere)}
    # Copies that wait for another topic, or were half of another, are of another message.
    mine = [copy for copy in once.values() if copy.target in places or copy.origin == topic]
    return sorted(mine or found, key=lambda copy: copy.age_key)


async def _deepened(
    calls: Calls, search: Search, brokers: Mapping[str, Broker], facts: MessageFacts
) -> MessageFacts:
    """The facts with what depends on where the copies are."""
    visible = facts.visible
    newest = visible or facts.copies[-1]
    halves = [copy for copy in facts.copies if copy.topic == names.HALF_TOPIC]
    readable = [copy for copy in facts.copies if copy.topic not in _NEVER_POPPED]
    ended: frozenset[int] = frozenset()
    halves_unknown = pops_unknown = ""
    points: list[CheckPointFacts] = []
    if halves:
        ended, halves_unknown = await ended_halves(calls, facts.broker_of(halves[0]), halves)
    if readable:
        points, pops_unknown = await check_points_of(calls, facts.broker_of(readable[-1]), readable)
    queue, next_file_ms = await asyncio.gather(
        _queue_facts(calls, newest), _next_file_ms(search, brokers, facts, newest)
    )
    return MessageFacts(
        facts.message_id,
        facts.topic,
        facts.copies,
        facts.brokers,
        queue,
        next_file_ms,
        ended,
        halves_unknown,
        tuple(points),
        pops_unknown,
        facts.traces,
    )


_NEVER_POPPED: Final = frozenset(
    (names.SCHEDULE_TOPIC, names.TIMER_TOPIC, names.HALF_TOPIC, names.CHECK_MAX_TOPIC)
)


async def _queue_facts(calls: Calls, copy: Copy) -> QueueFacts | None:
    queue = MessageQueue(copy.topic, copy.broker, copy.queue_id)
    try:
        first = await calls.min_offset(copy.address, queue)
        end = await calls.max_offset(copy.address, queue)
        route = await calls.route(copy.topic)
    except _FAILURES as error:
        calls.note_error(copy.address, error)
        return None
    for data in route.queue_datas if route is not None else ():
        if data.broker_name == copy.broker:
            return QueueFacts(first, end, data.perm, data.read_queue_nums)
    return QueueFacts(first, end)


async def _next_file_ms(
    search: Search, brokers: Mapping[str, Broker], facts: MessageFacts, copy: Copy
) -> int | None:
    """When the next commit log file was begun, which is when the message's file was last written.

    None while the message's file is the one that is written.
    """
    broker = brokers.get(copy.broker)
    if broker is None or copy.broker not in facts.brokers:
        return None
    told = facts.brokers[copy.broker]
    file_bytes = told.number("mappedFileSizeCommitLog", _FILE_BYTES)
    next_file = (copy.log_offset // file_bytes + 1) * file_bytes
    if told.number("commitLogMaxOffset", 0) <= next_file:
        return None
    first = await search.view(broker, next_file)
    return None if first is None else first.stored_ms
