"""The producer: everything that sends.

    async with pocketmq.Producer("127.0.0.1:9876", group="orders") as producer:
        receipt = await producer.send("orders", b"...", tag="paid", keys="42")

One producer serves any number of tasks of one event loop. Sends of one turn of the loop leave in
one write for each broker, so many at a time cost far less than one after the other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from pocketmq.client import requests
from pocketmq.client.composing import Composer, given_message
from pocketmq.client.config import ClientConfig, NameServers, TlsConfig
from pocketmq.client.explain import explain_producer
from pocketmq.client.hooks import Hook, Hooks
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
from pocketmq.client.outbox import Outbox
from pocketmq.client.outgoing import BodyCodec, Selector
from pocketmq.client.recalls import recall
from pocketmq.client.room import Room
from pocketmq.client.sending import ProducerOptions
from pocketmq.client.soon import OnError
from pocketmq.client.transactions import Check, CheckBack, Transaction
from pocketmq.errors import ClientClosed, ConfigError, MessageInvalid
from pocketmq.message import properties as names
from pocketmq.message.flags import TRANSACTION_PREPARED
from pocketmq.message.topics import CLIENT_GROUP_CHARS_MAX, group_problem
from pocketmq.protocol.requests.transactions import CheckTransactionRequest
from pocketmq.security import Credentials

if TYPE_CHECKING:
    from pocketmq.client.codecs.registry import Codec

CheckFunction = TypeVar("CheckFunction", bound=Check)


class Producer:
    """Sends messages. Use it with `async with`, or call `start` and `close`.

    >>> async def main() -> list[str]:
    ...     async with Producer(address, group="shop") as producer:
    ...         receipt = await producer.send("orders", "two pizzas", tag="new", keys="42")
    ...         more = await producer.send_batch("orders", ["cheese", "ham"], order_by="42")
    ...         return [each.status.value for each in (receipt, *more)]
    >>> asyncio.run(main())
    ['SEND_OK', 'SEND_OK', 'SEND_OK']
    """

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
        self._on_error = on_error
        self._composer = Composer(self.namespace, self.options, codec)
        self._check_back = CheckBack(self)
        self._member = _Member(self)
        self._outbox: Outbox | None = None
        self._state = "was not started; use `async with`, or await start()"

    # -- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Get ready. Connections are opened when first needed."""
        if self._outbox is not None:
            return
        instance = Instance.obtain(self._config)
        self._outbox = Outbox(
            instance,
            self.group,
            self.wire_group,
            self.options,
            self._composer,
            self.hooks,
            self._selector,
            self._on_error,
        )
        instance.add_producer(self._member)
        try:
            await self.hooks.start(instance)
        except BaseException:
            await self._let_go(self._outbox)
            raise

    async def flush(self) -> None:
        """Send what is gathered or under way, and return when all of it is answered."""
        await self._started().flush()

    async def close(self) -> None:
        """Finish what is under way, say goodbye and let go of the connections."""
        outbox = self._outbox
        if outbox is None:
            return
        try:
            await outbox.flush()
            await self.hooks.stop()
        finally:
            await self._let_go(outbox)

    async def _let_go(self, outbox: Outbox) -> None:
        try:
            await self._check_back.close()
            self._outbox = None
            self._state = "is closed"
            outbox.close()
            await outbox.instance.remove_producer(self._member)
        finally:
            await outbox.instance.release()

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

    def _started(self) -> Outbox:
        if self._outbox is None:
            raise ClientClosed(f"the producer of group {self.group} {self._state}")
        return self._outbox

    # -- what others need to know -----------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """What this producer shares with others of its loop. Raise ClientClosed."""
        return self._started().instance

    @property
    def outbox(self) -> Outbox:
        """The inner state, for tools that look on. Raise ClientClosed."""
        return self._started()

    @property
    def client_id(self) -> str:
        """What operators see. Raise ClientClosed."""
        return self.instance.client_id

    @property
    def in_flight(self) -> int:
        """Messages sent and not answered yet."""
        return self._outbox.room.count if self._outbox is not None else 0

    async def explain(self) -> str:
        """What this producer knows and does, in plain words."""
        outbox = self._started()
        sender = outbox.sender
        avoided = sender.faults.avoided(asyncio.get_running_loop().time())
        return await explain_producer(
            self.instance, self.group, sender.topics(), self.in_flight, avoided
        )

    async def queues(self, topic: str) -> list[MessageQueue]:
        """The queues of a topic that can be sent to. Raise NoRoute."""
        return await self._started().queues(topic)

    def broker_address(self, topic: str, broker_name: str) -> str:
        """Where the master of a broker listens, by the route of `topic`; empty when unknown."""
        return self._started().broker_address(topic, broker_name)

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
        codec: Codec | str | None = None,
        timeout: float = 0.0,
    ) -> SendReceipt:
        """Send a message and return when the broker has stored it.

        Give a topic and a body, or a `Message`. `queue` names one of the topic's queues. `codec`
        makes this body, whatever the producer's codecs do, and the message names it for its
        consumers. `timeout` in seconds replaces the producer's own. Raise MessageInvalid, NoRoute,
        SendFailed or SendTimeout; the last means that the message may be stored or not.
        """
        outbox = self._started()
        if (
            type(message) is str
            and not (properties or order_by or delay_level or flag or self._selector or queue)
            and delay is None
            and deliver_at is None
            and codec is None
        ):
            out = self._composer.plain(message, body, tag, keys, wait_stored)
        else:
            message = given_message(
                message, body, tag, keys, properties, order_by, delay, deliver_at, delay_level,
                flag, wait_stored,
            )  # fmt: skip
            out = await outbox.composed(message, queue, codec=codec)
        return await outbox.send(out, timeout)

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
        codec: Codec | str | None = None,
        on_error: OnError | None = None,
    ) -> Room:
        """Send without waiting. A message that cannot be sent is handed to `on_error`.

        It is retried as in `send`, and `flush` and `close` wait for it. Await what is returned to
        wait until there is room for more; that is how a fast loop is slowed down to what brokers
        take. Messages with one `order_by` go to one queue, but only awaited sends are sure to lie
        there in order: Apache's brokers work on many requests at a time, and one may be retried.
        Raise TooManyInFlight when there is no room now, and MessageInvalid.
        """
        outbox = self._started()
        whole = None
        if (
            type(message) is str
            and not (properties or order_by or delay_level or flag or self._selector)
            and delay is None
            and deliver_at is None
            and codec is None
        ):
            out = self._composer.plain(message, body, tag, keys, wait_stored)
        else:
            whole = given_message(
                message, body, tag, keys, properties, order_by, delay, deliver_at, delay_level,
                flag, wait_stored,
            )  # fmt: skip
            out = self._composer.full(whole, codec=codec)
        outbox.send_soon(out, whole, on_error)
        return outbox.room

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
        codec: Codec | str | None = None,
    ) -> None:
        """Send without an answer: fastest, and nobody knows whether it is stored.

        Raise MessageInvalid, NoRoute or SendFailed when it could not even leave.
        """
        outbox = self._started()
        whole = given_message(
            message, body, tag, keys, properties, order_by, None, None, 0, flag, True
        )  # fmt: skip
        await outbox.send_oneway(await outbox.composed(whole, codec=codec))

    async def send_batch(
        self,
        topic: str,
        messages: Iterable[object],
        *,
        order_by: str = "",
        codec: Codec | str | None = None,
    ) -> list[SendReceipt]:
        """Send many messages of one topic in as few requests as possible, to one queue.

        Bodies may come bare or as `Message`; delayed ones cannot be in a batch. Returns their
        receipts in order. More than `body_bytes_max` are split into several requests. Raise as
        `send`; then those of earlier requests are stored.
        """
        outbox = self._started()
        items = []
        for each in messages:
            message = each if isinstance(each, Message) else Message(topic, each)
            if message.topic != topic:
                raise MessageInvalid(
                    f"a batch is for one topic: this one for {topic}, not {message.topic}"
                )
            if message.delay is not None or message.deliver_at is not None or message.delay_level:
                raise MessageInvalid("a delayed message cannot be in a batch; send it alone")
            items.append(self._composer.full(message, compress=False, kind="batch", codec=codec))
        return await outbox.send_items(items, order_by) if items else []

    async def recall(self, receipt: SendReceipt | str, handle: str = "") -> str:
        """Take back a message that is delayed by time and not delivered yet.

        Give its receipt, or its topic and recall handle. Returns the message's unique key. Raise
        RecallUnavailable when it is too late, or the broker does not do this.
        """
        outbox = self._started()
        return await recall(outbox, self.group, self.wire_group, receipt, handle)

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
        codec: Codec | str | None = None,
    ) -> Transaction:
        """A message that is sent if the body of `async with` succeeds, and not if it raises.

        >>> async def main() -> str:
        ...     async with Producer(address, group="shop") as producer:
        ...         async with producer.transaction("orders", "one pizza") as transaction:
        ...             pass  # await database.save(order, transaction.message_id)
        ...         return transaction.outcome
        >>> asyncio.run(main())
        'commit'
        """
        self._started()
        whole = given_message(message, body, tag, keys, properties, "", None, None, 0, flag, True)
        if whole.delay is not None or whole.deliver_at is not None or whole.delay_level:
            raise MessageInvalid("a message in a transaction cannot be delayed as well")
        return Transaction(self, lambda: self._send_half(whole, codec))

    async def _send_half(self, message: Message, codec: Codec | str | None) -> SendReceipt:
        outbox = self._started()
        system = {names.TRANSACTION_PREPARED: "true", names.PRODUCER_GROUP: self.wire_group}
        out = await outbox.composed(message, system=system, kind="transaction", codec=codec)
        out.sys_flag |= TRANSACTION_PREPARED
        return await outbox.send(out)

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
        codec: Codec | str | None = None,
    ) -> ReceivedMessage:
        """Send a message and wait for a consumer's reply to it.

        Raise RequestTimeout when none comes within `timeout` seconds, or what `send` raises.
        """
        outbox = self._started()
        correlation_id = requests.new_correlation_id()
        system = requests.request_properties(
            correlation_id, self.client_id, max(1, round(timeout * 1000))
        )
        whole = given_message(
            message, body, tag, keys, properties, order_by, None, None, 0, 0, True
        )
        out = await outbox.composed(whole, system=system, kind="request", codec=codec)
        return await requests.ask(self.instance, outbox.sender, out, correlation_id, timeout)

    async def reply(
        self,
        request: ReceivedMessage,
        body: object = b"",
        *,
        properties: Mapping[str, str] | None = None,
        codec: Codec | str | None = None,
    ) -> None:
        """Answer a message that was sent with `request`.

        Raise MessageInvalid when it wants no reply, BrokerRefused when whoever asked is gone.
        """
        self._started()
        message = Message(requests.reply_topic_of(request), body, properties=properties or {})
        system = requests.reply_properties(request)
        out = self._composer.full(
            message, system=system, kind="reply", own_topic=False, codec=codec
        )
        timeout_ms = self.options.send_timeout_ms
        await requests.reply(self.instance, self.wire_group, request, out, timeout_ms)


class _Member:
    """The producer as its instance sees it."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.group = producer.wire_group

    def topics(self) -> list[str]:
        outbox = self._producer._outbox
        return outbox.sender.topics() if outbox is not None else []

    def check_transaction(
        self, address: str, request: CheckTransactionRequest, message: ReceivedMessage
    ) -> None:
        self._producer._check_back.asked(address, request, message)
