"""An examination: collect the facts, run the checks, say what could not be looked at."""

from __future__ import annotations

from pocketmq.admin.admin import Admin
from pocketmq.admin.doctor.checks import CHECKS, run_checks
from pocketmq.admin.doctor.collecting import Collector, Progress
from pocketmq.admin.doctor.facts import ClusterFacts
from pocketmq.admin.doctor.findings import Diagnosis, Finding, Severity
from pocketmq.admin.doctor.limits import Limits


async def examine(
    admin: Admin, limits: Limits | None = None, progress: Progress | None = None
) -> Diagnosis:
    """What is wrong with the clusters that the name servers know.

    Servers that do not answer are findings. It takes a few seconds, and never much more than
    `limits.total_seconds`.
    """
    limits = limits or Limits()
    return diagnose(await Collector(admin, limits, progress).collect(), limits)


def diagnose(facts: ClusterFacts, limits: Limits) -> Diagnosis:
    """What facts say."""
    findings = [*run_checks(facts, limits), *(_missing(sentence) for sentence in facts.missing)]
    return Diagnosis(
        tuple(findings),
        len(facts.name_servers),
        len(facts.brokers),
        len(facts.topics),
        len(facts.groups),
        tuple(CHECKS),
    )


def _missing(sentence: str) -> Finding:
    return Finding(
        "everything was looked at",
        Severity.NOTE,
        "",
        f"{sentence.rstrip('.')}.",
        "What was not looked at may be well or not.",
        "Mend what is found above, then ask again.",
        "pocketmq doctor",
    )
