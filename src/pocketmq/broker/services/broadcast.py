"""Offsets of broadcast consumers behind a proxy: where one begins, and what is kept of all."""

from __future__ import annotations

from typing import Final

from pocketmq.broker.config import PullConfig
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.broadcast import BroadcastTable
from pocketmq.broker.state.clients import ClientTable
from pocketmq.broker.state.offsets import OffsetTable
from pocketmq.store import MessageStore

_SWEEP_MS: Final = 5000


class BroadcastService:
    """Remembers where members are, and keeps the smallest offset of each group."""

    def __init__(
        self,
        table: BroadcastTable,
        offsets: OffsetTable,
        clients: ClientTable,
        store: MessageStore,
        config: PullConfig,
    ) -> None:
        self._table = table
        self._offsets = offsets
        self._clients = clients
        self._store = store
        self._config = config
        self._loop = Loop("broadcast-offsets", _SWEEP_MS, self.step)
        self.enabled = config.broadcast_offsets

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def stop(self) -> None:
        """End; what members reached is kept once more."""
        await self._loop.stop()
        self.step()

    def step(self) -> None:
        """Forget silent members; commit the smallest offset of those that are left."""
        config = self._config
        found = self._table.sweep(
            self._is_online,
            config.broadcast_expiry_seconds * 1000,
            config.broadcast_online_expiry_seconds * 1000,
        )
        for group, topic, queue_id, offset in found:
            self._offsets.commit(broadcast_group(group), topic, queue_id, offset)

    def pulled(self, group: str, topic: str, client_id: str, queue_id: int, offset: int) -> None:
        """A member pulls from an offset."""
        self._table.note(group, topic, client_id, queue_id, offset)

    def first_offset(self, group: str, topic: str, client_id: str, queue_id: int) -> int:
        """Where a member that does not know begins.

        Where it was; else where its group was; else at the first message while that is recent, or
        with what comes next.
        """
        known = self._table.offset(group, topic, client_id, queue_id)
        if known is None:
            known = self._offsets.query(broadcast_group(group), topic, queue_id)
        if known is not None:
            return known
        entry = self._store.entry_of(topic, queue_id, 0)
        if entry is not None and self._store.is_recent(entry[0]):
            return 0
        return self._store.queue_offsets(topic, queue_id)[1]

    def _is_online(self, group: str, client_id: str) -> bool:
        members = self._clients.consumer_group(group)
        return members is not None and members.client(client_id) is not None


def broadcast_group(group: str) -> str:
    """The name under which the smallest offset of a broadcast group is kept."""
    return f"{group}@broadcast"
