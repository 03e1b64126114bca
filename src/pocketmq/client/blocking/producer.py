"""The plain producer."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pocketmq.client.blocking.background import background
from pocketmq.client.blocking.direct import DirectSends
from pocketmq.client.blocking.facade import Facade, takes, waits
from pocketmq.client.composing import given_message
from pocketmq.client.messages import Delay, Keys, Message, MessageQueue, SendReceipt
from pocketmq.client.outbox import Outbox
from pocketmq.client.outgoing import Outgoing
from pocketmq.client.producer import CheckFunction
from pocketmq.client.producer import Producer as AsyncProducer
from pocketmq.client.soon import OnError
from pocketmq.client.transactions import Transaction as AsyncTransaction
from pocketmq.clock import SystemClock
from pocketmq.errors import BrokerRefused, NetError, TooManyInFlight

if TYPE_CHECKING:
    from pocketmq.client.codecs.registry import Codec

HANDED_OVER_MAX: Final = 1000

_monotonic = SystemClock().monotonic


class Producer(Facade[AsyncProducer]):
    """Sends messages from plain code: scripts, web applications, workers, notebooks.

    >>> with Producer(address, group="shop") as producer:
    ...     producer.send("orders", {"pizzas": 2}, codec="json", tag="paid").status.value
    'SEND_OK'

    It takes what `pocketmq.Producer` takes. Without `with` it starts when it is first used, and is
    closed at the interpreter's exit. Threads may share it. After a fork it works in the child, with
    connections and a client id of its own.
    """

    @takes(AsyncProducer)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._check: Any = None
        self._direct: DirectSends | None = None
        self._handed_over: deque[tuple[Outgoing, Message | None, OnError | None]] = deque()
        self._handed = threading.Condition()
        self._passing: asyncio.Task[None] | None = None
        self._outbox: Outbox | None = None
        self._has_selector = kwargs.get("selector") is not None
        super().__init__(lambda: self._made(args, kwargs))

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncProducer:
        made = AsyncProducer(*args, **kwargs)
        if self._check is not None:
            made.check(self._check)
        return made

    # -- life -------------------------------------------------------------------------------

    def _start(self) -> None:
        super()._start()
        inner = self._inner
        self._outbox = inner.outbox
        if not inner.hooks and inner.options.batching is None and not self._has_selector:
            config = inner.instance.config
            self._direct = DirectSends(config, inner.options.send_timeout_ms / 1000)

    async def _finish(self, inner: AsyncProducer, error: BaseException | None) -> None:
        await self._pass_all_on()
        await super()._finish(inner, error)

    def _close_with(self, error: BaseException | None) -> None:
        super()._close_with(error)
        self._drop_sockets()

    def forget(self) -> None:
        """Called in a forked child: what was started belongs to the parent."""
        super().forget()
        self._drop_sockets()
        self._handed_over.clear()
        self._handed = threading.Condition()
        self._passing = None

    def _drop_sockets(self) -> None:
        direct, self._direct = self._direct, None
        if direct is not None:
            direct.close()

    # -- sending ----------------------------------------------------------------------------

    def send(
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
        inner = self._started()
        direct = self._direct
        if (
            direct is not None
            and type(message) is str
            and not (properties or order_by or delay_level or flag or queue or timeout)
            and delay is None
            and deliver_at is None
            and codec is None
        ):
            receipt = self._send_directly(direct, message, body, tag, keys, wait_stored)
            if receipt is not None:
                return receipt
        return background().run(
            inner.send(
                message, body, tag=tag, keys=keys, properties=properties, order_by=order_by,
                delay=delay, deliver_at=deliver_at, delay_level=delay_level, flag=flag,
                wait_stored=wait_stored, queue=queue, codec=codec, timeout=timeout,
            )
        )  # fmt: skip

    def _send_directly(
        self,
        direct: DirectSends,
        topic: str,
        body: object,
        tag: str,
        keys: Keys,
        wait_stored: bool,
    ) -> SendReceipt | None:
        """Send on a socket of this thread's; None when the loop must do it."""
        outbox = self._outbox
        assert outbox is not None
        sender = outbox.sender
        lanes = sender.known_lanes(outbox.composer.wire_topic(topic))
        if lanes is None or sender.faults:
            return None
        out = outbox.composer.plain(topic, body, tag, keys, wait_stored)
        lane = lanes.next()
        started = _monotonic()
        try:
            return sender.receipt(out, lane, direct.ask(lane, out), started)
        except (NetError, BrokerRefused) as error:
            return background().run(sender.deliver_again(out, lane, error))

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
    ) -> None:
        """Send without waiting for the broker. While too many are unanswered, this waits.

        A message that cannot be sent is handed to `on_error`, on the event loop's thread. `flush`
        and `close` wait for all of them. Raise MessageInvalid.
        """
        self._started()
        assert self._outbox is not None
        composer = self._outbox.composer
        whole = None
        if (
            type(message) is str
            and not (properties or order_by or delay_level or flag)
            and delay is None
            and deliver_at is None
            and codec is None
        ):
            out = composer.plain(message, body, tag, keys, wait_stored)
        else:
            whole = given_message(
                message, body, tag, keys, properties, order_by, delay, deliver_at, delay_level,
                flag, wait_stored,
            )  # fmt: skip
            out = composer.full(whole, codec=codec)
        with self._handed:
            while len(self._handed_over) >= HANDED_OVER_MAX:
                self._handed.wait()
            self._handed_over.append((out, whole, on_error))
            if len(self._handed_over) > 1:
                return  # the loop has been told and has not come yet
        background().loop.call_soon_threadsafe(self._pass_on_soon)

    def _pass_on_soon(self) -> None:
        if self._passing is None or self._passing.done():
            self._passing = asyncio.ensure_future(self._pass_on())

    async def _pass_on(self) -> None:
        """On the loop: send what was handed over, waiting for room."""
        outbox = self._outbox
        assert outbox is not None
        while self._handed_over:
            with self._handed:
                taken = list(self._handed_over)
                self._handed_over.clear()
                self._handed.notify_all()
            for out, whole, on_error in taken:
                while True:
                    try:
                        outbox.send_soon(out, whole, on_error)
                        break
                    except TooManyInFlight:
                        await outbox.room

    async def _pass_all_on(self) -> None:
        while self._handed_over or (self._passing is not None and not self._passing.done()):
            self._pass_on_soon()
            assert self._passing is not None
            await self._passing

    def flush(self) -> None:
        """Return when all that `send_soon` was given is answered."""
        inner = self._started()

        async def flush() -> None:
            await self._pass_all_on()
            await inner.flush()

        background().run(flush())

    send_oneway = waits(AsyncProducer.send_oneway)
    send_batch = waits(AsyncProducer.send_batch)
    recall = waits(AsyncProducer.recall)
    request = waits(AsyncProducer.request)
    reply = waits(AsyncProducer.reply)
    queues = waits(AsyncProducer.queues)
    explain = waits(AsyncProducer.explain)

    # -- transactions -----------------------------------------------------------------------

    def check(self, function: CheckFunction) -> CheckFunction:
        """Decorator: the function that says how a transaction ended, when a broker asks.

        It gets the message and returns True (committed), False (rolled back) or None (not known
        yet). It runs on a thread.
        """
        self._check = function
        return self._inner.check(function)

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
        """A message that is sent if the body of `with` succeeds, and not if it raises.

        >>> with Producer(address, group="shop") as producer:
        ...     with producer.transaction("orders", "one pizza") as transaction:
        ...         pass  # database.save(order, transaction.message_id)
        >>> transaction.outcome
        'commit'
        """
        inner = self._started()
        return Transaction(
            inner.transaction(
                message, body, tag=tag, keys=keys, properties=properties, flag=flag, codec=codec
            )
        )

    # -- looking ----------------------------------------------------------------------------

    @property
    def client_id(self) -> str:
        """What operators see."""
        return self._started().client_id

    @property
    def in_flight(self) -> int:
        """Messages sent and not answered yet, without those that threads send directly."""
        return self._started().in_flight + len(self._handed_over)


class Transaction:
    """One transaction, made by `producer.transaction(...)` and used with `with`."""

    def __init__(self, inner: AsyncTransaction) -> None:
        self._inner = inner

    @property
    def receipt(self) -> SendReceipt:
        """Where the half message lies."""
        return self._inner.receipt

    @property
    def message_id(self) -> str:
        """The message's unique key: what to note in the database for the check-back."""
        return self._inner.message_id

    @property
    def outcome(self) -> str:
        """commit, rollback or unknown, once decided."""
        return self._inner.outcome

    def __enter__(self) -> Transaction:
        background().run(self._inner.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        background().run(self._inner.__aexit__(kind, error, trace))

    def commit(self) -> None:
        """Let consumers see the message. Raise BrokerRefused when the broker has lost the half."""
        background().run(self._inner.commit())

    def rollback(self) -> None:
        """Throw the message away."""
        background().run(self._inner.rollback())

    def leave_open(self) -> None:
        """Decide nothing: the broker will ask."""
        self._inner.leave_open()
