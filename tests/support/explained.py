"""What `explain` says of a message on a test's broker, in words a test can compare."""

from __future__ import annotations

from pocketmq.admin import Admin
from pocketmq.admin.explain import Explanation, Finding, GroupFate, MessageLife, explain
from pocketmq.testing import LocalBroker


async def explained(rocketmq: LocalBroker, message_id: str, **more: str) -> MessageLife:
    """The life of the one message with this id."""
    (life,) = (await asked(rocketmq, message_id=message_id, **more)).messages
    return life


async def asked(rocketmq: LocalBroker, **question: str) -> Explanation:
    """The answer to a question."""
    async with Admin(rocketmq.address) as admin:
        return await explain(admin, **question)


async def fate(rocketmq: LocalBroker, message_id: str, group: str) -> GroupFate:
    """How one group stands to a message."""
    (found,) = [one for one in (await explained(rocketmq, message_id)).groups if one.group == group]
    return found


def finding(findings: tuple[Finding, ...], kind: str) -> Finding:
    """The one finding of a kind."""
    kinds = [one.kind for one in findings]
    assert kinds.count(kind) == 1, f"{kind!r} is not there once, but {kinds}"
    return findings[kinds.index(kind)]
