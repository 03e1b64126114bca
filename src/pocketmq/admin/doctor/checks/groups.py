"""Groups: members that disagree, topics that do not exist, filters that are refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pocketmq.admin.doctor.facts import ClusterFacts, GroupFacts, MemberFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import counted, listed
from pocketmq.message.topics import PERM_READ, RETRY_PREFIX
from pocketmq.protocol.bodies.heartbeat import POP

SQL = "SQL "
"""How SQL expressions begin among the facts."""


def subscriptions(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Groups whose members want different things."""
    for group in facts.groups:
        told = [member for member in group.members if member.wants is not None]
        topics = sorted(set().union(*(member.wants or () for member in told)) if told else ())
        for topic in topics:
            if topic.startswith(RETRY_PREFIX):
                continue
            kinds: dict[str, list[MemberFacts]] = {}
            for member in told:
                wanted = (member.wants or {}).get(topic)
                kinds.setdefault(_words(wanted), []).append(member)
            if len(kinds) > 1:
                yield _differ(group, topic, kinds)


def _differ(group: GroupFacts, topic: str, kinds: dict[str, list[MemberFacts]]) -> Finding:
    parts = [
        f"{listed([member.client_id for member in members], 2)} "
        f"{'wants' if len(members) == 1 else 'want'} {text}"
        for text, members in sorted(kinds.items())
    ]
    return Finding(
        "members subscribe alike",
        Severity.PROBLEM,
        group.name,
        f"The members of group {group.name} do not agree about topic {topic}: {'; '.join(parts)}.",
        "A broker filters for the whole group by what it heard last, and shares the queues among "
        "all members. So messages that one member wants go to another, which drops them, or to "
        "nobody.",
        "Let all members of a group subscribe alike, or use a group for each kind.",
        f"pocketmq group show {group.name}",
        {member.client_id: text for text, members in kinds.items() for member in members},
    )


def _words(expression: str | None) -> str:
    if expression is None:
        return "nothing of it"
    return "all of it" if expression in ("", "*") else f"`{expression}`"


def missing_topics(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Groups that subscribe to topics no broker has."""
    known = {topic.name for topic in facts.topics if topic.parts}
    if not known:
        return
    for group in facts.groups:
        for topic in sorted(group.subscriptions):
            if topic in known or topic.startswith(RETRY_PREFIX):
                continue
            close = difflib.get_close_matches(topic, known, n=1)
            meant = f" Perhaps {close[0]} is meant." if close else ""
            yield Finding(
                "subscribed topics exist",
                Severity.WARNING,
                group.name,
                f"Group {group.name} subscribes to topic {topic}, which does not exist.{meant}",
                "Its members wait for messages that cannot come.",
                "Correct the name in the consumer, or create the topic.",
                f"pocketmq topic create {topic}",
                {"topic": topic},
            )


def sql_filters(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Groups that filter by SQL on brokers that refuse it."""
    off = [
        broker.name
        for broker in facts.answering
        if broker.is_master and broker.config.get("enablePropertyFilter") == "false"
    ]
    if not off:
        return
    for group in facts.groups:
        topics = sorted(
            topic for topic, wanted in group.subscriptions.items() if wanted.startswith(SQL)
        )
        if topics:
            yield Finding(
                "filters are allowed",
                Severity.PROBLEM,
                group.name,
                f"Group {group.name} filters {listed(topics)} by SQL, which {listed(off)} "
                f"{'refuses' if len(off) == 1 else 'refuse'} (enablePropertyFilter=false).",
                "Its pulls are answered with an error, so it gets nothing.",
                "Switch SQL filters on and restart the broker, or filter by tags.",
                "pocketmq broker --set enablePropertyFilter=true",
            )


def idle_members(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Groups with more members than queues."""
    queues = {
        topic.name: sum(part.read_queues for part in topic.parts if part.permission & PERM_READ)
        for topic in facts.topics
    }
    for group in facts.groups:
        if group.is_broadcast or group.consume_type == POP:
            continue
        topics = [topic for topic in group.subscriptions if not topic.startswith(RETRY_PREFIX)]
        most = max((queues.get(topic, 0) for topic in topics), default=0)
        if most and len(group.members) > most:
            idle = len(group.members) - most
            largest = max(topics, key=lambda topic: queues.get(topic, 0))
            yield Finding(
                "members have work",
                Severity.NOTE,
                group.name,
                f"Group {group.name} has {counted(len(group.members), 'member')} for "
                f"{counted(most, 'queue')}, so {counted(idle, 'member')} "
                f"{'has' if idle == 1 else 'have'} nothing to do.",
                "A queue is read by one member at a time.",
                "Give the topic more queues, or stop members.",
                f"pocketmq topic update {largest} --queues {len(group.members)}",
                {"members": len(group.members), "queues": most},
            )
