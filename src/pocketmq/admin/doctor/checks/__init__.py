"""The checks: each a function from facts to findings, listed in the order they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pocketmq.admin.doctor.checks import (
    access,
    brokers,
    disks,
    groups,
    positions,
    servers,
    topics,
    unsafe,
)
from pocketmq.admin.doctor.facts import ClusterFacts
from pocketmq.admin.doctor.findings import Finding
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import listed

Check = Callable[[ClusterFacts, Limits], Iterator[Finding]]

CHECKS: Final[dict[str, Check]] = {
    "name servers answer": servers.answer,
    "name servers agree": servers.agree,
    "brokers answer": brokers.answer,
    "addresses can be reached": brokers.local_addresses,
    "clocks agree": brokers.clocks,
    "versions agree": brokers.versions,
    "brokers keep up": disks.keeping_up,
    "disks have room": disks.room,
    "topics have routes": topics.routes,
    "topics can be used": topics.usable,
    "members subscribe alike": groups.subscriptions,
    "subscribed topics exist": groups.missing_topics,
    "filters are allowed": groups.sql_filters,
    "members have work": groups.idle_members,
    "lag does not grow": positions.growing,
    "nothing is stuck": positions.stuck,
    "nothing expires unread": positions.expiring,
    "no dead letters come": positions.dead_letters,
    "settings are safe": unsafe.settings,
    "users are known alike": access.alike,
}
"""What holds of a healthy cluster -> the check that says where it does not."""


SHOWN_MAX: Final = 20
"""Of each check; of many alike findings the first are enough."""


def run_checks(facts: ClusterFacts, limits: Limits) -> list[Finding]:
    """All findings, the worst first; alike ones in the order of the checks."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        told = sorted(check(facts, limits), key=lambda finding: finding.severity.rank)
        found += told[:SHOWN_MAX]
        if len(told) > SHOWN_MAX:
            found.append(_more(name, told[SHOWN_MAX:]))
    return sorted(found, key=lambda finding: finding.severity.rank)


def _more(check: str, rest: list[Finding]) -> Finding:
    return Finding(
        check,
        rest[0].severity,
        "",
        f"And {len(rest)} more of this kind, about {listed([one.subject for one in rest])}.",
        rest[0].why,
        "Mend those above, then ask again.",
        "pocketmq doctor",
        {"more": len(rest)},
    )
