"""Disks that fill, and brokers that fall behind themselves."""

from __future__ import annotations

from collections.abc import Iterator

from pocketmq.admin.doctor.facts import ClusterFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import size

_CLEAN_AT_PERCENT = 75
_REFUSE_AT_PERCENT = 90


def room(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Disks near the level at which old messages go early, or beyond that."""
    for broker in facts.answering:
        ratio = broker.figure("commitLogDiskRatio")
        if ratio is None or ratio < 0:
            continue
        clean = (broker.figure("diskMaxUsedSpaceRatio") or _CLEAN_AT_PERCENT) / 100
        refuse = (broker.figure("diskSpaceWarningLevelRatio") or _REFUSE_AT_PERCENT) / 100
        if ratio < clean * limits.disk_margin:
            continue
        if ratio >= refuse:
            severity, why = Severity.PROBLEM, "It refuses messages now, as nothing can be stored."
        elif ratio >= clean:
            severity = Severity.PROBLEM
            why = (
                f"Beyond {clean:.0%} old messages are deleted before their time, consumed or not, "
                f"and at {refuse:.0%} sends are refused."
            )
        else:
            severity = Severity.WARNING
            why = f"At {clean:.0%} old messages are deleted before their time, consumed or not."
        yield Finding(
            "disks have room",
            severity,
            broker.name,
            f"The disk of broker {broker.name} is {ratio:.0%} full.",
            why,
            "Free space or move the data to a larger disk; keep messages for a shorter time "
            "(fileReservedTime); or add a broker and spread the topics.",
            "pocketmq broker --set fileReservedTime=HOURS",
            {"used_ratio": ratio, "clean_ratio": clean, "refuse_ratio": refuse},
        )


def keeping_up(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Brokers whose queues are behind their log."""
    for broker in facts.answering:
        behind = broker.figure("dispatchBehindBytes")
        if behind is not None and behind > limits.dispatch_behind_bytes:
            yield Finding(
                "brokers keep up",
                Severity.PROBLEM,
                broker.name,
                f"Broker {broker.name} has stored {size(round(behind))} that it has not yet put in "
                "its queues.",
                "Consumers do not see these messages.",
                "After a crash this passes by itself. Otherwise its machine is overloaded: look at "
                "its processor and its disk.",
                "pocketmq cluster show",
                {"behind_bytes": round(behind)},
            )
