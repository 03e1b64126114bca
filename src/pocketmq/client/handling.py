"""Calling the user's handler, and what follows from how it ends.

    returned, None          consumed
    returned RetryIn/Reject, or raised, or message.retry()/reject() was called: given back

A message given back goes to the broker that has it, which delivers it again later under the group's
retry topic, or moves it to the dead letters. When it does not, a copy is sent to that topic. When
no broker takes it, it stays here and is tried again after a while, so that it is never lost.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeGuard

from pocketmq.client.assigned import GroupSession
from pocketmq.client.consuming import RetryRules
from pocketmq.client.hooks import ConsumeContext, Hooks
from pocketmq.client.messages import ReceivedMessage
from pocketmq.client.outcomes import DEAD_LETTER, Reject, RetryIn, Verdict, send_back_level
from pocketmq.client.process_queue import ProcessQueue
from pocketmq.client.sending_back import send_to_retry_topic
from pocketmq.clock import Clock
from pocketmq.errors import ClientError, NetError, PocketMQError

_log = logging.getLogger(__name__)

Handler = Callable[[Any], object]
"""Takes a ReceivedMessage, or a list of them where `batch` is more than 1; plain or async."""
AsyncHandler = Callable[[Any], Awaitable[object]]


def is_async(handler: Handler) -> TypeGuard[AsyncHandler]:
    """Whether a handler is to be awaited rather than called on a thread."""
    called = getattr(handler, "__call__", None)  # noqa: B004 - the method itself is looked at
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)


class Ending:
    """What happens to messages after the handler. Shared by all ways of consuming."""

    def __init__(
        self,
        session: GroupSession,
        rules: RetryRules,
        hooks: Hooks,
        clock: Clock,
        *,
        offer_again: Callable[[ProcessQueue, Sequence[ReceivedMessage]], None],
        sent_back: Callable[[], None],
    ) -> None:
        self.session = session
        self.rules = rules
        self.hooks = hooks
        self._clock = clock
        self._offer_again = offer_again
        self._sent_back = sent_back
        self._jobs: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self.consumed = 0
        self.failed = 0
        self.closing = False

    # -- around the handler -----------------------------------------------------------------

    def begin(self, messages: Sequence[ReceivedMessage]) -> ConsumeContext | None:
        """Tell the hooks that messages are about to be handled; None when there are none."""
        if not self.hooks:
            return None
        session = self.session
        first = messages[0]
        context = ConsumeContext(
            session.group, session.instance.client_id, first.queue, messages, self._clock.now_ms()
        )
        context.notes["began"] = self._clock.monotonic()
        self.hooks.before_consume(context)
        return context

    def end(
        self, context: ConsumeContext | None, verdict: Verdict, error: BaseException | None
    ) -> None:
        """Tell the hooks how it ended."""
        if context is None:
            return
        began = context.notes.pop("began", 0.0)
        assert isinstance(began, float)
        context.cost_ms = (self._clock.monotonic() - began) * 1000
        context.error = error
        context.status = status_of(verdict, error)
        self.hooks.after_consume(context)

    def report(self, message: ReceivedMessage, error: BaseException) -> None:
        """Log an exception of the handler, unless it is one of ours."""
        if not isinstance(error, (RetryIn, Reject)):
            _log.warning(
                "handler failed group=%s %r: %r", self.session.group, message, error, exc_info=error
            )

    # -- giving back ------------------------------------------------------------------------

    def give_back(self, held: ProcessQueue, message: ReceivedMessage, verdict: Verdict) -> None:
        """Return a message that was not consumed; it is finished when a broker has it."""
        if held.dropped or not held.is_unfinished(message):
            return
        if self.session.broadcast:
            _log.warning("message dropped, as broadcasting has no retries: %r", message)
            held.finish(message)
            return
        assert verdict is not None
        task = asyncio.ensure_future(self._send_back(held, message, verdict))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _send_back(
        self, held: ProcessQueue, message: ReceivedMessage, verdict: RetryIn | Reject
    ) -> None:
        try:
            await self.send_back(message, verdict)
        except (NetError, ClientError) as error:
            _log.warning("message not given back, kept for now: %r: %s", message, error)
            if not self.closing:
                self._later(self.session.options.local_retry_ms, held, message)
            return
        if not held.dropped:
            held.finish(message)

    async def send_back(self, message: ReceivedMessage, verdict: RetryIn | Reject) -> None:
        """Return a message to the broker that has it, or else to the retry topic on any.

        Raise what a call raises.
        """
        limit = self.rules.attempts_max
        level = send_back_level(verdict, message.attempt, limit)
        try:
            await self._return_to_its_broker(message, level)
        except (NetError, ClientError) as error:
            _log.warning("not taken back, sent to the retry topic: %r: %s", message, error)
            await send_to_retry_topic(self.session, message, level, limit)
        if level != DEAD_LETTER:
            self._sent_back()

    async def _return_to_its_broker(self, message: ReceivedMessage, level: int) -> None:
        session, limit = self.session, self.rules.attempts_max
        address = session.address_of(message.queue)
        if address is None:
            raise ClientError(f"no address of broker {message.broker_name} is known")
        await session.instance.calls.send_back(
            address,
            session.group,
            message.log_offset,
            level,
            message_id=message.message_id,
            topic=message.topic,
            attempts_max=None if limit is None else limit - 1,
        )

    def _later(self, delay_ms: int, held: ProcessQueue, message: ReceivedMessage) -> None:
        def offer() -> None:
            self._timers.discard(timer)
            if not held.dropped:
                message.reconsume_times += 1
                self._offer_again(held, [message])

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, offer)
        self._timers.add(timer)

    async def settle(self, timeout: float) -> None:
        """Wait for messages on their way back, but not for ever."""
        self.closing = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=timeout)
        for job in list(self._jobs):
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)


def status_of(verdict: Verdict, error: BaseException | None) -> str:
    """How handling ended, as hooks are told."""
    if isinstance(error, HandlerTimeout):
        return "timeout"
    if error is not None and not isinstance(error, (RetryIn, Reject)):
        return "failed"
    return "success" if verdict is None else "retry"


class HandlerTimeout(PocketMQError):
    """A handler took longer than `handler_timeout_ms`."""
