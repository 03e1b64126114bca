"""What became of a message in one group: the newest trace it left there decides.

    dead letters > waiting for a retry > in the retry topic > popped > passed in queue > not yet

A group that failed has copies of its own, and the newest of them tells where the message is.
Without any, the position in the queue tells: beyond it means consumed, or passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pocketmq.admin.explain.facts import (
    WAITING_TOPICS,
    CheckPointFacts,
    Copy,
    GroupFacts,
    MemberFacts,
    MessageFacts,
)
from pocketmq.admin.explain.filters import Judgement, judge
from pocketmq.admin.explain.findings import Evidence, Finding, GroupFate, Status
from pocketmq.admin.explain.obstacles import obstacles, subscriptions_differ
from pocketmq.admin.explain.traced import last_handling, passed_ms, traced_findings
from pocketmq.admin.explain.words import counted, moment, times, when
from pocketmq.message import topics as names
from pocketmq.protocol.bodies.heartbeat import SubscriptionData


def fate_of(message: MessageFacts, group: GroupFacts, settings_unknown: str = "") -> GroupFate:
    """The fate of a message in a group, with the reasons.

    `settings_unknown`: why it is not known how groups are set up, or that a group exists.
    """
    if settings_unknown:
        problems = (*group.problems, settings_unknown)
        group = replace(group, is_known=True, problems=problems)
    return _Fate(message, group).told()


class _Fate:
    def __init__(self, message: MessageFacts, group: GroupFacts) -> None:
        self._message = message
        self._group = group
        self._again = message.again_for(group.name)
        self._now_ms = max((one.now_ms for one in message.brokers.values()), default=0)

    def told(self) -> GroupFate:
        status, finding = self._verdict()
        more = [*self._why_not(status), *traced_findings(self._message, self._group, self._again)]
        more += [
            Finding("not known", f"Something could not be asked: {problem}.", {"problem": problem})
            for problem in self._group.problems
        ]
        return GroupFate(self._group.name, status, (finding, *more))

    def _why_not(self, status: Status) -> Iterator[Finding]:
        """Beside the verdict: what keeps the group from it, or soon will."""
        if not self._group.is_known and not self._group.members:
            return
        unfinished = status not in (Status.CONSUMED, Status.DEAD, Status.NOT_YET, Status.BROADCAST)
        if unfinished:
            told = {Status.OFFLINE: "offline", Status.NOT_SUBSCRIBED: "not subscribed"}.get(status)
            for finding in obstacles(self._message, self._group):
                if finding.kind != told:
                    yield finding
        else:
            yield from subscriptions_differ(self._message.topic, self._group)

    # -- the verdict ------------------------------------------------------------------------

    def _verdict(self) -> tuple[Status, Finding]:
        if self._again:
            return self._failed(self._again[-1])
        copy = self._message.visible
        if copy is None:
            return Status.NOT_YET, Finding(
                "not yet visible", f"Group {self._group.name} cannot see it yet."
            )
        if not self._group.is_known and not self._seen(copy):
            return self._unknown_group()
        if self._group.is_broadcast:
            return self._broadcast(copy)
        popped = self._popped(copy)
        if popped is not None:
            return popped
        if not self._group.knows(copy):
            return Status.UNKNOWN, Finding(
                "position not known",
                f"How far group {self._group.name} is in the queue could not be asked.",
                {},
                "pocketmq doctor",
            )
        if self._group.has_passed(copy):
            return self._passed(copy)
        return self._not_passed(copy)

    def _seen(self, copy: Copy) -> bool:
        return bool(self._group.offset_at(copy))

    def _unknown_group(self) -> tuple[Status, Finding]:
        return Status.NOT_SUBSCRIBED, Finding(
            "no such group",
            f"There is no group {self._group.name} on broker {self._message.copies[-1].broker}.",
            {"group": self._group.name},
            "pocketmq group list",
        )

    # -- it failed --------------------------------------------------------------------------

    def _failed(self, newest: Copy) -> tuple[Status, Finding]:
        if newest.topic == names.dead_letter_topic(self._group.name):
            return self._dead(newest)
        if newest.topic in WAITING_TOPICS:
            return self._waits_for_retry(newest)
        popped = self._popped(newest)
        if popped is not None:
            return popped
        if self._group.has_passed(newest):
            return self._consumed_again(newest)
        ahead = self._ahead(newest)
        return Status.RETRYING, Finding(
            "retry is due",
            f"It failed {times(newest.retries)} in group {self._group.name} and can be "
            f"fetched again since {when(newest.stored_ms, self._now_ms)}, from {newest.topic}; "
            f"{counted(ahead, 'message')} before it.",
            self._retry_evidence(newest),
            f"pocketmq group show {self._group.name}",
        )

    def _dead(self, newest: Copy) -> tuple[Status, Finding]:
        attempts = max(newest.retries, 1)
        return Status.DEAD, Finding(
            "dead",
            f"Group {self._group.name} gave it up: it lies among the dead letters since "
            f"{when(newest.stored_ms, self._now_ms)}, "
            f"after {counted(attempts, 'attempt')}. It is not "
            "delivered again unless somebody sends it again.",
            {
                **self._retry_evidence(newest),
                "dead_since_ms": newest.stored_ms,
                "dead_letter_id": newest.offset_id,
            },
            f"pocketmq dlq redrive {self._group.name}",
        )

    def _waits_for_retry(self, newest: Copy) -> tuple[Status, Finding]:
        due_ms = self._message.broker_of(newest).due_ms(newest)
        until = "for a while" if due_ms is None else f"until {when(due_ms, self._now_ms)}"
        limit = self._group.retries_max
        of = f" of at most {limit}" if limit is not None else ""
        level = newest.properties.get("DELAY", "")
        by = f" (delay level {level})" if level else ""
        return Status.RETRYING, Finding(
            "in retry",
            f"Group {self._group.name} failed to consume it {times(newest.retries)}. It "
            f"waits {until} for retry {newest.retries}{of}{by}.",
            {**self._retry_evidence(newest), "due_ms": due_ms, "retries_max": limit},
        )

    def _consumed_again(self, newest: Copy) -> tuple[Status, Finding]:
        member = self._holder(newest)
        if member is not None:
            return self._in_hand(newest, member)
        return Status.CONSUMED, Finding(
            "consumed after retries",
            f"Group {self._group.name} consumed it at retry {newest.retries}: it is past it in "
            f"{newest.topic}, where it came {moment(newest.stored_ms)}, and no copy is newer.",
            {**self._retry_evidence(newest), "offset": self._group.offset_at(newest)},
        )

    def _retry_evidence(self, copy: Copy) -> Evidence:
        return {
            "retries": copy.retries,
            "topic": copy.topic,
            "queue_id": copy.queue_id,
            "queue_offset": copy.queue_offset,
            "since_ms": copy.stored_ms,
        }

    # -- it was popped ----------------------------------------------------------------------

    def _popped(self, copy: Copy) -> tuple[Status, Finding] | None:
        points = [one for one in self._message.check_points if one.group == self._group.name]
        # A pop of an older copy has led to this one.
        points = [one for one in points if one.popped_ms >= copy.stored_ms]
        if not points:
            return None
        last = points[-1]
        evidence = {
            "popped_ms": last.popped_ms,
            "invisible_until_ms": last.due_ms,
            "acknowledged_ms": last.acknowledged_ms,
            "pops": len(points),
        }
        if last.acknowledged_ms is not None:
            return Status.CONSUMED, Finding(
                "acknowledged",
                f"Group {self._group.name} popped it {moment(last.popped_ms)} and acknowledged it "
                f"{when(last.acknowledged_ms, self._now_ms)}.",
                evidence,
            )
        return self._invisible(last, evidence)

    def _invisible(self, last: CheckPointFacts, evidence: Evidence) -> tuple[Status, Finding]:
        if last.due_ms > self._now_ms:
            text = (
                f"Group {self._group.name} popped it {when(last.popped_ms, self._now_ms)} and has "
                f"not acknowledged it. It is invisible until {when(last.due_ms, self._now_ms)}; "
                "without an acknowledgement by then it is delivered again."
            )
        else:
            text = (
                f"Group {self._group.name} popped it {moment(last.popped_ms)} and did not "
                f"acknowledge it by {when(last.due_ms, self._now_ms)}. The broker is about to "
                "deliver it again."
            )
        return Status.INVISIBLE, Finding(
            "popped", text, evidence, f"pocketmq group show {self._group.name}"
        )

    # -- by position ------------------------------------------------------------------------

    def _broadcast(self, copy: Copy) -> tuple[Status, Finding]:
        members = [member.client_id for member in self._group.members]
        return Status.BROADCAST, Finding(
            "broadcast",
            f"Group {self._group.name} broadcasts: each of its {counted(len(members), 'member')} "
            "gets every message and keeps its own position on its machine, so brokers do not know "
            "who has it. The trace below, if there is one, and the members' logs do.",
            {"members": len(members), "queue_offset": copy.queue_offset},
            f"pocketmq group show {self._group.name}",
        )

    def _passed(self, copy: Copy) -> tuple[Status, Finding]:
        member = self._holder(copy)
        if member is not None:
            return self._in_hand(copy, member)
        handled = last_handling(self._message, self._group.name)
        judgement = self._judged(self._group.subscription)
        offset = self._group.offset_at(copy)
        evidence = {"offset": offset, "queue_offset": copy.queue_offset}
        if judgement is not None and judgement.is_wanted is False and handled is None:
            return Status.FILTERED, self._filtered(judgement, evidence)
        seen_ms = passed_ms(self._message, self._group.name)
        at = f", about {when(seen_ms, self._now_ms)}" if seen_ms else ""
        handed = (
            "To popping members that means it was handed out; no check point of it is open, so it "
            "was acknowledged."
            if self._group.pops
            else "Nothing says that it failed there."
        )
        if self._group.pops and self._message.pops_unknown:
            handed = f"Whether it was acknowledged is not known: {self._message.pops_unknown}."
        return Status.CONSUMED, Finding(
            "consumed",
            f"Group {self._group.name} consumed it{at}: the group is at offset {offset:,} of the "
            f"queue, and the message is at {copy.queue_offset:,}. {handed}",
            {**evidence, "passed_ms": seen_ms},
        )

    def _filtered(self, judgement: Judgement, evidence: Evidence) -> Finding:
        data = self._group.subscription
        expression = "" if data is None else data.sub_string
        return Finding(
            "filtered",
            f"Group {self._group.name} passed it over, as its subscription does not want it: "
            f"{judgement.why}.",
            {
                **evidence,
                "expression": expression,
                "expression_type": "" if data is None else data.expression_type,
                "tag": self._message.copies[-1].tag,
                **{one.text: one.result for one in judgement.comparisons},
            },
            f"pocketmq group show {self._group.name}",
        )

    def _not_passed(self, copy: Copy) -> tuple[Status, Finding]:
        group = self._group
        if not group.members_known:
            status = Status.UNKNOWN
            text = f"Group {group.name} has not consumed it, and who is connected is not known"
        elif not group.is_online:
            status, text = Status.OFFLINE, f"Group {group.name} has no member connected"
        elif not group.is_subscribed:
            return Status.NOT_SUBSCRIBED, next(
                one for one in obstacles(self._message, group) if one.kind == "not subscribed"
            )
        else:
            member = self._holder(copy)
            if member is not None:
                return self._in_hand(copy, member)
            status, text = Status.BEHIND, f"Group {group.name} has not come to it"
        if not group.is_enabled or not group.may_read:
            status = Status.FORBIDDEN
        return status, self._behind(copy, status, text)

    def _behind(self, copy: Copy, status: Status, text: str) -> Finding:
        offset, ahead = self._group.offset_at(copy), self._ahead(copy)
        if offset is None:
            where = "it has no position in the queue, so it has never consumed from it"
        elif ahead:
            where = (
                f"it is at offset {offset:,} of the queue, so {counted(ahead, 'message')} "
                f"{'comes' if ahead == 1 else 'come'} before this one"
            )
        else:
            where = f"it is at offset {offset:,} of the queue, so this message is its next"
        judgement = self._judged(self._group.subscription)
        later = ""
        if judgement is not None and judgement.is_wanted is False:
            later = f" When it does it will pass the message over: {judgement.why}."
        kind = "offline" if status is Status.OFFLINE else "behind"
        return Finding(
            kind,
            f"{text}: {where}.{later}",
            {"offset": offset, "queue_offset": copy.queue_offset, "behind": ahead},
            f"pocketmq group show {self._group.name}",
        )

    # -- inside -----------------------------------------------------------------------------

    def _ahead(self, copy: Copy) -> int:
        """How many messages of the copy's queue the group consumes before it."""
        return max(copy.queue_offset - (self._group.offset_at(copy) or 0), 0)

    def _judged(self, data: SubscriptionData | None) -> Judgement | None:
        if data is None:
            return None
        properties = self._message.copies[-1].properties
        return judge(self._message.topic, data.sub_string, data.expression_type, properties)

    def _holder(self, copy: Copy) -> MemberFacts | None:
        """The member that has fetched the message and not finished it."""
        if copy != self._message.visible:
            return None
        for member in self._group.members:
            queue = member.queue
            if queue is None or not queue.cached_msg_count:
                continue
            if queue.cached_msg_min_offset <= copy.queue_offset <= queue.cached_msg_max_offset:
                return member
        return None

    def _in_hand(self, copy: Copy, member: MemberFacts) -> tuple[Status, Finding]:
        queue = member.queue
        assert queue is not None, "a member that holds a message told of its queue"
        waiting = copy.queue_offset - queue.cached_msg_min_offset
        turn = (
            f"{counted(waiting, 'message')} before it {'is' if waiting == 1 else 'are'} not "
            "finished"
            if waiting
            else "it is the oldest that is not finished"
        )
        since = queue.last_consume_timestamp
        begun = f" It last began to handle something {when(since, self._now_ms)}." if since else ""
        return Status.HANDLING, Finding(
            "being handled",
            f"Group {self._group.name} has fetched it: member {member.client_id} at "
            f"{member.address} holds {counted(queue.cached_msg_count, 'message')} of the queue, "
            f"and {turn}.{begun}",
            {
                "client_id": member.client_id,
                "cached": queue.cached_msg_count,
                "cached_first": queue.cached_msg_min_offset,
                "cached_last": queue.cached_msg_max_offset,
                "last_consumed_ms": since,
                "locked": queue.locked,
            },
            f"pocketmq group show {self._group.name}",
        )
