"""`doctor` examines clusters: what is wrong, why it matters, and the command that mends it.

    async with Admin("127.0.0.1:9876") as admin:
        diagnosis = await examine(admin)
        for finding in diagnosis.findings:
            print(finding.severity.value, finding.what, finding.mend)

Facts are collected first (`collecting.py`), within bounds of time; then checks, which are functions
of the facts alone (`checks/`), say what they find. It works on Apache's clusters as well.
"""

from __future__ import annotations

from pocketmq.admin.doctor.examining import diagnose, examine
from pocketmq.admin.doctor.findings import Diagnosis, Finding, Severity
from pocketmq.admin.doctor.limits import Limits

__all__ = ["Diagnosis", "Finding", "Limits", "Severity", "diagnose", "examine"]
