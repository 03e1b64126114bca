"""Where the broker itself puts messages: retries, delayed deliveries, transactions, acks.

A client's send has its own, shorter way (`handlers/send.py`). Both end in the same append, wake the
same dispatch and count the same statistics.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pocketmq.broker.services.dispatch import DispatchService
from pocketmq.broker.services.flush import CODE_OK, FlushService
from pocketmq.broker.services.placing import Placer
from pocketmq.broker.state.statistics import Statistics
from pocketmq.clock import Clock
from pocketmq.errors import StoreError
from pocketmq.message.properties import encode_properties
from pocketmq.store import MessageStore


@dataclass(slots=True)
class OwnMessage:
    """A message that the broker stores. `born_host` packed, empty: this broker."""

    topic: str
    queue_id: int
    body: bytes | memoryview
    properties: dict[str, str] = field(default_factory=dict)
    flag: int = 0
    sys_flag: int = 0
    born_timestamp_ms: int = 0
    born_host: bytes = b""
    reconsume_times: int = 0
    prepared_offset: int = 0


class Stored(NamedTuple):
    """Where a message went."""

    log_offset: int
    size: int
    queue_offset: int
    store_timestamp_ms: int


class Intake:
    """Stores the broker's own messages."""

    def __init__(
        self,
        store: MessageStore,
        dispatch: DispatchService,
        flush: FlushService,
        statistics: Statistics,
        clock: Clock,
        store_host: bytes,
        placer: Placer,
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._flush = flush
        self._is_sync = flush.is_sync
        self._append_encoded = store.append
        self._statistics = statistics
        self._clock = clock
        self._store_host = store_host
        self._placer = placer

    def put(self, message: OwnMessage) -> Stored:
        """Append a message. Raise StoreError; then nothing is stored."""
        stored = self._append(message)
        self._flush.wake()
        return stored

    def _append(self, message: OwnMessage) -> Stored:
        stored = Stored(
            *self._store.append(
                message.topic,
                message.queue_id,
                message.flag,
                message.sys_flag,
                message.born_timestamp_ms or self._clock.now_ms(),
                message.born_host or self._store_host,
                message.reconsume_times,
                message.prepared_offset,
                message.body,
                encode_properties(message.properties).encode("utf-8", "surrogatepass"),
            )
        )
        self._dispatch.wake()
        self._statistics.put(message.topic, 1, stored.size)
        return stored

    def put_encoded(
        self,
        topic: str,
        queue_id: int,
        flag: int,
        sys_flag: int,
        born_timestamp_ms: int,
        born_host: bytes,
        reconsume_times: int,
        prepared_offset: int,
        body: bytes | memoryview,
        properties: bytes,
    ) -> int:
        """Append a message whose properties are encoded already; return its log offset.

        Raise StoreError.
        """
        log_offset, size, _, _ = self._append_encoded(
            topic,
            queue_id,
            flag,
            sys_flag,
            born_timestamp_ms,
            born_host,
            reconsume_times,
            prepared_offset,
            body,
            properties,
        )
        if not self._dispatch.is_scheduled:
            self._dispatch.wake()
        if self._is_sync:
            self._flush.wake()
        self._statistics.put(topic, 1, size)
        return log_offset

    def put_placed(self, message: OwnMessage) -> Stored:
        """Append a message where its properties send it. Raise Refused, StoreError."""
        return self.put(self._placed(message))

    async def put_placed_durably(self, message: OwnMessage) -> Stored:
        """Like `put_placed`, and wait as `put_durably` does."""
        return await self.put_durably(self._placed(message))

    def _placed(self, message: OwnMessage) -> OwnMessage:
        placed = self._placer.place(
            message.topic, message.queue_id, message.properties, message.sys_flag
        )
        return replace(
            message,
            topic=placed.topic,
            queue_id=placed.queue_id,
            properties=placed.properties,
            sys_flag=placed.sys_flag,
        )

    async def put_durably(self, message: OwnMessage) -> Stored:
        """Append a message and wait until it is as durable as the flush mode asks.

        Raise StoreError when it cannot be stored or the disk does not confirm it.
        """
        stored = self._append(message)
        if self._flush.is_sync and not await self.is_durable():
            raise StoreError("the message is stored, but the disk did not confirm it in time")
        return stored

    async def is_durable(self) -> bool:
        """Whether all that was appended by now is on the disk, where it is brought first."""
        confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._flush.call_when_durable(confirmed)
        return await confirmed == CODE_OK
