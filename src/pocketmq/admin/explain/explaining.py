"""Puts an explanation together: find the message, collect the facts, judge them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from pocketmq.admin.admin import Admin
from pocketmq.admin.clusters import Broker
from pocketmq.admin.explain.collecting import collect
from pocketmq.admin.explain.facts import Copy, MessageFacts
from pocketmq.admin.explain.fates import fate_of
from pocketmq.admin.explain.findings import Explanation, Finding, GroupFate, MessageLife, Status
from pocketmq.admin.explain.membership import group_configs, group_facts
from pocketmq.admin.explain.on_the_way import way_findings
from pocketmq.admin.explain.search import Search, all_of
from pocketmq.admin.explain.storage import storage_findings
from pocketmq.admin.explain.words import counted, listed
from pocketmq.errors import BrokerRefused, ConfigError, MalformedBody, NetError
from pocketmq.message.topics import DEAD_LETTER_PREFIX, RETRY_PREFIX
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup

MESSAGES_MAX: Final = 5
GROUPS_MAX: Final = 200


async def explain(
    admin: Admin,
    *,
    message_id: str = "",
    key: str = "",
    topic: str | None = None,
    group: str = "",
) -> Explanation:
    """The life of a message, by its id, or of those of a topic that carry a key, newest first.

    `group` looks at one group only, and at it even when it has nothing to do with the topic. Raise
    ConfigError for a question that makes no sense, NameServersUnreachable.
    """
    if bool(message_id) == bool(key):
        raise ConfigError("say either the id of a message or a key")
    if key and not topic:
        raise ConfigError("a key is looked for in one topic; say which with --topic")
    masters = await admin.clusters.masters()
    names = await admin.topics.names(everything=True)
    search = Search(admin, masters, names)
    if topic and topic not in names:
        return Explanation(message_id or key, (), (_no_such_topic(topic, names),))
    if message_id:
        found = await search.by_id(message_id.strip(), topic)
    else:
        found = await search.by_key(key, topic or "")
    if not found:
        return Explanation(
            message_id or key, (), (_not_found(message_id, key, topic, masters), *_unasked(search))
        )
    apart = _apart(found)
    lives = [await _life(admin, search, masters, copies, group) for copies in apart[:MESSAGES_MAX]]
    findings = _unasked(search)
    if len(apart) > MESSAGES_MAX:
        findings.append(_more(key, len(apart)))
    return Explanation(message_id or key, tuple(lives), tuple(findings))


def _apart(found: Sequence[Copy]) -> list[list[Copy]]:
    """The copies of each message by themselves, the newest message first."""
    messages: dict[str, list[Copy]] = {}
    for copy in found:
        messages.setdefault(copy.unique_key or copy.offset_id, []).append(copy)
    return sorted(messages.values(), key=lambda copies: copies[-1].age_key, reverse=True)


async def _life(
    admin: Admin, search: Search, masters: Sequence[Broker], found: list[Copy], group: str
) -> MessageLife:
    if found[0].unique_key and found[0].origin.startswith((RETRY_PREFIX, DEAD_LETTER_PREFIX)):
        # What was popped and comes again does not name the topic it came from.
        everywhere = await search.by_id(found[0].unique_key, None)
        found = [copy for copy in everywhere if copy.origin[:1] != "%"] or found
    configs, problem = await _configs(admin, found[-1])
    facts, groups = await collect(admin, search, masters, found, group, configs)

    async def fate(name: str) -> GroupFate:
        return fate_of(
            facts, await group_facts(admin.calls, facts, name, configs.get(name)), problem
        )

    fates = await all_of(groups[:GROUPS_MAX], fate)
    findings = [*way_findings(facts), *storage_findings(facts)]
    if not findings:
        findings.append(_elsewhere(facts))
    if not groups:
        findings.append(_nobody(facts.topic))
    if len(groups) > GROUPS_MAX:
        findings.append(_more_groups(facts.topic, len(groups)))
    if not group:
        # Nobody can see it: that is said once, and not of each group.
        fates = [one for one in fates if one.status is not Status.NOT_YET]
    if not facts.copies[0].unique_key:
        findings.append(_without_key())
    return MessageLife(facts.message_id, facts.topic, tuple(findings), tuple(fates))


async def _configs(admin: Admin, copy: Copy) -> tuple[dict[str, SubscriptionGroup], str]:
    """The groups of a message's broker, and why they are not known."""
    try:
        return await group_configs(admin.calls, copy.address), ""
    except (NetError, BrokerRefused, MalformedBody) as error:
        return {}, str(error)


def _nobody(topic: str) -> Finding:
    return Finding(
        "nobody consumes it",
        f"No group subscribes to topic {topic} or has ever consumed from it.",
        {"topic": topic},
        "pocketmq group list",
    )


def _elsewhere(facts: MessageFacts) -> Finding:
    copy = facts.copies[-1]
    return Finding(
        "original gone",
        f"It is no longer in topic {facts.topic}, most likely because it was deleted with its "
        f"file. What is left is a copy in {copy.topic}, queue {copy.queue_id} at offset "
        f"{copy.queue_offset:,} on {copy.broker}.",
        {"topic": copy.topic, "offset_message_id": copy.offset_id},
    )


def _more_groups(topic: str, count: int) -> Finding:
    return Finding(
        "more groups",
        f"{counted(count, 'group')} consume topic {topic}; the first {GROUPS_MAX} by name are told "
        "of. Ask for one with --group.",
        {"groups": count},
    )


def _without_key() -> Finding:
    return Finding(
        "no unique key",
        "Its producer gave it no unique key, as very old clients do. Its copies, such as those of "
        "failed deliveries, cannot be told from others', so retries are not considered here.",
    )


def _not_found(message_id: str, key: str, topic: str | None, masters: Sequence[Broker]) -> Finding:
    where = f"topic {topic}" if topic else "any topic"
    brokers = listed([broker.name for broker in masters]) or "none"
    if key:
        text = (
            f"No message with key {key} was found in {where} (brokers asked: {brokers}). Keys "
            "are found as long as the message's file is kept, and only as a whole word."
        )
        command = f"pocketmq topic show {topic}"
    else:
        text = (
            f"No message with id {message_id} was found in {where} (brokers asked: {brokers}). "
            "Either it was never stored, so look at what its send returned, or it is older than "
            "brokers keep messages."
        )
        command = f"pocketmq topic show {topic}" if topic else "pocketmq topic list"
    return Finding("not found", text, {"brokers": brokers}, command)


def _no_such_topic(topic: str, names: Sequence[str]) -> Finding:
    close = difflib.get_close_matches(topic, names, n=3)
    meant = f" Did you mean {listed(close)}?" if close else ""
    return Finding(
        "no such topic",
        f"There is no topic {topic}, so there is no such message in it.{meant}",
        {"topic": topic},
        "pocketmq topic list",
    )


def _more(key: str, count: int) -> Finding:
    return Finding(
        "more messages",
        f"{counted(count, 'message')} carry key {key}; the newest {MESSAGES_MAX} are told of.",
        {"messages": count},
    )


def _unasked(search: Search) -> list[Finding]:
    return [
        Finding(
            "broker not asked",
            f"The broker at {address} could not be asked, so what it knows is missing here: "
            f"{problem}.",
            {"address": address},
            "pocketmq doctor",
        )
        for address, problem in search.problems.items()
    ]
