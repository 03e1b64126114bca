"""What is wrong with the cluster, why it matters, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pocketmq.console.desk import Desk
from pocketmq.console.endpoints import Noun

doctor = Noun("Doctor")


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One thing that a check found; `command` may be empty."""

    check: str
    severity: str
    subject: str
    what: str
    why: str
    mend: str
    command: str
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DiagnosisPicture:
    """All findings, the worst first, and how much was looked at."""

    at_ms: int
    name_servers: int
    brokers: int
    topics: int
    groups: int
    checks: tuple[str, ...]
    findings: tuple[DoctorFinding, ...]


@doctor.get("/doctor")
async def show(desk: Desk) -> DiagnosisPicture:
    """What the doctor says. It looks twice, some seconds apart."""
    at_ms, said = await desk.diagnose()
    return DiagnosisPicture(
        at_ms,
        said.name_servers,
        said.brokers,
        said.topics,
        said.groups,
        said.checks,
        tuple(
            DoctorFinding(
                one.check,
                one.severity.value,
                one.subject,
                one.what,
                one.why,
                one.mend,
                one.command,
                dict(one.evidence),
            )
            for one in said.findings
        ),
    )
