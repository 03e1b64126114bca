"""What is in flight: everything that happens without anybody doing more, and without time passing.

A message that waits for a later moment is not in flight; one that is due is. Consumers are looked
at in `groups.py`.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator

from pocketmq.broker.running import RunningBroker
from pocketmq.errors import NotSettled
from pocketmq.message.properties import TIMER_OUT_MS
from pocketmq.message.topics import HALF_TOPIC, SCHEDULE_TOPIC, TIMER_TOPIC
from pocketmq.testing.faulty_service import Traffic
from pocketmq.testing.groups import Groups, counted
from pocketmq.testing.messages import user_topics
from pocketmq.testing.servers import Servers

_PAUSE_SECONDS = 0.001
_PAUSE_SECONDS_MAX = 0.02
_HASTY_SECONDS = 0.1
_CALM_SECONDS = 0.002
_CHECK_GRACE_SECONDS = 0.5
_CHECK_GRACE_SECONDS_MIN = 0.02
_REASONS_SHOWN = 8


class Flight:
    """Looks at one broker, and waits until it has nothing to do."""

    def __init__(self, servers: Servers, traffic: Traffic) -> None:
        self._servers = servers
        self._traffic = traffic
        self._timers = _TimerView()
        self._checks: tuple[int, float] = (0, 0.0)
        self._check_grace = _CHECK_GRACE_SECONDS
        self._groups = Groups()

    def restarted(self) -> None:
        """The broker is another one now."""
        self._timers = _TimerView()
        self._checks = (0, 0.0)
        self._traffic.checks_answered = 0

    @property
    def can_be_seen(self) -> bool:
        """Whether the broker is up; while it is down nothing happens."""
        return self._servers.is_up

    async def settle(self, timeout_seconds: float) -> None:
        """Return when nothing is in flight. Raise NotSettled."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        pause = _PAUSE_SECONDS
        calm_at: int | None = None
        while self.can_be_seen:
            reasons = await self.in_flight()
            log_end = self._servers.running.store.log_end
            if not reasons and calm_at == log_end:
                return
            calm_at = None if reasons else log_end
            waited = loop.time() - began
            if reasons and waited > timeout_seconds:
                raise NotSettled(_explained(reasons, timeout_seconds))
            await asyncio.sleep(pause if reasons else _CALM_SECONDS)
            if waited > _HASTY_SECONDS:
                pause = min(pause * 1.5, _PAUSE_SECONDS_MAX)

    async def in_flight(self) -> list[str]:
        """What is in flight, one sentence each."""
        running = self._servers.running
        running.dispatch.drain()
        revive = running.models.pops.revive
        if revive is not None and await revive.step():
            return ["popped messages that were not acknowledged come again"]
        return [
            *_due_delays(running),
            *self._due_timers(running),
            *self._open_checks(running),
        ] or await self._groups.busy(running)

    def next_due_ms(self) -> int | None:
        """The next moment at which something will happen; None: nothing waits."""
        running = self._servers.running
        moments = [due_ms for _, due_ms in _delay_heads(running)]
        precision_ms = running.config.timers.precision_ms
        timer_ms = self._timers.next_due_ms(running)
        if timer_ms is not None:
            moments.append(timer_ms // precision_ms * precision_ms + precision_ms)
        if has_open_transactions(running):
            checks = running.models.transaction_checks
            moments.append(running.clock.now_ms() + checks.due_in_ms)
        return min(moments, default=None)

    def expire(self) -> None:
        """Let go of messages that are older than the broker keeps them.

        A broker expires whole files of many megabytes at four in the morning. A test has neither,
        so here each message expires at its time.
        """
        if not self.can_be_seen:
            return
        running = self._servers.running
        store, hours = running.store, running.config.store.retention.reserved_hours
        limit_ms = running.clock.now_ms() - hours * 3_600_000
        for topic in user_topics(store):
            for queue_id in store.queue_ids(topic):
                first, end = store.queue_offsets(topic, queue_id)
                while first < end and store.store_time_of(topic, queue_id, first) < limit_ms:
                    first += 1
                store.hide_before(topic, queue_id, first)

    def consumed_up_to(self, group: str, topic: str, queue_id: int) -> int:
        """The first queue offset that a group has not consumed, as far as is known."""
        running = self._servers.running if self.can_be_seen else None
        return self._groups.consumed_up_to(running, group, topic, queue_id)

    # -- the broker -----------------------------------------------------------------------------

    def _due_timers(self, running: RunningBroker) -> Iterator[str]:
        timer = running.models.timer
        if timer is None:
            return
        if timer.queue_offset < running.store.queue_offsets(TIMER_TOPIC, 0)[1]:
            yield "messages enter the timer"
        due_ms = self._timers.next_due_ms(running)
        precision_ms = running.config.timers.precision_ms
        if due_ms is not None and due_ms // precision_ms < running.clock.now_ms() // precision_ms:
            yield "timed messages are due"

    def _open_checks(self, running: RunningBroker) -> Iterator[str]:
        """Producers that were asked about a transaction get a moment to answer.

        A shorter one, when they did not answer the last time.
        """
        open_checks = running.models.transaction_checks.asked - self._traffic.checks_answered
        now = asyncio.get_running_loop().time()
        known, since = self._checks
        if open_checks != known:
            if open_checks < known:
                self._check_grace = _CHECK_GRACE_SECONDS
            self._checks = (open_checks, now)
        elif open_checks > 0 and now - since > self._check_grace:
            self._traffic.checks_answered += open_checks
            self._check_grace = max(self._check_grace / 4, _CHECK_GRACE_SECONDS_MIN)
            self._checks = (0, now)
            open_checks = 0
        if open_checks > 0:
            yield f"producers are asked about {counted(open_checks, 'transaction')}"


class _TimerView:
    """When the messages in the timer are due, earliest first, read from the timer's own queue."""

    def __init__(self) -> None:
        self._seen = 0
        self._due_ms: list[int] = []

    def next_due_ms(self, running: RunningBroker) -> int | None:
        """The earliest moment that is not delivered yet."""
        timer, store = running.models.timer, running.store
        if timer is None:
            return None
        first, end = store.queue_offsets(TIMER_TOPIC, 0)
        for queue_offset in range(max(self._seen, first), end):
            entry = store.entry_of(TIMER_TOPIC, 0, queue_offset)
            record = None if entry is None else store.decoded_record_at(entry[0])
            text = "" if record is None else record.properties.get(TIMER_OUT_MS, "")
            if text.isdigit():
                heapq.heappush(self._due_ms, int(text))
        self._seen = end
        while self._due_ms and self._due_ms[0] < timer.read_ms:
            heapq.heappop(self._due_ms)
        return self._due_ms[0] if self._due_ms else None


def has_open_transactions(running: RunningBroker) -> bool:
    """Whether a half message waits for its end."""
    ended = running.models.transactions.ended
    first, end = running.store.queue_offsets(HALF_TOPIC, 0)
    return ended.next_open(max(ended.first, first)) < end


def _delay_heads(running: RunningBroker) -> Iterator[tuple[int, int]]:
    """For each delay level that holds something: the level, and when its first message is due."""
    for level, (offset, end) in running.models.delay.waiting().items():
        entry = running.store.entry_of(SCHEDULE_TOPIC, level - 1, offset) if offset < end else None
        if entry is not None:
            yield level, entry[2]


def _due_delays(running: RunningBroker) -> Iterator[str]:
    now_ms = running.clock.now_ms()
    for level, due_ms in _delay_heads(running):
        if due_ms <= now_ms:
            yield f"messages of delay level {level} are due"


def _explained(reasons: list[str], timeout_seconds: float) -> str:
    lines = reasons[:_REASONS_SHOWN]
    if len(reasons) > len(lines):
        lines.append(f"and {len(reasons) - len(lines)} more")
    return f"still in flight after {timeout_seconds:g} s:" + "".join(f"\n  {x}" for x in lines)
