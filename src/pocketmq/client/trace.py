"""Message trace: what happened to each message, written as Apache's clients write it.

    producer = Producer("127.0.0.1:9876", group="orders", hooks=[Trace()])

Every send, delivery, end of a transaction and recall becomes a record; records go to the topic
RMQ_SYS_TRACE_TOPIC, many in a message, whose keys are the ids and keys of the messages they tell
about. Consoles and `mqadmin queryMsgTraceById` find them there. Tracing never holds up a send: when
the brokers do not keep up, records are dropped and counted.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pocketmq.client.hooks import (
    ConsumeContext,
    EndTransactionContext,
    Hook,
    RecallContext,
    SendContext,
)
from pocketmq.client.outgoing import Outgoing, plain_properties
from pocketmq.client.sending import ProducerOptions, Sender
from pocketmq.client.trace_records import (
    TraceRecord,
    deliveries,
    ended_transaction,
    outcomes,
    recalled,
    sends,
)
from pocketmq.client.unique_keys import unique_keys
from pocketmq.clock import Clock, SystemClock
from pocketmq.errors import PocketMQError

if TYPE_CHECKING:
    from pocketmq.client.instance import Instance

_log = logging.getLogger(__name__)

TRACE_TOPIC: Final = "RMQ_SYS_TRACE_TOPIC"
TRACE_GROUP: Final = "_INNER_TRACE_PRODUCER-"
MESSAGE_BYTES_MAX: Final = 128_000
FLUSH_SECONDS: Final = 5.0
FLUSH_AT_RECORDS: Final = 100

_numbers = itertools.count(1)


class Trace(Hook):
    """Writes the message trace of one producer or consumer; give each client one of its own.

    `records_max` bounds what waits to be written; `dropped` counts what did not fit. Traces go to
    `topic` once in five seconds, sooner when many wait, and the last when the client closes.
    """

    def __init__(
        self,
        *,
        topic: str = TRACE_TOPIC,
        records_max: int = 20_000,
        clock: Clock | None = None,
    ) -> None:
        self.topic = topic
        self.dropped = 0
        self._records_max = records_max
        self._clock = clock or SystemClock()
        self._records: list[TraceRecord] = []
        self._instance: Instance | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._senders: dict[str, Sender] = {}

    # -- what happens -----------------------------------------------------------------------

    def after_send(self, context: SendContext) -> None:
        """A send was answered, or failed."""
        if self._is_traced(context.topic) and context.kind != "oneway":
            self._add(sends(context))

    def before_consume(self, context: ConsumeContext) -> None:
        """Messages are about to be handled."""
        if self._is_traced(context.queue.topic):
            self._add(deliveries(context, self._clock.now_ms()))

    def after_consume(self, context: ConsumeContext) -> None:
        """Messages were handled."""
        if self._is_traced(context.queue.topic):
            self._add(outcomes(context, self._clock.now_ms()))

    def after_end_transaction(self, context: EndTransactionContext) -> None:
        """A transaction was ended."""
        self._add([ended_transaction(context)])

    def after_recall(self, context: RecallContext) -> None:
        """A message was taken back, or not."""
        self._add([recalled(context)])

    def _is_traced(self, topic: str) -> bool:
        return topic != self.topic

    def _add(self, records: list[TraceRecord]) -> None:
        room = self._records_max - len(self._records)
        if len(records) > room:
            if not self.dropped:
                _log.warning("trace records are dropped: brokers do not take them fast enough")
            self.dropped += len(records) - max(room, 0)
            records = records[: max(room, 0)]
        self._records += records
        if len(self._records) >= FLUSH_AT_RECORDS:
            self._wake.set()

    # -- writing them -----------------------------------------------------------------------

    async def start(self, instance: object) -> None:
        """Begin to write."""
        from pocketmq.client.instance import Instance

        assert isinstance(instance, Instance)
        self._instance = instance
        self._wake = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Write what waits, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.flush()
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()

    async def _run(self) -> None:
        while True:
            with suppress(asyncio.TimeoutError, TimeoutError):
                await asyncio.wait_for(self._wake.wait(), FLUSH_SECONDS)
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what waits, now. What no broker takes is dropped, counted and logged."""
        records, self._records = self._records, []
        grouped: dict[str, list[TraceRecord]] = {}
        for record in records:
            grouped.setdefault(record.group + record.role, []).append(record)
        for name, some in grouped.items():
            for part in _parts(some):
                await self._write(name, part)

    async def _write(self, name: str, records: list[TraceRecord]) -> None:
        assert self._instance is not None, "flush before start"
        sender = self._senders.get(name)
        if sender is None:
            group = f"{TRACE_GROUP}{records[0].group}-{records[0].role}-{next(_numbers)}"
            sender = self._senders[name] = Sender(self._instance, group, ProducerOptions())
        try:
            await sender.deliver(self._message(records))
        except PocketMQError as error:
            self.dropped += len(records)
            _log.warning("traces not written records=%d: %s", len(records), error)

    def _message(self, records: list[TraceRecord]) -> Outgoing:
        keys = dict.fromkeys(key for record in records for key in record.keys)
        body = "".join(record.text for record in records).encode()
        unique_key = unique_keys.new()
        properties = plain_properties(unique_key, "", " ".join(keys), True).encode()
        now_ms = self._clock.now_ms()
        return Outgoing(self.topic, self.topic, body, properties, unique_key, now_ms)


def _parts(records: list[TraceRecord]) -> list[list[TraceRecord]]:
    """Records in lots that fit into a message, keys included."""
    parts: list[list[TraceRecord]] = []
    body_bytes = keys_bytes = 0
    for record in records:
        size, keys_size = record.size, sum(len(key.encode()) + 1 for key in record.keys)
        full = body_bytes + size > MESSAGE_BYTES_MAX or keys_bytes + keys_size > KEYS_BYTES_MAX
        if not parts or full or len(parts[-1]) >= RECORDS_IN_MESSAGE_MAX:
            parts.append([])
            body_bytes = keys_bytes = 0
        parts[-1].append(record)
        body_bytes += size
        keys_bytes += keys_size
    return parts


KEYS_BYTES_MAX: Final = 24_000
RECORDS_IN_MESSAGE_MAX: Final = 200
