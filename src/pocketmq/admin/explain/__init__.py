"""`explain` tells the life of a message: where it is, who has consumed it, who has not, and why.

    async with Admin("127.0.0.1:9876") as admin:
        told = await explain(admin, message_id="C0A8…")
        for life in told.messages:
            for finding in life.findings:
                print(finding.text)

It asks what RocketMQ's protocol offers, so it works on Apache's clusters too, as far as they tell.
"""

from __future__ import annotations

from pocketmq.admin.explain.explaining import explain
from pocketmq.admin.explain.findings import Explanation, Finding, GroupFate, MessageLife, Status

__all__ = ["Explanation", "Finding", "GroupFate", "MessageLife", "Status", "explain"]
