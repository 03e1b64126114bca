"""What a started producer consists of: room, routes to queues, hooks, and the ways out.

composed message -> room -> hooks -> gathered into a batch, or alone -> Sender -> receipt
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pocketmq.client.batching import Gatherer, batch_of, receipts_of, split
from pocketmq.client.composing import BULKY_BYTES, Composer, context_of
from pocketmq.client.hooks import Hooks, SendContext
from pocketmq.client.instance import Instance
from pocketmq.client.lanes import Lane
from pocketmq.client.messages import Message, MessageQueue, SendReceipt
from pocketmq.client.outgoing import Outgoing, Selector
from pocketmq.client.room import Room
from pocketmq.client.sending import ProducerOptions, Sender
from pocketmq.client.soon import OnError, Soon
from pocketmq.clock import SystemClock
from pocketmq.errors import MessageInvalid, PocketMQError, SendTimeout, TooManyInFlight
from pocketmq.message.properties import encode_properties
from pocketmq.protocol.command import FLAG_ONEWAY, next_opaque
from pocketmq.protocol.framing import encode_frame
from pocketmq.security import sign

if TYPE_CHECKING:
    from pocketmq.client.codecs.registry import Codec

_now_ms = SystemClock.now_ms


class Outbox:
    """Everything that leaves one producer."""

    def __init__(
        self,
        instance: Instance,
        group: str,
        wire_group: str,
        options: ProducerOptions,
        composer: Composer,
        hooks: Hooks,
        selector: Selector | None,
        on_error: OnError | None,
    ) -> None:
        self.instance = instance
        self.group = group
        self.options = options
        self.composer = composer
        self.hooks = hooks
        self.room = Room(options.in_flight_max, options.in_flight_bytes_max)
        self.sender = Sender(instance, wire_group, options)
        self._selector = selector
        self._soon = Soon(self.sender, self.room, on_error)
        self._threads: ThreadPoolExecutor | None = None
        self._gatherer: Gatherer | None = None
        if options.batching is not None:
            self._gatherer = Gatherer(self.sender, options.batching)

    async def flush(self) -> None:
        """Send what is gathered, and return when all that is under way is answered."""
        if self._gatherer is not None:
            await self._gatherer.flush()
        await self._soon.drain()

    # -- composing --------------------------------------------------------------------------

    async def composed(
        self,
        message: Message,
        queue: MessageQueue | None = None,
        *,
        system: Mapping[str, str] | None = None,
        kind: str = "",
        codec: Codec | str | None = None,
    ) -> Outgoing:
        """The message, checked, with the selector's queue when it has none of its own."""
        out = self.composer.full(message, queue=queue, system=system, kind=kind, codec=codec)
        if queue is None and self._selector is not None:
            out.queue = await self._selected(out.user_topic, message)
        return out

    async def _selected(self, topic: str, message: Message) -> MessageQueue:
        assert self._selector is not None
        queues: Sequence[MessageQueue] = await self.queues(topic)
        chosen = self._selector(queues, message)
        if chosen not in queues:
            raise MessageInvalid(f"the selector chose {chosen}, which is no queue of {topic}")
        return chosen

    async def queues(self, topic: str) -> list[MessageQueue]:
        """The queues of a topic that can be sent to. Raise NoRoute."""
        lanes = await self.sender.lanes(self.composer.wire_topic(topic))
        return [MessageQueue(topic, queue.broker_name, queue.queue_id) for queue in lanes.queues]

    def broker_address(self, topic: str, broker_name: str) -> str:
        """Where the master of a broker listens, by the route of `topic`; empty when unknown."""
        lanes = self.sender.known_lanes(self.composer.wire_topic(topic))
        return (lanes.route.master(broker_name) or "") if lanes is not None else ""

    # -- the ways out -----------------------------------------------------------------------

    async def send(self, out: Outgoing, timeout: float = 0.0) -> SendReceipt:
        """Send and wait for the receipt. Raises as `Producer.send`."""
        if len(out.body) >= BULKY_BYTES and self.composer.is_bulky(out):
            await self._squeeze(out)
        gatherer = self._gatherer
        size = len(out.body)
        if not self.room.take(size):
            await self._wait_for_room(out, timeout)
        try:
            if gatherer is not None and gatherer.takes(out):
                return await self._send_gathered(gatherer, out)
            if self.hooks:
                return await self._send_watched(out, timeout)
            return await self.sender.deliver(out, timeout)
        finally:
            self.room.give(size)

    def send_soon(self, out: Outgoing, message: Message | None, on_error: OnError | None) -> None:
        """Send without waiting. `message` is needed for a selector. Raise TooManyInFlight."""
        if self.composer.is_bulky(out):
            self.composer.squeeze(out)
        if not self.room.take(len(out.body)):
            raise TooManyInFlight(
                f"{self.room.count} messages are unanswered; write `await producer.send_soon(...)`"
                " to wait for room, or raise in_flight_max"
            )
        if self.hooks or self._selector is not None:
            self._soon.run(self._send_whole(out, message), out, on_error)
        elif self._gatherer is not None and self._gatherer.takes(out):
            self._gatherer.add(out, self._soon.settler(out, on_error))
        else:
            self._soon.send(out, on_error)

    async def _send_whole(self, out: Outgoing, message: Message | None) -> SendReceipt:
        """For `send_soon`, when hooks look on or a selector chooses."""
        if self._selector is not None and out.queue is None:
            whole = message or Message(out.user_topic, out.body)
            out.queue = await self._selected(out.user_topic, whole)
        return await self._send_watched(out, 0.0)

    async def send_oneway(self, out: Outgoing) -> None:
        """Send without an answer. Raises as `Producer.send_oneway`."""
        sender = self.sender
        out.kind = "oneway"
        if self.composer.is_bulky(out):
            await self._squeeze(out)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + sender.timeout
        lanes = await sender.lanes(out.topic)
        lane: Lane = sender.fast_lane(out, loop.time()) or lanes.next()
        context = self._before(out)
        connection = await sender.connect(lane, deadline)
        opaque = next_opaque()
        credentials = self.instance.config.credentials
        if credentials is None:
            connection.submit_oneway(lane.frame(out, opaque, FLAG_ONEWAY))
        else:
            command = lane.command(out, opaque, oneway=True)
            sign(command.fields, command.body, credentials)
            connection.submit_oneway(encode_frame(command))
        self._after(context, None, None)

    async def send_items(self, items: list[Outgoing], order_by: str) -> list[SendReceipt]:
        """Send messages of one topic as batches to one queue. Raises as `Producer.send`."""
        parts = list(split(items, self.options.body_bytes_max))
        queue = None
        if len(parts) > 1 and not order_by:
            queue = (await self.sender.lanes(items[0].topic)).next().queue
        receipts: list[SendReceipt] = []
        for part in parts:
            out = batch_of(part)
            out.order_by, out.queue = order_by, queue
            size = len(out.body)
            if not self.room.take(size):
                await self._wait_for_room(out, 0.0)
            try:
                receipts += receipts_of(part, await self._send_watched(out, 0.0, part))
            finally:
                self.room.give(size)
        return receipts

    async def _send_gathered(self, gatherer: Gatherer, out: Outgoing) -> SendReceipt:
        receipt: asyncio.Future[SendReceipt] = asyncio.get_running_loop().create_future()

        def settle(stored: SendReceipt | None, error: BaseException | None) -> None:
            if receipt.done():
                return
            if stored is not None:
                receipt.set_result(stored)
            else:
                assert error is not None
                receipt.set_exception(error)

        context = self._before(out)
        try:
            gatherer.add(out, settle)
            stored = await receipt
        except PocketMQError as error:
            self._after(context, None, error)
            raise
        self._after(context, stored, None)
        return stored

    async def _send_watched(
        self, out: Outgoing, timeout: float, items: list[Outgoing] | None = None
    ) -> SendReceipt:
        context = self._before(out, items)
        if context is not None and items:
            out.body = batch_of(items).body
        try:
            receipt = await self.sender.deliver(out, timeout)
        except PocketMQError as error:
            self._after(context, None, error)
            raise
        self._after(context, receipt, None)
        return receipt

    async def _squeeze(self, out: Outgoing) -> None:
        """Compress a large body on a thread, where it holds up nobody."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "pocketmq-compress")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self.composer.squeeze, out)

    def close(self) -> None:
        """Send nothing more."""
        self.sender.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    async def _wait_for_room(self, out: Outgoing, timeout: float) -> None:
        try:
            await self.room.take_when_open(len(out.body), timeout or self.sender.timeout)
        except TooManyInFlight as error:
            raise SendTimeout(out.user_topic, [("no broker yet", error)]) from None

    # -- hooks ------------------------------------------------------------------------------

    def _before(self, out: Outgoing, items: list[Outgoing] | None = None) -> SendContext | None:
        if not self.hooks:
            return None
        each = items or [out]
        context = context_of(each, self.group, self.instance.client_id, out.kind)
        self.hooks.before_send(context)
        for item, properties in zip(each, context.properties, strict=True):
            item.properties = encode_properties(properties).encode()
        return context

    def _after(
        self,
        context: SendContext | None,
        receipt: SendReceipt | None,
        error: BaseException | None,
    ) -> None:
        if context is None:
            return
        context.receipt, context.error = receipt, error
        context.cost_ms = _now_ms() - context.started_ms
        if receipt is not None:
            context.queue = receipt.queue
            context.broker_address = self.broker_address(receipt.topic, receipt.broker_name)
        self.hooks.after_send(context)
