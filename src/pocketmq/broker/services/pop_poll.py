"""Pops that found nothing wait here until a message comes or their time is over.

A message wakes, of each group, the pop that waits longest for its queue and may want it; what that
one leaves, it tells the next. All look again once a second, in case an ordered queue is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketmq.broker.config import PopConfig
from pocketmq.broker.services.loop import Loop
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.message.scan import Filed
from pocketmq.net import Connection
from pocketmq.store.reader import Accept

_SWEEP_MS = 50
_RECHECK_SECONDS = 1.0

RecordAt = Callable[[int], "memoryview | None"]


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a pop waits for. Queue -1: any. `tag_hashes` and `accept` None: any message."""

    group: str
    topic: str
    queue_id: int
    tag_hashes: frozenset[int] | None = None
    accept: Accept | None = None


@dataclass(slots=True, eq=False)
class _WaitingPop:
    connection: Connection
    awaited: Awaited
    deadline: float
    woken: asyncio.Future[bool]


class PopPollService:
    """Holds pops by topic and wakes them. `record_at` reads a message by its log offset."""

    def __init__(self, record_at: RecordAt, clock: Clock, config: PopConfig) -> None:
        self._record_at = record_at
        self._clock = clock
        self._config = config
        self._waiting: dict[str, dict[str, list[_WaitingPop]]] = {}
        self._retries: dict[str, tuple[str, str]] = {}
        self._count = 0
        self._open = True
        self._recheck_at = 0.0
        self._loop = Loop("pop-poll", _SWEEP_MS, self.sweep, clock)

    def configure(self, config: PopConfig) -> None:
        """Take other limits; pops that wait already go on waiting."""
        self._config = config

    def start(self) -> None:
        """Begin to watch the deadlines."""
        self._loop.start()

    async def stop(self) -> None:
        """End."""
        self.drain()
        await self._loop.stop()

    def drain(self) -> None:
        """Answer all and hold no more."""
        self._open = False
        self.answer_all()

    def answer_all(self) -> None:
        """Answer all; who still wants something asks again."""
        for pop in self._all():
            self._release(pop, False)

    def count(self, group: str, topic: str, queue_id: int) -> int:
        """How many pops wait for a queue."""
        waiting = self._waiting.get(topic, {}).get(group, ())
        return sum(pop.awaited.queue_id == queue_id for pop in waiting)

    def hold(
        self, connection: Connection, awaited: Awaited, wait_ms: int
    ) -> asyncio.Future[bool] | None:
        """Wait: the future says whether to look again. None: too many wait already."""
        group, topic, queue_id = awaited.group, awaited.topic, awaited.queue_id
        if (
            not self._open
            or self._count >= self._config.waiting_max
            or self.count(group, topic, queue_id) >= self._config.waiting_per_queue_max
        ):
            return None
        queue = self._waiting.setdefault(topic, {}).setdefault(group, [])
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        deadline = self._clock.monotonic() + wait_ms / 1000
        queue.append(_WaitingPop(connection, awaited, deadline, woken))
        for retry in _retry_topics(group, topic):
            self._retries[retry] = (topic, group)
        self._count += 1
        return woken

    def arrived(self, arrivals: Sequence[Filed]) -> None:
        """Wake those that wait for one of these messages."""
        if not self._count:
            return
        for topic, queue_id, _, log_offset, _, tag_hash, _ in arrivals:
            retried = self._retries.get(topic)
            if retried is not None:
                self.wake_one(retried[1], retried[0])
                continue
            for queue in list(self._waiting.get(topic, {}).values()):
                for pop in queue:
                    if self._may_want(pop.awaited, queue_id, log_offset, tag_hash):
                        self._release(pop, True)
                        break

    def _may_want(self, awaited: Awaited, queue_id: int, log_offset: int, tag_hash: int) -> bool:
        if awaited.queue_id not in (-1, queue_id):
            return False
        if awaited.tag_hashes is not None and tag_hash not in awaited.tag_hashes:
            return False
        if awaited.accept is None:
            return True
        record = self._record_at(log_offset)
        return record is None or awaited.accept(record)

    def wake(self, group: str, topic: str) -> None:
        """A queue of an ordered group is free again."""
        for pop in list(self._waiting.get(topic, {}).get(group, ())):
            self._release(pop, True)

    def wake_one(self, group: str, topic: str) -> None:
        """There is something for a group: let the one that waits longest look."""
        waiting = self._waiting.get(topic, {}).get(group)
        if waiting:
            self._release(waiting[0], True)

    def sweep(self) -> None:
        """Answer what waited long enough; let all look again now and then."""
        now = self._clock.monotonic()
        recheck = now >= self._recheck_at
        if recheck:
            self._recheck_at = now + _RECHECK_SECONDS
        for pop in self._all():
            if pop.deadline <= now or not pop.connection.is_open:
                self._release(pop, False)
            elif recheck:
                self._release(pop, True)

    def _all(self) -> list[_WaitingPop]:
        return [
            pop for groups in self._waiting.values() for queue in groups.values() for pop in queue
        ]

    def _release(self, pop: _WaitingPop, again: bool) -> None:
        group, topic = pop.awaited.group, pop.awaited.topic
        groups = self._waiting[topic]
        groups[group].remove(pop)
        if not groups[group]:
            del groups[group]
            for retry in _retry_topics(group, topic):
                self._retries.pop(retry, None)
        if not groups:
            del self._waiting[topic]
        self._count -= 1
        if not pop.woken.done():
            pop.woken.set_result(again)


def _retry_topics(group: str, topic: str) -> tuple[str, str]:
    return (
        names.pop_retry_topic(group, topic),
        names.pop_retry_topic(group, topic, second_form=True),
    )
