"""What keeps a group from a message: settings, members, subscriptions."""

from __future__ import annotations

from collections.abc import Iterator

from pocketmq.admin.explain.facts import GroupFacts, MemberFacts, MessageFacts
from pocketmq.admin.explain.filters import judge
from pocketmq.admin.explain.findings import Finding
from pocketmq.admin.explain.words import counted, listed
from pocketmq.filtering.subscriptions import SQL92
from pocketmq.protocol.bodies.heartbeat import SubscriptionData


def obstacles(message: MessageFacts, group: GroupFacts) -> Iterator[Finding]:
    """Everything that is in the way, the plainest first."""
    if not group.is_enabled:
        yield Finding(
            "group disabled",
            f"Group {group.name} may not consume anything: it was switched off "
            "(consumeEnable=false).",
            {"consume_enable": False},
            f"pocketmq group update {group.name} --enable",
        )
    if not group.may_read:
        yield Finding(
            "group forbidden",
            f"Group {group.name} may not read topic {message.topic}: an operator forbade it.",
            {"readable": False},
            f"pocketmq group allow {group.name} {message.topic}",
        )
    if not group.members_known:
        return
    if not group.is_online:
        yield Finding(
            "offline",
            f"No member of group {group.name} is connected to the broker.",
            {"members": 0},
            f"pocketmq group show {group.name}",
        )
        return
    if not group.is_subscribed:
        yield _not_subscribed(message, group)
    yield from _sql_is_off(message, group)
    yield from subscriptions_differ(message.topic, group)
    yield from _nobody_has_the_queue(message, group)


def _not_subscribed(message: MessageFacts, group: GroupFacts) -> Finding:
    wanted = sorted({topic for member in group.members for topic in member.topics})
    own = [topic for topic in wanted if not topic.startswith("%RETRY%")]
    other = f" They subscribe to {listed(own)}." if own else ""
    return Finding(
        "not subscribed",
        f"Group {group.name} does not subscribe to topic {message.topic}, although "
        f"{counted(len(group.members), 'member')} of it "
        f"{'is' if len(group.members) == 1 else 'are'} connected.{other}",
        {"members": len(group.members), "subscribed_topics": ", ".join(own)},
        f"pocketmq group show {group.name}",
    )


def _sql_is_off(message: MessageFacts, group: GroupFacts) -> Iterator[Finding]:
    data = group.subscription
    if data is None or data.expression_type != SQL92:
        return
    copy = message.visible or message.copies[-1]
    if message.broker_of(copy).config.get("enablePropertyFilter") == "false":
        yield Finding(
            "SQL filters are off",
            f"Group {group.name} filters by SQL, and broker {copy.broker} refuses that: "
            "enablePropertyFilter is false there, so the group gets nothing.",
            {"expression": data.sub_string, "enablePropertyFilter": False},
            "pocketmq broker --set enablePropertyFilter=true",
        )


def subscriptions_differ(topic: str, group: GroupFacts) -> Iterator[Finding]:
    """Members of one group must all want the same; the broker keeps what it heard last."""
    told = [member for member in group.members if not member.problem]
    kinds: dict[str, list[MemberFacts]] = {}
    for member in told:
        kinds.setdefault(wanted_text(member.subscription), []).append(member)
    if len(kinds) < 2:
        return
    parts = [
        f"{listed([member.client_id for member in members], 2)} "
        f"{'wants' if len(members) == 1 else 'want'} {text}"
        for text, members in sorted(kinds.items())
    ]
    yield Finding(
        "subscriptions differ",
        f"The members of group {group.name} do not agree about topic {topic}: {'; '.join(parts)}. "
        "The broker filters by what it heard last and shares the queues among all, so messages are "
        "lost or left. Let all members of a group subscribe alike, or use two groups.",
        {member.client_id: text for text, members in sorted(kinds.items()) for member in members},
        f"pocketmq group show {group.name}",
    )


def wanted_text(data: SubscriptionData | None) -> str:
    """A subscription in words."""
    if data is None:
        return "nothing of it"
    if data.expression_type == SQL92:
        return f"SQL {data.sub_string}"
    return f"the tags {data.sub_string}" if data.sub_string not in ("", "*") else "all of it"


def _nobody_has_the_queue(message: MessageFacts, group: GroupFacts) -> Iterator[Finding]:
    copy = message.visible
    told = [member for member in group.members if not member.problem]
    if copy is None or group.pops or group.is_broadcast or len(told) < len(group.members):
        return
    if not group.is_subscribed or any(member.queue is not None for member in told):
        return
    data = group.subscription
    wanted = True
    if data is not None:
        properties = copy.properties
        judged = judge(message.topic, data.sub_string, data.expression_type, properties)
        wanted = judged.is_wanted is not False
    if wanted:
        yield Finding(
            "queue without owner",
            f"No member of group {group.name} reads queue {copy.queue_id} of {message.topic} on "
            f"{copy.broker} at the moment. Right after a member has come or gone this takes up to "
            "20 seconds; if it lasts, the members do not see the same queues or each other.",
            {"queue_id": copy.queue_id, "members": len(told)},
            "pocketmq doctor",
        )
