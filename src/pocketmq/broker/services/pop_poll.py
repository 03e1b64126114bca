"""Pops that found nothing wait here until a message comes or their time is over.

A message wakes, of each group, the pop that waits longest for its queue and may want its tag; what
it leaves goes to the others when they look again, once a second.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pocketmq.broker.services.loop import Loop
from pocketmq.clock import Clock
from pocketmq.message import topics as names
from pocketmq.message.scan import Filed
from pocketmq.net import Connection

WAITING_PER_QUEUE = 1024
WAITING_MAX = 100_000
_SWEEP_MS = 50
_RECHECK_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class WaitingPop:
    """A pop that waits. Queue -1: any. `tag_hashes` None: any message."""

    connection: Connection
    group: str
    topic: str
    queue_id: int
    tag_hashes: frozenset[int] | None
    deadline: float
    woken: asyncio.Future[bool]


class PopPollService:
    """Holds pops by topic and wakes them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, dict[str, list[WaitingPop]]] = {}
        self._retries: dict[str, tuple[str, str]] = {}
        self._count = 0
        self._open = True
        self._recheck_at = 0.0
        self._loop = Loop("pop-poll", _SWEEP_MS, self.sweep, clock)

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
        return sum(pop.queue_id == queue_id for pop in waiting)

    def hold(
        self,
        connection: Connection,
        group: str,
        topic: str,
        queue_id: int,
        tag_hashes: frozenset[int] | None,
        wait_ms: int,
    ) -> asyncio.Future[bool] | None:
        """Wait: the future says whether to look again. None: too many wait already."""
        if not self._open or self._count >= WAITING_MAX:
            return None
        queue = self._waiting.setdefault(topic, {}).setdefault(group, [])
        if len(queue) >= WAITING_PER_QUEUE:
            return None
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        deadline = self._clock.monotonic() + wait_ms / 1000
        queue.append(WaitingPop(connection, group, topic, queue_id, tag_hashes, deadline, woken))
        for second_form in (False, True):
            retry = names.pop_retry_topic(group, topic, second_form=second_form)
            self._retries[retry] = (topic, group)
        self._count += 1
        return woken

    def arrived(self, arrivals: list[Filed]) -> None:
        """Wake those that wait for one of these messages."""
        if not self._count:
            return
        for topic, queue_id, _, _, _, tag_hash, _ in arrivals:
            retried = self._retries.get(topic)
            if retried is not None:
                waiting = self._waiting.get(retried[0], {}).get(retried[1], ())
                if waiting:
                    self._release(waiting[0], True)
                continue
            for queue in list(self._waiting.get(topic, {}).values()):
                for pop in queue:
                    if pop.queue_id in (-1, queue_id) and (
                        pop.tag_hashes is None or tag_hash in pop.tag_hashes
                    ):
                        self._release(pop, True)
                        break

    def wake(self, group: str, topic: str) -> None:
        """A queue of an ordered group is free again."""
        for pop in list(self._waiting.get(topic, {}).get(group, ())):
            self._release(pop, True)

    def sweep(self) -> None:
        """Answer what waited long enough; let one of each group look again now and then."""
        now = self._clock.monotonic()
        recheck = now >= self._recheck_at
        if recheck:
            self._recheck_at = now + _RECHECK_SECONDS
        for pop in self._all():
            if pop.deadline <= now or not pop.connection.is_open:
                self._release(pop, False)
            elif recheck:
                self._release(pop, True)

    def _all(self) -> list[WaitingPop]:
        return [
            pop for groups in self._waiting.values() for queue in groups.values() for pop in queue
        ]

    def _release(self, pop: WaitingPop, again: bool) -> None:
        groups = self._waiting[pop.topic]
        groups[pop.group].remove(pop)
        if not groups[pop.group]:
            del groups[pop.group]
            for second_form in (False, True):
                retry = names.pop_retry_topic(pop.group, pop.topic, second_form=second_form)
                self._retries.pop(retry, None)
        if not groups:
            del self._waiting[pop.topic]
        self._count -= 1
        if not pop.woken.done():
            pop.woken.set_result(again)
