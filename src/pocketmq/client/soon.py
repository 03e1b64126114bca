"""Sends that nobody waits for: no task while all goes well, a task for what does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pocketmq.client.batching import Settle
from pocketmq.client.composing import message_of
from pocketmq.client.lanes import Lane
from pocketmq.client.messages import Message, SendReceipt
from pocketmq.client.outgoing import Outgoing
from pocketmq.client.room import Room
from pocketmq.client.sending import Sender
from pocketmq.errors import BrokerRefused, ConnectionLost, NetError, PocketMQError
from pocketmq.net.caller import Answer

_log = logging.getLogger(__name__)

OnError = Callable[[Message, BaseException], object]
"""Hears of a message that could not be sent, and why."""


class Soon:
    """The sends of one producer that nobody waits for."""

    def __init__(self, sender: Sender, room: Room, on_error: OnError | None) -> None:
        self._sender = sender
        self._room = room
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0
        self._drained: asyncio.Future[None] | None = None

    def send(self, out: Outgoing, on_error: OnError | None) -> None:
        """Send; the room taken for it is given back when it is settled."""
        sender = self._sender
        now = self._loop.time()
        lane = sender.fast_lane(out, now)
        connection = None if lane is None else sender.instance.rpc.connection(lane.address)
        if lane is None or connection is None or connection.is_congested:
            self.run(sender.deliver(out), out, on_error)
            return
        waiter = _Waiter(self, lane, out, on_error, now)
        try:
            sender.submit(connection, lane, out, waiter, now + sender.timeout)
        except ConnectionLost:
            self.run(sender.deliver(out), out, on_error)
            return
        self._pending += 1

    def run(self, sending: Awaitable[SendReceipt], out: Outgoing, on_error: OnError | None) -> None:
        """Send in a task of its own."""
        self._pending += 1
        task = asyncio.ensure_future(self._run(sending, out, on_error))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self, sending: Awaitable[SendReceipt], out: Outgoing, on_error: OnError | None
    ) -> None:
        try:
            await sending
        except Exception as error:  # noqa: BLE001 - handed to whoever sent it
            self._failed(out, error, on_error)
        finally:
            self._done(out)

    def settler(self, out: Outgoing, on_error: OnError | None) -> Settle:
        """What a gathered message is settled with."""
        self._pending += 1

        def settle(receipt: SendReceipt | None, error: BaseException | None) -> None:
            if error is not None:
                self._failed(out, error, on_error)
            self._done(out)

        return settle

    def answered(self, waiter: _Waiter, error: PocketMQError | None) -> None:
        """A send was answered, or failed for the first time."""
        if error is None:
            self._done(waiter.out)
            return
        self._pending -= 1
        again = self._sender.deliver_again(waiter.out, waiter.lane, error)
        self.run(again, waiter.out, waiter.on_error)

    def _failed(self, out: Outgoing, error: BaseException, on_error: OnError | None) -> None:
        heard = on_error or self._on_error
        if heard is None:
            _log.error("message not sent topic=%s id=%s: %s", out.topic, out.unique_key, error)
            return
        try:
            heard(message_of(out), error)
        except Exception as problem:  # noqa: BLE001 - the user's callback
            _log.error("on_error raised id=%s", out.unique_key, exc_info=problem)

    def _done(self, out: Outgoing) -> None:
        self._room.give(len(out.body))
        self._pending -= 1
        if not self._pending and self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    async def drain(self) -> None:
        """Return when everything is settled."""
        while self._pending:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)


class _Waiter:
    """Waits for one answer, as a future would, but calls back at once."""

    __slots__ = ("_soon", "_started", "lane", "on_error", "out")

    def __init__(
        self, soon: Soon, lane: Lane, out: Outgoing, on_error: OnError | None, started: float
    ) -> None:
        self._soon = soon
        self.lane = lane
        self.out = out
        self.on_error = on_error
        self._started = started

    def done(self) -> bool:
        """Never before the answer."""
        return False

    def set_result(self, result: Answer) -> None:
        """The answer has come."""
        try:
            self._soon._sender.receipt(self.out, self.lane, result[1], self._started)
        except BrokerRefused as error:
            self._soon.answered(self, error)
        else:
            self._soon.answered(self, None)

    def set_exception(self, exception: BaseException) -> None:
        """No answer will come."""
        assert isinstance(exception, NetError)
        self._soon.answered(self, exception)
