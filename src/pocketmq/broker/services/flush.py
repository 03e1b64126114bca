"""Brings what was appended safely onto the disk.

ASYNC_FLUSH: a loop flushes now and then; sends are answered at once, and the flush stands back.

SYNC_FLUSH is a group commit. Answers wait in a batch. One flush runs at a time, on the one thread
made for it; what arrives meanwhile forms the next batch. When the flush is through, exactly the
answers that waited for it leave. Clients that answer in step form a cohort: its first member would
start a flush that the others just miss, so a flush waits for the cohort, at most half as long as
the last flush took.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pocketmq.broker.services.standing_back import stand_back
from pocketmq.clock import Clock
from pocketmq.errors import FlushFailed
from pocketmq.net import Connection
from pocketmq.store import MessageStore
from pocketmq.store.config import FlushConfig

_log = logging.getLogger(__name__)

CODE_OK: Final = 0
CODE_FLUSH_TIMEOUT: Final = 10

Encode = Callable[..., bytes]
# Without a connection the callable is told the code and nothing is written.
Held = tuple["Connection | None", Callable[..., Any], tuple[Any, ...]]


class FlushService:
    """Flushes the commit log, and holds answers until their messages are durable.

    `on_durable` is called after each flush, `on_answered` with how many answers left together and
    how long the first of them was held, in milliseconds.
    """

    def __init__(
        self,
        store: MessageStore,
        config: FlushConfig,
        clock: Clock,
        on_durable: Callable[[], None],
        on_answered: Callable[[int, int], None],
        *,
        waiting_max: int,
    ) -> None:
        self._waiting_max = waiting_max
        self._store = store
        self._config = config
        self._clock = clock
        self._on_durable = on_durable
        self._on_answered = on_answered
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(
            1,
            thread_name_prefix="pocketmq-flush",
            initializer=None if config.mode == "SYNC_FLUSH" else stand_back,
        )
        self._batch: list[Held] = []
        self._flying: list[Held] = []
        self._boarding = 0
        self._aboard = 0
        self._last_count = 0
        self._last_seconds = 0.0
        self._began = 0.0
        self._batch_began = 0.0
        self._flying_began = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._running = False
        self._stopping = False
        self._woken = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._periodic: asyncio.TimerHandle | None = None

    @property
    def is_sync(self) -> bool:
        """True when sends are answered only after their message is on the disk."""
        return self._config.mode == "SYNC_FLUSH"

    @property
    def waiting(self) -> int:
        """Answers held until their messages are durable."""
        return self._boarding + self._aboard

    @property
    def is_full(self) -> bool:
        """True when so many answers are held that further sends must be refused."""
        return self._boarding + self._aboard >= self._waiting_max

    def start(self) -> None:
        """Begin the periodic flush."""
        self._schedule_periodic()

    async def settle(self) -> None:
        """Flush until nobody waits for an answer."""
        self._stopping = True
        while self._running or self._batch:
            if not self._running:
                self._fly()
            await self._idle.wait()

    async def stop(self) -> None:
        """Flush what is left, answer who waits, end the thread."""
        if self._periodic is not None:
            self._periodic.cancel()
        await self.settle()
        self._thread.shutdown(wait=True)

    def hold(self, connection: Connection, encode: Encode, *args: Any) -> None:
        """Answer with `encode(*args, code)` once all that is appended by now is durable."""
        self._batch.append((connection, encode, args))
        self._boarded()

    def hold_many(self, count: int, connection: Connection, encode: Encode, answers: bytes) -> None:
        """As `hold`, for the encoded answers of `count` messages together."""
        self._boarding += count - 1
        self.hold(connection, encode, answers)

    def call_when_durable(self, confirmed: asyncio.Future[int]) -> None:
        """Set the future to CODE_OK or CODE_FLUSH_TIMEOUT, as `hold` answers."""
        self._batch.append((None, confirmed.set_result, ()))
        self._boarded()

    def wake(self) -> None:
        """Flush soon what is appended by now, in SYNC_FLUSH, although nobody waits for it."""
        if self.is_sync and not self._woken:
            self._woken = True
            self._batch.append((None, _nobody_waits, ()))
            self._boarded()

    def _boarded(self) -> None:
        self._boarding += 1
        if len(self._batch) == 1:
            self._batch_began = self._clock.monotonic()
        if self._running:
            return
        if self._patience is None:
            self._fly()
        elif len(self._batch) >= self._last_count:
            self._patience.cancel()
            self._patience = None
            self._fly()

    # -- one flush --------------------------------------------------------------------------

    def _fly(self) -> None:
        self._running = True
        self._idle.clear()
        self._patience = None
        self._woken = False
        self._flying, self._batch = self._batch, []
        self._aboard, self._boarding = self._boarding, 0
        self._flying_began = self._batch_began
        self._began = self._clock.monotonic()
        if self._flying:
            timeout = self._config.sync_timeout_ms / 1000
            self._deadline = self._loop.call_later(timeout, self._give_up)
        self._thread.submit(self._flush_on_thread)

    def _flush_on_thread(self) -> None:
        error: Exception | None = None
        try:
            self._store.flush_log()
        except Exception as failure:  # noqa: BLE001 - whatever it is, those who wait must hear
            error = failure
        try:
            self._loop.call_soon_threadsafe(self._landed, error)
        except RuntimeError:
            _log.warning("the event loop ended before a flush did")

    def _landed(self, error: Exception | None) -> None:
        self._running = False
        self._last_seconds = self._clock.monotonic() - self._began
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        held, self._flying = self._flying, []
        self._aboard = 0
        if held:
            self._last_count = len(held)
            waited_seconds = self._clock.monotonic() - self._flying_began
            self._on_answered(len(held), int(waited_seconds * 1000))
        if error is not None:
            then = "writes are refused" if isinstance(error, FlushFailed) else "it is tried again"
            _log.error("the commit log cannot be flushed; %s reason=%s", then, error)
            _answer(held, CODE_FLUSH_TIMEOUT)
        else:
            self._on_durable()
            _answer(held, CODE_OK)
        if self._batch:
            self._next()
        else:
            # The cohort just answered may come back at once: be ready to wait for all of it.
            if held and self._last_count > 1 and not self._stopping:
                self._patience = self._loop.call_later(self._last_seconds / 2, self._fly_if_any)
            self._idle.set()

    def _next(self) -> None:
        if len(self._batch) >= self._last_count or self._stopping:
            self._fly()
        else:
            self._patience = self._loop.call_later(self._last_seconds / 2, self._fly_if_any)
            self._idle.set()

    def _fly_if_any(self) -> None:
        self._patience = None
        if self._batch and not self._running:
            self._fly()

    def _give_up(self) -> None:
        held, self._flying = self._flying, []
        messages, self._aboard = self._aboard, 0
        self._deadline = None
        _log.warning(
            "%d messages are stored but not confirmed on disk within %d ms",
            messages,
            self._config.sync_timeout_ms,
        )
        _answer(held, CODE_FLUSH_TIMEOUT)

    # -- now and then -----------------------------------------------------------------------

    def _schedule_periodic(self) -> None:
        interval = self._config.interval_ms / 1000
        self._periodic = self._loop.call_later(interval, self._flush_periodically)

    def _flush_periodically(self) -> None:
        if not self._running and self._patience is None and self._store.flush_due():
            self._fly()
        self._schedule_periodic()


def _nobody_waits(code: int) -> None:
    """A flush that was only asked for to make messages visible is through."""


def _answer(held: list[Held], code: int) -> None:
    """Write each connection's answers in one go."""
    by_connection: dict[Connection, list[bytes | bytearray | memoryview]] = {}
    for connection, encode, args in held:
        if connection is None:
            encode(code)
            continue
        answers = by_connection.get(connection)
        if answers is None:
            by_connection[connection] = [encode(*args, code)]
        else:
            answers.append(encode(*args, code))
    for connection, buffers in by_connection.items():
        connection.write(buffers)
