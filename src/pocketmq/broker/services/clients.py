"""Forgets silent clients, and tells the consumers of a group when one of them came or went.

A group may change many times in one turn of the event loop, when a switch fails or a fleet starts;
its members are told once per turn.
"""

from __future__ import annotations

import asyncio

from pocketmq.broker.config import ClientsConfig
from pocketmq.broker.services.loop import Loop
from pocketmq.broker.state.clients import ClientTable, ConsumerGroup
from pocketmq.broker.state.groups import GroupTable
from pocketmq.broker.state.locks import LockTable
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.protocol.fields import encode_fields
from pocketmq.protocol.requests.clients import ConsumerGroupRequest


class ClientService:
    """Scans for silent clients and sends change notices."""

    def __init__(
        self, clients: ClientTable, groups: GroupTable, locks: LockTable, config: ClientsConfig
    ) -> None:
        self._clients = clients
        self._groups = groups
        self._locks = locks
        self.configure(config)
        self._loop = Loop("client-expiry", config.scan_interval_ms, self.step)
        self._changed: dict[str, ConsumerGroup] = {}
        clients.on_group_change(self._group_changed)

    def start(self) -> None:
        """Begin to scan."""
        self._loop.start()

    async def stop(self) -> None:
        """Stop scanning."""
        await self._loop.stop()

    def step(self) -> int:
        """Close connections that were silent for too long; return how many."""
        silent = self._clients.expire(self._expiry_ms)
        for connection in silent:
            connection.close(f"no heartbeat for {self._expiry_ms} ms")
        self._clients.expire_popped(self._popped_expiry_ms)
        self._locks.expire()
        return len(silent)

    def configure(self, config: ClientsConfig) -> None:
        """Take other limits; tell consumers of changes, or stop telling them."""
        self._expiry_ms = config.channel_expiry_ms
        self._popped_expiry_ms = config.popped_expiry_ms
        self._notices = config.notify_changes

    def notify(self) -> None:
        """Tell the members of all groups that changed since the last call."""
        changed, self._changed = self._changed, {}
        for group in changed.values():
            if group.is_broadcasting or not self._wants_notices(group.name):
                continue
            fields = encode_fields(ConsumerGroupRequest(group.name))
            for connection in list(group.members):
                connection.notify(
                    Command.request(
                        RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, dict(fields), oneway=True
                    )
                )

    def _group_changed(self, group: ConsumerGroup) -> None:
        if not self._notices:
            return
        if not self._changed:
            asyncio.get_running_loop().call_soon(self.notify)
        self._changed[group.name] = group

    def _wants_notices(self, name: str) -> bool:
        settings = self._groups.find(name)
        return settings is None or settings.notify_consumer_ids_changed_enable
