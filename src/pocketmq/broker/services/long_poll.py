"""Pulls that found nothing wait here until a message comes or their time is over.

A held pull is a parked call: `resume` runs the pull once more and answers it. It is woken when a
message arrives in its queue whose tag it may want, when its time is over, and every few seconds in
case an arrival was missed. Pulls of closed connections are dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketmq.clock import Clock
from pocketmq.message.scan import Filed
from pocketmq.net import Connection

_SWEEP_SECONDS = 0.5
_RECHECK_SECONDS = 5.0

Key = tuple[str, int]


@dataclass(slots=True, eq=False)
class HeldPull:
    """A pull that waits. `tag_hashes` None: every tag wakes it.

    `wants` looks at a message by its log offset, for filters that no tag decides.
    """

    connection: Connection
    key: Key
    queue_offset: int
    tag_hashes: frozenset[int] | None
    deadline: float
    resume: Callable[[], None]
    wants: Callable[[int], bool] | None = None
    group: str = ""


class LongPollService:
    """Holds pulls by queue, and wakes them."""

    def __init__(self, held_max: int, clock: Clock, queue_end: Callable[[str, int], int]) -> None:
        self._held_max = held_max
        self._clock = clock
        self._queue_end = queue_end
        self._held: dict[Key, list[HeldPull]] = {}
        self._count = 0
        self._recheck_at = clock.monotonic() + _RECHECK_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._stop_listening: Callable[[], None] | None = None

    @property
    def count(self) -> int:
        """Pulls held now."""
        return self._count

    def start(self) -> None:
        """Begin to watch the deadlines."""
        self._stop_listening = self._clock.on_advance(self.sweep)
        self._schedule()

    def stop(self) -> None:
        """Forget all held pulls; their connections are about to close."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        self._held.clear()
        self._count = 0

    def held_at(self, topic: str, queue_id: int) -> list[HeldPull]:
        """The pulls that wait for a message in this queue."""
        return list(self._held.get((topic, queue_id), ()))

    def drain(self) -> None:
        """Answer all held pulls and hold no more: nothing will come while this broker stops."""
        self._held_max = 0
        self.answer_all()

    def answer_all(self) -> None:
        """Answer all held pulls; who still wants something asks again."""
        for key, pulls in list(self._held.items()):
            self._release(key, pulls)

    def deadline(self, timeout_ms: int) -> float:
        """When a pull that begins to wait now has waited `timeout_ms`."""
        return self._clock.monotonic() + timeout_ms / 1000

    def hold(self, pull: HeldPull) -> bool:
        """Park a pull. False: too many are held, answer it now."""
        if self._count >= self._held_max:
            return False
        self._held.setdefault(pull.key, []).append(pull)
        self._count += 1
        return True

    def arrived(self, arrivals: Sequence[Filed]) -> None:
        """Wake the pulls that wait for one of these messages."""
        held = self._held
        if not held:
            return
        for topic, queue_id, queue_offset, log_offset, _, tag_hash, _ in arrivals:
            waiting = held.get((topic, queue_id))
            if waiting is None:
                continue
            woken = [
                pull
                for pull in waiting
                if pull.queue_offset <= queue_offset
                and (pull.tag_hashes is None or tag_hash in pull.tag_hashes)
                and (pull.wants is None or pull.wants(log_offset))
            ]
            if woken:
                self._release((topic, queue_id), woken)

    def wake(self, group: str, topic: str, queue_id: int) -> None:
        """Let a group's pulls of a queue look again."""
        pulls = [pull for pull in self.held_at(topic, queue_id) if pull.group == group]
        if pulls:
            self._release((topic, queue_id), pulls)

    def sweep(self) -> None:
        """Wake pulls whose time is over, drop closed ones, look again at all now and then."""
        now = self._clock.monotonic()
        recheck = now >= self._recheck_at
        if recheck:
            self._recheck_at = now + _RECHECK_SECONDS
        for key, waiting in list(self._held.items()):
            end = self._queue_end(*key) if recheck else 0
            done = [
                pull
                for pull in waiting
                if pull.deadline <= now or not pull.connection.is_open or pull.queue_offset < end
            ]
            if done:
                self._release(key, done)

    def _release(self, key: Key, pulls: list[HeldPull]) -> None:
        gone = set(map(id, pulls))
        left = [pull for pull in self._held[key] if id(pull) not in gone]
        if left:
            self._held[key] = left
        else:
            del self._held[key]
        self._count -= len(pulls)
        for pull in pulls:
            if pull.connection.is_open:
                pull.resume()

    def _tick(self) -> None:
        self.sweep()
        self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_SWEEP_SECONDS, self._tick)
