"""Users and rules: whether the brokers of a cluster know them alike."""

from __future__ import annotations

from collections.abc import Iterator

from pocketmq.admin.doctor.facts import AccessGap, ClusterFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import listed

_WORDS = {"kind": "type", "enabled": "status", "password": "password"}


def alike(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Users and rules that brokers of one cluster lack, or have set up differently."""
    for gap in facts.gaps:
        if gap.resource:
            look, mend = "pocketmq acl list", f"`pocketmq acl sync {gap.user}`"
        else:
            look, mend = "pocketmq user list", f"`pocketmq user sync {gap.user}`"
        yield Finding(
            "users are known alike",
            Severity.WARNING,
            gap.user,
            _what(gap),
            "Every broker keeps its own users and rules, so what a client may do depends on the "
            "broker it happens to speak to.",
            "See which broker is right, and have the others of its cluster learn from it with "
            f"--from BROKER: {mend}.",
            look,
            {"lacking": ", ".join(gap.lacking), "different": ", ".join(gap.different)},
        )


def _what(gap: AccessGap) -> str:
    if gap.resource:
        return (
            f"{listed(list(gap.lacking))} {_do(gap, 'lacks', 'lack')} a rule of user {gap.user} "
            f"for {gap.resource} that others of the cluster have."
        )
    if gap.lacking:
        return f"{listed(list(gap.lacking))} {_do(gap, 'does', 'do')} not know user {gap.user}."
    words = listed([_WORDS[name] for name in gap.different])
    return f"Brokers of a cluster have user {gap.user} with another {words}."


def _do(gap: AccessGap, one: str, many: str) -> str:
    return one if len(gap.lacking) == 1 else many
