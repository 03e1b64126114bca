"""Where each member of a broadcast group is, for clients behind a proxy that keeps no offsets.

    (group, topic) -> client -> queue -> offset it pulls from, and when it last did

It lives in memory. What survives is the smallest offset of all members, which the broadcast
service commits for the group's namesake `<group>@broadcast`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pocketmq.clock import Clock

MEMBERS_MAX: Final = 100_000

IsOnline = Callable[[str, str], bool]


@dataclass(slots=True)
class _Member:
    seen_ms: int
    offsets: dict[int, int] = field(default_factory=dict)


class BroadcastTable:
    """Remembers pulls of members. Members not seen for a while are forgotten."""

    def __init__(self, clock: Clock, *, members_max: int = MEMBERS_MAX) -> None:
        self._clock = clock
        self._members_max = members_max
        self._count = 0
        self._groups: dict[tuple[str, str], dict[str, _Member]] = {}

    def __len__(self) -> int:
        return self._count

    def note(self, group: str, topic: str, client_id: str, queue_id: int, offset: int) -> None:
        """A member pulls from `offset`. A member too many is not remembered."""
        now_ms = self._clock.now_ms()
        members = self._groups.get((group, topic), {})
        member = members.get(client_id)
        if member is None:
            if self._count >= self._members_max:
                return
            self._count += 1
            member = members[client_id] = _Member(now_ms)
            self._groups[(group, topic)] = members
        member.seen_ms = now_ms
        member.offsets[queue_id] = offset

    def offset(self, group: str, topic: str, client_id: str, queue_id: int) -> int | None:
        """Where a member pulled last, or None."""
        member = self._groups.get((group, topic), {}).get(client_id)
        return None if member is None else member.offsets.get(queue_id)

    def sweep(
        self, is_online: IsOnline, expiry_ms: int, online_expiry_ms: int
    ) -> Iterator[tuple[str, str, int, int]]:
        """Forget members not seen for long; yield (group, topic, queue, smallest offset)."""
        now_ms = self._clock.now_ms()
        for (group, topic), members in list(self._groups.items()):
            smallest: dict[int, int] = {}
            for client_id, member in list(members.items()):
                age_ms = now_ms - member.seen_ms
                online = is_online(group, client_id)
                if online or age_ms < expiry_ms:
                    for queue_id, offset in member.offsets.items():
                        smallest[queue_id] = min(smallest.get(queue_id, offset), offset)
                if age_ms >= (online_expiry_ms if online else expiry_ms):
                    del members[client_id]
                    self._count -= 1
            if not members:
                del self._groups[(group, topic)]
            for queue_id, offset in smallest.items():
                yield group, topic, queue_id, offset
