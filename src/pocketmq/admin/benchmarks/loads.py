"""The loads: what goes on while it is measured.

A load starts clients, keeps them busy until it is cancelled, and closes them.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from pocketmq.admin.benchmarks.meter import Meter
from pocketmq.admin.benchmarks.pace import CLOCK, Pace
from pocketmq.admin.benchmarks.plan import STAMP_BYTES, Plan
from pocketmq.client.config import ClientConfig
from pocketmq.client.consumer import Consumer
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.producer import Producer
from pocketmq.errors import PocketMQError

_STAMP: Final = struct.Struct(">dq")
_KEYS: Final = 64
_PAUSE_AFTER_FAILURE_SECONDS: Final = 0.05

Send = Callable[[Producer, float], Awaitable[object]]
"""Sends one message that was due at a moment."""


class LoadRunner:
    """Runs one plan's load on a cluster."""

    def __init__(self, plan: Plan, config: ClientConfig, meter: Meter) -> None:
        self._plan = plan
        self._config = config
        self._meter = meter
        self._body = bytes(i * 7 % 251 for i in range(min(plan.body_bytes, 4096)))
        self._body = (self._body * (plan.body_bytes // len(self._body) + 1))[: plan.body_bytes]
        self._pace = Pace(plan.per_second)
        self._sending: dict[str, asyncio.Lock] = {}
        self._numbers: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._turn = 0

    async def run(self, ready: Callable[[], None]) -> None:
        """Keep going until cancelled; `ready` is called once clients work."""
        async with AsyncExitStack() as stack:
            load = self._plan.load
            if load in ("consume", "end-to-end", "ordered"):
                for number in range(self._plan.clients):
                    await stack.enter_async_context(self._consumer(number))
            if load == "consume":
                ready()
                await asyncio.get_running_loop().create_future()
            producers = [
                await stack.enter_async_context(self._producer(number))
                for number in range(self._plan.clients)
            ]
            send = self._sends()
            ready()
            await _all_of(
                [
                    self._sender(producer, send)
                    for producer in producers
                    for _ in range(self._plan.in_flight)
                ]
            )

    async def fill(self, count: int) -> None:
        """Put messages there for consumers to find."""
        left = count

        async def sender(producer: Producer) -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await producer.send(self._plan.topic, self._body)

        async with AsyncExitStack() as stack:
            producers = [
                await stack.enter_async_context(self._producer(number))
                for number in range(self._plan.clients)
            ]
            await _all_of([sender(producer) for producer in producers for _ in range(64)])

    # -- sending ----------------------------------------------------------------------------

    def _producer(self, number: int) -> Producer:
        config = replace(self._config, instance=f"bench-producer-{number}")
        return Producer(config, f"{self._plan.topic}-producers")

    def _sends(self) -> Send:
        return {
            "send": self._send_plain,
            "end-to-end": self._send_stamped,
            "ordered": self._send_ordered,
            "transactions": self._send_in_transaction,
        }[self._plan.load]

    async def _sender(self, producer: Producer, send: Send) -> None:
        counts_here = self._plan.load in ("send", "transactions")
        while True:
            due = await self._pace.turn()
            try:
                await send(producer, due)
            except PocketMQError as error:
                self._meter.failed(_reason(error))
                await asyncio.sleep(_PAUSE_AFTER_FAILURE_SECONDS)
            else:
                if counts_here:
                    self._meter.done(CLOCK.monotonic() - due)

    async def _send_plain(self, producer: Producer, due: float) -> None:
        await producer.send(self._plan.topic, self._body)

    async def _send_in_transaction(self, producer: Producer, due: float) -> None:
        async with producer.transaction(self._plan.topic, self._body):
            pass

    async def _send_stamped(self, producer: Producer, due: float) -> None:
        await producer.send(self._plan.topic, self._stamped(due, 0))

    async def _send_ordered(self, producer: Producer, due: float) -> None:
        self._turn += 1
        key = f"{producer.group}-{self._turn % _KEYS}"
        async with self._sending.setdefault(key, asyncio.Lock()):
            number = self._numbers[key] = self._numbers.get(key, 0) + 1
            await producer.send(
                self._plan.topic, self._stamped(due, number), keys=key, order_by=key
            )

    def _stamped(self, due: float, number: int) -> bytes:
        return _STAMP.pack(due, number) + self._body[STAMP_BYTES:]

    # -- consuming --------------------------------------------------------------------------

    def _consumer(self, number: int) -> Consumer:
        load = self._plan.load
        handler = {
            "consume": self._count,
            "end-to-end": self._take_stamped,
            "ordered": self._take_ordered,
        }[load]
        return Consumer(
            replace(self._config, instance=f"bench-consumer-{number}"),
            group=self._plan.group,
            topics=self._plan.topic,
            handler=handler,
            orderly=load == "ordered",
            start_from="first",
        )

    async def _count(self, message: ReceivedMessage) -> None:
        self._meter.arrived(1)

    async def _take_stamped(self, message: ReceivedMessage) -> None:
        sent, _ = _STAMP.unpack_from(message.body)
        self._meter.done(CLOCK.monotonic() - sent)

    async def _take_ordered(self, message: ReceivedMessage) -> None:
        sent, number = _STAMP.unpack_from(message.body)
        key = message.keys[0]
        if number <= self._seen.get(key, 0):
            self._meter.out_of_order += 1
        self._seen[key] = number
        self._meter.done(CLOCK.monotonic() - sent)


def _reason(error: PocketMQError) -> str:
    return f"{type(error).__name__}: {error}"[:200]


async def _all_of(work: list[Awaitable[None]]) -> None:
    """Run all; when one fails or this is cancelled, none goes on."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
