"""The producer: everything that sends.

    async with pocketmq.Producer("127.0.0.1:9876", group="orders") as producer:
        receipt = await producer.send("orders", b"...", tag="paid", keys="42")

One producer serves any number of tasks of one event loop. Sends of one turn of the loop leave in
one write for each broker, so many at a time cost far less than one after the other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TypeVar

from pocketmq.client import requests
from pocketmq.client.batching import Gatherer, batch_of, receipts_of, split
from pocketmq.client.composing import Composer, context_of
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.client.explain import explain_producer
from pocketmq.client.hooks import Hook, Hooks, RecallContext, SendContext
from pocketmq.client.instance import Instance
from pocketmq.client.messages import (
    Delay,
    Keys,
    Message,
    MessageQueue,
    ReceivedMessage,
    SendReceipt,
)
from pocketmq.client.namespaces import Namespace
from pocketmq.client.outgoing import BodyCodec, Outgoing, Selector
from pocketmq.client.room import Room
from pocketmq.client.sending import ProducerOptions, Sender
from pocketmq.client.soon import OnError, Soon
from pocketmq.client.transactions import Check, CheckBack, Transaction
from pocketmq.clock import SystemClock
from pocketmq.errors import (
    BrokerRefused,
    ClientClosed,
    ConfigError,
    MessageInvalid,
    PocketMQError,
    RecallUnavailable,
    SendTimeout,
    TooManyInFlight,
)
from pocketmq.message import properties as names
from pocketmq.message.flags import TRANSACTION_PREPARED
from pocketmq.message.properties import encode_properties
from pocketmq.message.topics import CLIENT_GROUP_CHARS_MAX, group_problem
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import FLAG_ONEWAY, next_opaque
from pocketmq.protocol.framing import encode_frame
from pocketmq.protocol.requests.send import RecallRequest
from pocketmq.protocol.requests.transactions import CheckTransactionRequest
from pocketmq.security import Credentials, sign

_now_ms = SystemClock.now_ms
CheckFunction = TypeVar("CheckFunction", bound=Check)


class Producer:
    """Sends messages. Use it with `async with`, or call `start` and `close`."""

    def __init__(
        self,
        name_servers: NameServers | ClientConfig = "",
        group: str = "pocketmq_producer",
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | TlsConfig | bool | None = None,
        namespace: str = "",
        instance: str = "",
        options: ProducerOptions | None = None,
        codec: BodyCodec | None = None,
        selector: Selector | None = None,
        hooks: Iterable[Hook] = (),
        on_error: OnError | None = None,
    ) -> None:
        """Connects to nothing yet. Raise ConfigError for settings that cannot work.

        `selector` chooses the queue of every message that names none. `on_error` hears of messages
        that `send_soon` could not send.
        """
        self._config = ClientConfig.of(
            name_servers,
            credentials=credentials,
            tls=tls,
            namespace=namespace,
            instance=instance,
        )
        problem = group_problem(group, CLIENT_GROUP_CHARS_MAX)
        if problem:
            raise ConfigError(problem)
        self.group = group
        self.namespace = Namespace(self._config.namespace)
        self.wire_group = self.namespace.outward(group)
        self.options = options or ProducerOptions()
        self.hooks = Hooks(hooks)
        self._selector = selector
        self._composer = Composer(self.namespace, self.options, codec)
        self._check_back = CheckBack(self)
        self._room = Room(self.options.in_flight_max, self.options.in_flight_bytes_max)
        self._member = _Member(self)
        self._on_error = on_error
        self._instance: Instance | None = None
        self._sender: Sender | None = None
        self._soon: Soon | None = None
        self._gatherer: Gatherer | None = None
        self._state = "was not started; use `async with`, or await start()"

    # -- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Get ready. Connections are opened when first needed."""
        if self._sender is not None:
            return
        self._instance = Instance.obtain(self._config)
        self._sender = Sender(self._instance, self.wire_group, self.options)
        self._soon = Soon(self._sender, self._room, self._on_error)
        if self.options.batching is not None:
            self._gatherer = Gatherer(self._sender, self.options.batching)
        self._instance.add_producer(self._member)
        await self.hooks.start(self._instance)

    async def flush(self) -> None:
        """Send what is gathered or under way, and return when all of it is answered."""
        if self._gatherer is not None:
            await self._gatherer.flush()
        if self._soon is not None:
            await self._soon.drain()

    async def close(self) -> None:
        """Finish what is under way, say goodbye and let go of the connections."""
        sender, instance = self._sender, self._instance
        if sender is None or instance is None:
            return
        await self.flush()
        await self.hooks.stop()
        self._sender = self._instance = None
        self._state = "is closed"
        await self._check_back.close()
        sender.close()
        await instance.remove_producer(self._member)
        await instance.release()

    async def __aenter__(self) -> Producer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Producer group={self.group} name_servers={';'.join(self._config.name_servers)}>"

    def _started(self) -> Sender:
        if self._sender is None:
            raise ClientClosed(f"the producer of group {self.group} {self._state}")
        return self._sender

    # -- what others need to know -----------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """What this producer shares with others of its loop. Raise ClientClosed."""
        self._started()
        assert self._instance is not None
        return self._instance

    @property
    def client_id(self) -> str:
        """What operators see. Raise ClientClosed."""
        return self.instance.client_id

    @property
    def in_flight(self) -> int:
        """Messages sent and not answered yet."""
        return self._room.count

    async def explain(self) -> str:
        """What this producer knows and does, in plain words."""
        sender = self._started()
        avoided = sender.faults.avoided(asyncio.get_running_loop().time())
        return await explain_producer(
            self.instance, self.group, sender.topics(), self.in_flight, avoided
        )

    async def queues(self, topic: str) -> list[MessageQueue]:
        """The queues of a topic that can be sent to. Raise NoRoute."""
        lanes = await self._started().lanes(self._composer.wire_topic(topic))
        return [MessageQueue(topic, queue.broker_name, queue.queue_id) for queue in lanes.queues]

    def broker_address(self, topic: str, broker_name: str) -> str:
        """Where the master of a broker listens, by the route of `topic`."""
        lanes = self._started().known_lanes(self._composer.wire_topic(topic))
        address = lanes.route.master(broker_name) if lanes is not None else None
        assert address is not None, "a message was sent there just now"
        return address

    # -- sending ----------------------------------------------------------------------------

    async def send(
        self,
        message: Message | str,
        body: object = b"",
        *,
        tag: str = "",
        keys: Keys = "",
        properties: Mapping[str, str] | None = None,
        order_by: str = "",
        delay: Delay | None = None,
        deliver_at: datetime | float | None = None,
        delay_level: int = 0,
        flag: int = 0,
        wait_stored: bool = True,
        queue: MessageQueue | None = None,
        timeout: float = 0.0,
    ) -> SendReceipt:
        """Send a message and return when the broker has stored it.

        Give a topic and a body, or a `Message`. `queue` names one of the topic's queues. `timeout`
        in seconds replaces the producer's own. Raise MessageInvalid, NoRoute, SendFailed or
        SendTimeout; the last means that the message may be stored or not.
        """
        sender = self._started()
        if (
            type(message) is str
            and not (properties or order_by or delay_level or flag or self._selector or queue)
            and delay is None
            and deliver_at is None
        ):
            out = self._composer.plain(message, body, tag, keys, wait_stored)
        else:
            message = _message(
                message, body, tag, keys, properties, order_by, delay, deliver_at, delay_level,
                flag, wait_stored,
            )  # fmt: skip
            out = await self._composed(message, queue)
        if self._gatherer is not None and self._gatherer.takes(out):
            return await self._send_gathered(self._gatherer, out)
        size = len(out.body)
        room = self._room
        if not room.take(size):
            await self._wait_for_room(out, timeout)
        try:
            if self.hooks:
                return await self._send_watched(sender, out, timeout)
            return await sender.deliver(out, timeout)
        finally:
            room.give(size)

    def send_soon(
        self,
        message: Message | str,
        body: object = b"",
        *,
        tag: str = "",
        keys: Keys = "",
        properties: Mapping[str, str] | None = None,
        order_by: str = "",
        delay: Delay | None = None,
        deliver_at: datetime | float | None = None,
        delay_level: int = 0,
        flag: int = 0,
        wait_stored: bool = True,
        on_error: OnError | None = None,
    ) -> Room:
        """Send without waiting. A message that cannot be sent is handed to `on_error`.

        It is retried as in `send`, and `flush` and `close` wait for it. Await what is returned to
        wait until there is room for more; that is how a fast loop is slowed down to what brokers
        take. Raise TooManyInFlight when there is none now, and MessageInvalid.
        """
        self._started()
        assert self._soon is not None
        if (
            type(message) is str
            and not (properties or order_by or delay_level or flag)
            and delay is None
            and deliver_at is None
        ):
            out = self._composer.plain(message, body, tag, keys, wait_stored)
        else:
            out = self._composer.full(
                _message(
                    message, body, tag, keys, properties, order_by, delay, deliver_at, delay_level,
                    flag, wait_stored,
                )
            )  # fmt: skip
        if not self._room.take(len(out.body)):
            raise TooManyInFlight(
                f"{self._room.count} messages are unanswered; write `await producer.send_soon(...)`"
                " to wait for room, or raise in_flight_max"
            )
        if self.hooks or self._selector:
            self._soon.run(self._send_whole(out), out, on_error)
        elif self._gatherer is not None and self._gatherer.takes(out):
            self._gatherer.add(out, self._soon.settler(out, on_error))
        else:
            self._soon.send(out, on_error)
        return self._room

    async def send_oneway(
        self,
        message: Message | str,
        body: object = b"",
        *,
        tag: str = "",
        keys: Keys = "",
        properties: Mapping[str, str] | None = None,
        order_by: str = "",
        flag: int = 0,
    ) -> None:
        """Send without an answer: fastest, and nobody knows whether it is stored.

        Raise MessageInvalid, NoRoute or SendFailed when it could not even leave.
        """
        sender = self._started()
        out = await self._composed(
            _message(message, body, tag, keys, properties, order_by, None, None, 0, flag, True),
            None,
        )
        out.kind = "oneway"
        lanes = await sender.lanes(out.topic)
        now = asyncio.get_running_loop().time()
        lane = sender.fast_lane(out, now) or lanes.next()
        context = self._before(out)
        connection = await sender.connect(lane, now + self.options.send_timeout_ms / 1000)
        opaque = next_opaque()
        if self._config.credentials is None:
            connection.submit_oneway(lane.frame(out, opaque, FLAG_ONEWAY))
        else:
            command = lane.command(out, opaque, oneway=True)
            sign(command.fields, command.body, self._config.credentials)
            connection.submit_oneway(encode_frame(command))
        self._after(context, None, None)

    async def send_batch(
        self, topic: str, messages: Iterable[Message | bytes | str], *, order_by: str = ""
    ) -> list[SendReceipt]:
        """Send many messages of one topic in as few requests as possible, to one queue.

        Bodies may come bare or as `Message`; delayed ones cannot be in a batch. Returns their
        receipts in order. More than `body_bytes_max` are split into several requests. Raise as
        `send`; then those of earlier requests are stored.
        """
        sender = self._started()
        items = []
        for each in messages:
            message = each if isinstance(each, Message) else Message(topic, each)
            if message.topic != topic:
                raise MessageInvalid(
                    f"a batch is for one topic: this one for {topic}, not {message.topic}"
                )
            if message.delay is not None or message.deliver_at is not None or message.delay_level:
                raise MessageInvalid("a delayed message cannot be in a batch; send it alone")
            items.append(self._composer.full(message, compress=False, kind="batch"))
        if not items:
            return []
        queue = None
        if not order_by:
            lanes = await sender.lanes(items[0].topic)
            queue = lanes.next().queue if len(lanes.all) > 1 else None
        receipts: list[SendReceipt] = []
        for part in split(items, self.options.body_bytes_max):
            out = batch_of(part)
            out.order_by, out.queue = order_by, queue if len(part) < len(items) else None
            size = len(out.body)
            if not self._room.take(size):
                await self._wait_for_room(out, 0.0)
            try:
                receipts += receipts_of(part, await self._send_watched(sender, out, 0.0, part))
            finally:
                self._room.give(size)
        return receipts

    async def recall(self, receipt: SendReceipt | str, handle: str = "") -> str:
        """Take back a message that is delayed by time and not delivered yet.

        Give its receipt, or its topic and recall handle. Returns the message's unique key. Raise
        RecallUnavailable when it is too late, or the broker does not do this.
        """
        sender = self._started()
        topic = receipt if isinstance(receipt, str) else receipt.topic
        handle = handle if isinstance(receipt, str) else receipt.recall_handle
        if not handle:
            raise RecallUnavailable(
                "there is no recall handle: only messages sent with delay= or deliver_at= to "
                "RocketMQ 5.3.1 or later can be recalled"
            )
        wire_topic = self._composer.wire_topic(topic)
        broker_name = requests.broker_of_handle(handle)
        address = (await sender.lanes(wire_topic)).route.master(broker_name)
        if address is None:
            raise RecallUnavailable(f"the broker {broker_name} that has the message is not known")
        started, error = _now_ms(), None
        try:
            answer = await self.instance.calls.ask(
                address,
                RequestCode.RECALL_MESSAGE,
                RecallRequest(wire_topic, handle, self.wire_group),
                step=f"the recall of a message of {topic}",
            )
        except BrokerRefused as refused:
            error = refused
            raise RecallUnavailable(str(refused)) from refused
        finally:
            if self.hooks:
                key = receipt.message_id if isinstance(receipt, SendReceipt) else ""
                cost_ms = _now_ms() - started
                self.hooks.after_recall(
                    RecallContext(self.group, self.client_id, topic, key, started, cost_ms, error)
                )
        return answer.fields.get("msgId", "")

    # -- transactions -----------------------------------------------------------------------

    def check(self, function: CheckFunction) -> CheckFunction:
        """Decorator: the function that says how a transaction ended, when a broker asks.

        It gets the message and returns True (committed), False (rolled back) or None (not known
        yet). It may be async or plain; a plain one runs on a thread.
        """
        self._check_back.check = function
        return function

    def transaction(
        self,
        message: Message | str,
        body: object = b"",
        *,
        tag: str = "",
        keys: Keys = "",
        properties: Mapping[str, str] | None = None,
        flag: int = 0,
    ) -> Transaction:
        """A message that is sent if the body of `async with` succeeds, and not if it raises.

        async with producer.transaction("orders", body) as transaction:
            await database.save(order, message_id=transaction.message_id)
        """
        self._started()
        whole = _message(message, body, tag, keys, properties, "", None, None, 0, flag, True)
        if whole.delay is not None or whole.deliver_at is not None or whole.delay_level:
            raise MessageInvalid("a message in a transaction cannot be delayed as well")
        return Transaction(self, lambda: self._send_half(whole))

    async def _send_half(self, message: Message) -> SendReceipt:
        sender = self._started()
        system = {names.TRANSACTION_PREPARED: "true", names.PRODUCER_GROUP: self.wire_group}
        out = await self._composed(message, None, system=system, kind="transaction")
        out.sys_flag |= TRANSACTION_PREPARED
        return await self._send_watched(sender, out, 0.0)

    # -- request and reply ------------------------------------------------------------------

    async def request(
        self,
        message: Message | str,
        body: object = b"",
        *,
        timeout: float = 3.0,
        tag: str = "",
        keys: Keys = "",
        properties: Mapping[str, str] | None = None,
        order_by: str = "",
    ) -> ReceivedMessage:
        """Send a message and wait for a consumer's reply to it.

        Raise RequestTimeout when none comes within `timeout` seconds, or what `send` raises.
        """
        sender = self._started()
        correlation_id = requests.new_correlation_id()
        system = requests.request_properties(
            correlation_id, self.client_id, max(1, round(timeout * 1000))
        )
        whole = _message(message, body, tag, keys, properties, order_by, None, None, 0, 0, True)
        out = await self._composed(whole, None, system=system, kind="request")
        return await requests.ask(self.instance, sender, out, correlation_id, timeout)

    async def reply(
        self,
        request: ReceivedMessage,
        body: object = b"",
        *,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Answer a message that was sent with `request`.

        Raise MessageInvalid when it wants no reply, BrokerRefused when whoever asked is gone.
        """
        self._started()
        message = Message(requests.reply_topic_of(request), body, properties=properties or {})
        system = requests.reply_properties(request)
        out = self._composer.full(message, system=system, kind="reply", own_topic=False)
        timeout_ms = self.options.send_timeout_ms
        await requests.reply(self.instance, self.wire_group, request, out, timeout_ms)

    # -- inside -----------------------------------------------------------------------------

    async def _composed(
        self,
        message: Message,
        queue: MessageQueue | None,
        *,
        system: Mapping[str, str] | None = None,
        kind: str = "",
    ) -> Outgoing:
        out = self._composer.full(message, queue=queue, system=system, kind=kind)
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

    async def _send_gathered(self, gatherer: Gatherer, out: Outgoing) -> SendReceipt:
        size = len(out.body)
        if not self._room.take(size):
            await self._wait_for_room(out, 0.0)
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
        finally:
            self._room.give(size)
        self._after(context, stored, None)
        return stored

    async def _send_whole(self, out: Outgoing) -> SendReceipt:
        """For `send_soon`, when hooks look on or a selector chooses."""
        sender = self._started()
        if self._selector is not None and out.queue is None:
            message = Message(out.user_topic, out.body, order_by=out.order_by)
            out.queue = await self._selected(out.user_topic, message)
        return await self._send_watched(sender, out, 0.0)

    async def _send_watched(
        self,
        sender: Sender,
        out: Outgoing,
        timeout: float,
        items: list[Outgoing] | None = None,
    ) -> SendReceipt:
        context = self._before(out, items)
        if context is not None and items:
            renewed = batch_of(items)
            out.body = renewed.body
        try:
            receipt = await sender.deliver(out, timeout)
        except PocketMQError as error:
            self._after(context, None, error)
            raise
        self._after(context, receipt, None)
        return receipt

    def _before(self, out: Outgoing, items: list[Outgoing] | None = None) -> SendContext | None:
        if not self.hooks:
            return None
        each = items or [out]
        context = context_of(each, self.group, self.client_id, out.kind)
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

    async def _wait_for_room(self, out: Outgoing, timeout: float) -> None:
        seconds = timeout or self.options.send_timeout_ms / 1000
        try:
            await self._room.take_when_open(len(out.body), seconds)
        except TooManyInFlight as error:
            raise SendTimeout(out.user_topic, [("no broker yet", error)]) from None


class _Member:
    """The producer as its instance sees it."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.group = producer.wire_group

    def topics(self) -> list[str]:
        sender = self._producer._sender
        return sender.topics() if sender is not None else []

    def check_transaction(
        self, address: str, request: CheckTransactionRequest, message: ReceivedMessage
    ) -> None:
        self._producer._check_back.asked(address, request, message)


def _message(
    message: Message | str,
    body: object,
    tag: str,
    keys: Keys,
    properties: Mapping[str, str] | None,
    order_by: str,
    delay: Delay | None,
    deliver_at: datetime | float | None,
    delay_level: int,
    flag: int,
    wait_stored: bool,
) -> Message:
    """What a method was given, as a message."""
    if isinstance(message, Message):
        if body != b"" or tag or keys or properties or order_by or delay_level or flag:
            raise MessageInvalid("give a Message alone, or a topic with its details, not both")
        return message
    return Message(
        message,
        body,
        tag=tag,
        keys=keys,
        properties=properties or {},
        order_by=order_by,
        delay=delay,
        deliver_at=deliver_at,
        delay_level=delay_level,
        flag=flag,
        wait_stored=wait_stored,
    )
