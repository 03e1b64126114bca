"""Disks that fill, and brokers that fall behind themselves."""

from __future__ import annotations

from collections.abc import Iterator

from pocketmq.admin.doctor.facts import ClusterFacts
from pocketmq.admin.doctor.findings import Finding, Severity
from pocketmq.admin.doctor.limits import Limits
from pocketmq.admin.explain.words import size

_NEAR_PERCENT = 75
_DELETE_PERCENT = 85
_REFUSE_PERCENT = 90
_KEPT_HOURS = 72


def room(facts: ClusterFacts, limits: Limits) -> Iterator[Finding]:
    """Disks near the level at which messages are deleted before their time, or beyond that."""
    for broker in facts.answering:
        ratio = broker.figure("commitLogDiskRatio")
        near = (broker.figure("diskMaxUsedSpaceRatio") or _NEAR_PERCENT) / 100
        if ratio is None or ratio < near:
            continue
        delete = (broker.figure("diskSpaceCleanForciblyRatio") or _DELETE_PERCENT) / 100
        refuse = (broker.figure("diskSpaceWarningLevelRatio") or _REFUSE_PERCENT) / 100
        hours = round(broker.figure("fileReservedTime") or _KEPT_HOURS)
        if ratio >= refuse:
            severity, why = Severity.PROBLEM, "It refuses messages now, so that the disk has room."
        elif ratio >= delete:
            severity = Severity.PROBLEM
            why = (
                f"From {delete:.0%} on old messages are deleted before their time, consumed or "
                f"not, and from {refuse:.0%} on sends are refused."
            )
        else:
            severity = Severity.WARNING
            why = (
                f"From {delete:.0%} on old messages will be deleted before their time, consumed or "
                f"not, and from {refuse:.0%} on sends are refused."
            )
        yield Finding(
            "disks have room",
            severity,
            broker.name,
            f"The disk of broker {broker.name} is {ratio:.0%} full.",
            why,
            "Free space or move the data to a larger disk; keep messages for a shorter time "
            "(fileReservedTime); or add a broker and spread the topics.",
            f"pocketmq config set fileReservedTime {max(hours // 2, 1)} --broker {broker.name}",
            {"used_ratio": ratio, "delete_ratio": delete, "refuse_ratio": refuse},
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
