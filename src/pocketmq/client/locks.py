"""Locks of queues, which keep ordered consumption to one consumer at a time.

A broker gives a lock to one client id and forgets it a minute after it was last renewed. We renew
every 20 s and trust a lock for 30, so that the next owner never begins before we have stopped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from pocketmq.client.bell import Bell
from pocketmq.client.calls import Calls
from pocketmq.client.messages import MessageQueue
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.errors import PocketMQError

_log = logging.getLogger(__name__)


class QueueLocks:
    """The locks of one consumer. `held` tells which queues it has."""

    def __init__(
        self,
        calls: Calls,
        group: str,
        client_id: str,
        address_of: Callable[[MessageQueue], str | None],
        held: Callable[[], Iterable[ProcessQueue]],
        *,
        interval_ms: int,
        lease_ms: int,
    ) -> None:
        self._calls = calls
        self._group = group
        self._client_id = client_id
        self._address_of = address_of
        self._held = held
        self._interval = interval_ms / 1000
        self._lease = lease_ms / 1000
        self._renewed = asyncio.Event()
        self._renew_now = Bell()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to renew."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Renew no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._announce()

    def is_held(self, queue: ProcessQueue) -> bool:
        """Whether a queue's lock can be trusted now."""
        now = asyncio.get_running_loop().time()
        return queue.locked_at is not None and now - queue.locked_at < self._lease

    async def wait_until_held(self, queue: ProcessQueue) -> None:
        """Return when a queue is locked for us, or was dropped."""
        while not queue.dropped and not self.is_held(queue):
            self._renew_now.ring()
            await self._renewed.wait()

    async def lock(self, queues: Iterable[MessageQueue]) -> dict[MessageQueue, bool]:
        """Which of the queues are locked for us now. Those of brokers that fail are left out."""
        by_broker: dict[str, list[MessageQueue]] = {}
        for queue in queues:
            by_broker.setdefault(queue.broker_name, []).append(queue)
        found: dict[MessageQueue, bool] = {}
        for mine in by_broker.values():
            address = self._address_of(mine[0])
            if address is None:
                continue
            try:
                locked = await self._calls.lock(address, self._group, self._client_id, mine)
            except PocketMQError as error:
                _log.warning("queues not locked group=%s: %s", self._group, error)
                continue
            found.update((queue, queue in locked) for queue in mine)
        return found

    async def unlock(self, queue: MessageQueue) -> bool:
        """Give a lock back, so that others need not wait until it expires. Return whether the
        broker has heard it."""
        address = self._address_of(queue)
        if address is None:
            return False
        try:
            await self._calls.unlock(address, self._group, self._client_id, [queue])
        except PocketMQError as error:
            _log.info("queue not unlocked group=%s queue=%s: %s", self._group, queue, error)
            return False
        return True

    async def renew(self) -> None:
        """Lock again what we have."""
        now = asyncio.get_running_loop().time()
        held = {item.queue: item for item in self._held() if not item.dropped}
        locked = await self.lock(held)
        for queue, item in held.items():
            if locked.get(queue):
                item.locked_at = now
            elif queue in locked:
                if item.locked_at is not None:
                    _log.warning("lock lost group=%s queue=%s", self._group, queue)
                item.locked_at = None
        self._announce()

    def _announce(self) -> None:
        renewed, self._renewed = self._renewed, asyncio.Event()
        renewed.set()

    async def _run(self) -> None:
        while True:
            if await self._renew_now.wait(self._interval):
                # Some queue waits for its lock: do not ask too often.
                await asyncio.sleep(min(0.2, self._interval))
            await self.renew()
