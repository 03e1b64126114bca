"""What a doctor finds: what is so, why it matters, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Evidence = Mapping[str, str | int | float | bool | None]


class Severity(str, Enum):
    """How bad it is."""

    NOTE = "note"
    """Worth knowing; nothing is wrong today."""
    WARNING = "warning"
    """It will become a problem, or is one for somebody."""
    PROBLEM = "problem"
    """Messages are not sent, not consumed, or may be lost."""

    @property
    def rank(self) -> int:
        """The worst first."""
        return (Severity.PROBLEM, Severity.WARNING, Severity.NOTE).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. `subject` is the broker, topic or group it is about."""

    check: str
    severity: Severity
    subject: str
    what: str
    why: str
    mend: str
    command: str = ""
    """What to type, when a command of ours mends it or shows more; else empty."""
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, the worst first, and how much was looked at."""

    findings: tuple[Finding, ...]
    name_servers: int
    brokers: int
    topics: int
    groups: int
    checks: tuple[str, ...]

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None when there is none."""
        return min((one.severity for one in self.findings), key=lambda one: one.rank, default=None)
