"""Queues that ordered consumers hold: one client of a group at a time, until its lease ends.

    group -> (topic, broker, queue) -> client and when it last asked

A client renews its lease by locking again. A lease that is not renewed is over without notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pocketmq.clock import Clock
from pocketmq.protocol.bodies.queues import MessageQueue

LOCKS_MAX: Final = 1_000_000


@dataclass(slots=True)
class _Lease:
    client_id: str
    renewed: float


class LockTable:
    """Grants, renews and ends leases."""

    def __init__(self, lease_ms: int, clock: Clock, *, locks_max: int = LOCKS_MAX) -> None:
        self._lease_seconds = lease_ms / 1000
        self._clock = clock
        self._locks_max = locks_max
        self._count = 0
        self._groups: dict[str, dict[MessageQueue, _Lease]] = {}

    def __len__(self) -> int:
        return self._count

    def lock(
        self, group: str, client_id: str, queues: Iterable[MessageQueue]
    ) -> list[MessageQueue]:
        """Lease queues to a client; return those it holds now."""
        now = self._clock.monotonic()
        leases = self._groups.setdefault(group, {})
        locked = []
        for queue in queues:
            lease = leases.get(queue)
            if lease is None:
                if self._count >= self._locks_max:
                    continue
                leases[queue] = _Lease(client_id, now)
                self._count += 1
            elif lease.client_id == client_id or self._is_over(lease, now):
                lease.client_id = client_id
                lease.renewed = now
            else:
                continue
            locked.append(queue)
        if not leases:
            del self._groups[group]
        return locked

    def unlock(self, group: str, client_id: str, queues: Iterable[MessageQueue]) -> None:
        """End a client's leases; those of others stay."""
        leases = self._groups.get(group, {})
        for queue in queues:
            lease = leases.get(queue)
            if lease is not None and lease.client_id == client_id:
                del leases[queue]
                self._count -= 1
        if not leases:
            self._groups.pop(group, None)

    def any_unexpired(self, group: str) -> bool:
        """True when a client of the group holds a queue."""
        leases = self._groups.get(group)
        if not leases:
            return False
        now = self._clock.monotonic()
        return any(not self._is_over(lease, now) for lease in leases.values())

    def holder(self, group: str, queue: MessageQueue) -> str | None:
        """The client that holds a queue, or None."""
        lease = self._groups.get(group, {}).get(queue)
        if lease is None or self._is_over(lease, self._clock.monotonic()):
            return None
        return lease.client_id

    def expire(self) -> int:
        """Forget leases that are over; return how many."""
        now = self._clock.monotonic()
        ended = 0
        for group, leases in list(self._groups.items()):
            over = [queue for queue, lease in leases.items() if self._is_over(lease, now)]
            for queue in over:
                del leases[queue]
            ended += len(over)
            if not leases:
                del self._groups[group]
        self._count -= ended
        return ended

    def _is_over(self, lease: _Lease, now: float) -> bool:
        return now - lease.renewed > self._lease_seconds
