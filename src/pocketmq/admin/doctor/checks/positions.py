"""How far groups are: lag that grows, queues that stand still, messages that expire unread."""

from __future__ import annotations

from collections.abc import Iterator

from pocketmq.admin.doctor.facts import ClusterFacts, GroupFacts, MemberFacts, Position, Queue
from pocketmq.admin.doctor.findings import Evidence, Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import counted, lasting, listed, when
from pocketmq.message.topics import RETRY_PREFIX

_EXPIRING_PART = 0.8


def growing(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Groups that consume more slowly than messages come."""
    for group in facts.groups:
        if group.is_broadcast:
            continue
        for topic in sorted({queue[0] for queue in group.after}):
            before, after = group.lag(group.before, topic), group.lag(group.after, topic)
            if after < limits.lag_least or after <= before or topic.startswith(RETRY_PREFIX):
                continue
            seconds = max(facts.apart_seconds, 0.001)
            who = (
                f"{counted(len(group.members), 'member')} connected"
                if group.members
                else "no member connected"
            )
            yield Finding(
                "lag does not grow",
                Severity.WARNING,
                group.name,
                f"Group {group.name} is {counted(after, 'message')} behind in topic {topic}, "
                f"{after - before:,} more than {seconds:.0f} s ago, with {who}.",
                "Messages are consumed later and later, and those that get too old are deleted "
                "unread.",
                "Start its consumers."
                if not group.members
                else "Start more members, as long as "
                "there are queues for them; raise their concurrency; look for what makes their "
                "handlers slow.",
                f"pocketmq group show {group.name}",
                {"before": before, "after": after, "members": len(group.members)},
            )


def stuck(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Queues that stand still although members are there and messages wait."""
    for group in facts.groups:
        if not group.members or group.is_broadcast:
            continue
        for queue, position in sorted(group.after.items()):
            waited_ms = group.waiting_ms.get(queue, 0)
            if waited_ms < limits.stuck_ms or not stands_still(group, queue):
                continue
            yield _stuck(group, queue, position, waited_ms)


def stands_still(group: GroupFacts, queue: Queue) -> bool:
    """Whether messages wait in a queue and the group has not moved in it between the samples."""
    before, after = group.before.get(queue), group.after.get(queue)
    return (
        before is not None
        and after is not None
        and after.lag > 0
        and before.lag > 0
        and after.consumed <= before.consumed
    )


def _stuck(group: GroupFacts, queue: Queue, position: Position, waited_ms: int) -> Finding:
    topic, broker, queue_id = queue
    place = f"queue {queue_id} of {topic} on {broker}"
    owner = _owner(group, queue)
    evidence: Evidence = {
        "topic": topic,
        "broker": broker,
        "queue_id": queue_id,
        "offset": position.consumed,
        "lag": position.lag,
        "waited_ms": waited_ms,
        "member": owner.client_id if owner is not None else None,
    }
    waiting = f"{counted(position.lag, 'message')} {'waits' if position.lag == 1 else 'wait'}"
    if owner is None and all(member.queues is not None for member in group.members):
        return Finding(
            "nothing is stuck",
            Severity.PROBLEM,
            group.name,
            f"Nobody of group {group.name} reads {place}, where {waiting}, the first for "
            f"{lasting(waited_ms)}.",
            "These messages are not consumed, although members are connected.",
            "Members that see different queues or not each other share them out wrongly: look "
            "whether all reach the same brokers and subscribe alike.",
            f"pocketmq group show {group.name}",
            evidence,
        )
    by = f" by {owner.client_id} at {owner.address}" if owner is not None else ""
    return Finding(
        "nothing is stuck",
        Severity.PROBLEM,
        group.name,
        f"Group {group.name} is stuck at offset {position.consumed:,} of {place}: {waiting}, the "
        f"first for {lasting(waited_ms)}, and it does not move. The queue is read{by}.",
        "Positions pass a message only when it is done, so one that never ends holds up all behind "
        "it, and they come again after a restart.",
        "Look at what the member does with the message: a handler that waits without a time limit, "
        "or fails again and again in an ordered queue. Skipping it is the last resort.",
        f"pocketmq group show {group.name}",
        evidence,
    )


def _owner(group: GroupFacts, queue: Queue) -> MemberFacts | None:
    for member in group.members:
        if member.queues is not None and queue in member.queues:
            return member
    return None


def expiring(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Messages that will be deleted before a group reads them."""
    kept_ms = {
        broker.name: hours * 3_600_000
        for broker in facts.answering
        if (hours := broker.figure("fileReservedTime"))
    }
    for group in facts.groups:
        late = {
            queue: waited_ms
            for queue, waited_ms in group.waiting_ms.items()
            if waited_ms > kept_ms.get(queue[1], float("inf")) * _EXPIRING_PART
        }
        for topic in sorted({queue[0] for queue in late}):
            oldest = max(waited_ms for queue, waited_ms in late.items() if queue[0] == topic)
            brokers = sorted({queue[1] for queue in late if queue[0] == topic})
            yield Finding(
                "nothing expires unread",
                Severity.PROBLEM,
                group.name,
                f"Group {group.name} has not consumed messages of topic {topic} that are "
                f"{lasting(oldest)} old, and {listed(brokers)} keeps them for "
                f"{lasting(round(min(kept_ms[name] for name in brokers)))}.",
                "They are about to be deleted, and this group will never have seen them.",
                "Start its consumers, or keep messages longer (fileReservedTime) until they have "
                "caught up. If the group is no longer used, delete it.",
                f"pocketmq group show {group.name}",
                {"oldest_ms": oldest},
            )


def dead_letters(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Groups that have given up messages lately."""
    for dead in facts.dead_letters:
        grows = dead.after > dead.before
        is_fresh = 0 < facts.now_ms - dead.newest_ms < limits.dead_letters_fresh_ms
        if not dead.after or not (grows or is_fresh):
            continue
        more = f", {dead.after - dead.before} of them since a moment ago" if grows else ""
        yield Finding(
            "no dead letters come",
            Severity.WARNING,
            dead.group,
            f"Group {dead.group} has {counted(dead.after, 'dead letter')}{more}; the last came "
            f"{when(dead.newest_ms, facts.now_ms)}.",
            "It has given these messages up after all retries. Nobody will handle them, and they "
            "are deleted when they get old.",
            f"Read some to see what is wrong, mend the consumer, then give the messages back: "
            f"`pocketmq dlq redrive {dead.group}`.",
            f"pocketmq dlq show {dead.group}",
            {"before": dead.before, "after": dead.after, "newest_ms": dead.newest_ms},
        )
