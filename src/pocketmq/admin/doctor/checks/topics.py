"""Topics nobody can find, write or read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pocketmq.admin.doctor.facts import BrokerFacts, ClusterFacts, TopicFacts, TopicPart
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import counted, listed
from pocketmq.message.topics import (
    DEAD_LETTER_PREFIX,
    PERM_READ,
    PERM_WRITE,
    RETRY_PREFIX,
    is_system_topic,
    reply_topic,
)


def routes(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Topics that a name server lists and no broker has."""
    for topic in facts.topics:
        if not topic.parts and not is_own(facts, topic.name):
            yield Finding(
                "topics have routes",
                Severity.PROBLEM,
                topic.name,
                f"Topic {topic.name} has no route: the name server knows its name, and no broker "
                "that has it.",
                "Nothing can be sent to it or consumed from it.",
                "If its broker is down, start that. If it is gone for good, delete the topic or "
                "create it on the brokers there are.",
                f"pocketmq topic create {topic.name}",
            )


def usable(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Topics and brokers that may not be written or read, and queues that nobody reads."""
    topics = [topic for topic in facts.topics if not is_own(facts, topic.name)]
    closed = {
        broker.name
        for broker in facts.answering
        if broker.is_master and not _takes_messages(broker)
    }
    yield from (_closed(broker) for broker in facts.answering if broker.name in closed)
    wiped = {broker.name for broker in facts.brokers} - closed
    wiped = {name for name in wiped if _all_read_only(topics, name)}
    yield from (_wiped(name) for name in sorted(wiped))
    for topic in topics:
        if not topic.name.startswith(DEAD_LETTER_PREFIX):
            yield from _unusable(topic, closed | wiped)


def is_own(facts: ClusterFacts, topic: str) -> bool:
    """Whether a topic is the system's: every broker has such, in its and its cluster's name."""
    own = {name for broker in facts.brokers for name in (broker.name, broker.cluster)}
    return is_system_topic(topic) or topic in own or topic in map(reply_topic, own)


def _takes_messages(broker: BrokerFacts) -> bool:
    permission = broker.figure("brokerPermission")
    return permission is None or bool(int(permission) & PERM_WRITE)


def _closed(broker: BrokerFacts) -> Finding:
    permission = round(broker.figure("brokerPermission") or 0)
    return Finding(
        "topics can be used",
        Severity.WARNING,
        broker.name,
        f"Broker {broker.name} takes no messages: its permission is {permission}.",
        "All its queues are read-only. That is right while it is being emptied, and otherwise a "
        "command that nobody took back.",
        "Give it back its permission.",
        f"pocketmq config set brokerPermission 6 --broker {broker.name}",
        {"permission": permission},
    )


def _all_read_only(topics: Sequence[TopicFacts], broker: str) -> bool:
    parts = [
        part
        for topic in topics
        for part in topic.parts
        if part.broker == broker and not topic.name.startswith((DEAD_LETTER_PREFIX, RETRY_PREFIX))
    ]
    return len(parts) > 1 and not any(_is_writable(part) for part in parts)


def _wiped(broker: str) -> Finding:
    return Finding(
        "topics can be used",
        Severity.WARNING,
        broker,
        f"All topics of broker {broker} are read-only on the name server.",
        "No client sends to it. That is right while it is being emptied (`broker drain`, or "
        "wipeWritePerm), and otherwise a command that nobody took back.",
        "Let name servers admit writing again.",
        f"pocketmq broker resume {broker}",
    )


def _unusable(topic: TopicFacts, told: set[str]) -> Iterator[Finding]:
    """What is wrong with one topic, but for brokers that take no messages at all."""
    read_only = [part for part in topic.parts if not _is_writable(part) and part.broker not in told]
    unreadable = [part for part in topic.parts if not _is_readable(part)]
    if read_only and not topic.name.startswith(RETRY_PREFIX):
        everywhere = len(read_only) == len(topic.parts)
        yield Finding(
            "topics can be used",
            Severity.PROBLEM if everywhere else Severity.WARNING,
            topic.name,
            f"Topic {topic.name} is read-only on {listed([part.broker for part in read_only])}.",
            "Nothing can be sent to it."
            if everywhere
            else "Fewer brokers than there seem to be take its messages.",
            "If that was not meant, let clients write it again.",
            _both(topic, read_only),
            {part.broker: part.permission for part in read_only},
        )
    if unreadable:
        yield Finding(
            "topics can be used",
            Severity.PROBLEM,
            topic.name,
            f"Topic {topic.name} cannot be read on {listed([part.broker for part in unreadable])}.",
            "What lies there is consumed by nobody.",
            "If that was not meant, let clients read it again.",
            _both(topic, unreadable),
            {part.broker: part.permission for part in unreadable},
        )
    for part in topic.parts:
        if _is_readable(part) and _is_writable(part) and part.write_queues > part.read_queues:
            more = part.write_queues - part.read_queues
            yield Finding(
                "topics can be used",
                Severity.PROBLEM,
                topic.name,
                f"Topic {topic.name} has {counted(more, 'queue')} on {part.broker} that can be "
                "written and not read.",
                "Messages that are sent there are consumed by nobody.",
                "Give it as many queues to read as to write.",
                f"pocketmq topic update {topic.name} --read-queues {part.write_queues}",
                {"read_queues": part.read_queues, "write_queues": part.write_queues},
            )


def _is_writable(part: TopicPart) -> bool:
    return bool(part.permission & PERM_WRITE) and part.write_queues > 0


def _is_readable(part: TopicPart) -> bool:
    return bool(part.permission & PERM_READ) and part.read_queues > 0


def _both(topic: TopicFacts, parts: list[TopicPart]) -> str:
    lacking = any(not part.read_queues or not part.write_queues for part in parts)
    most = max(max(part.read_queues, part.write_queues) for part in parts) or 8
    count = f" --queues {most}" if lacking else ""
    return f"pocketmq topic update {topic.name} --permission both{count}"
