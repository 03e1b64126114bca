"""What plain consumers with handlers and loops share."""

from __future__ import annotations

import asyncio
import queue
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

from pocketmq.client.blocking.background import background
from pocketmq.client.blocking.facade import AsyncClient, Facade
from pocketmq.client.handling import Handler
from pocketmq.client.messages import ReceivedMessage
from pocketmq.errors import ClientClosed, ConfigError

THREADS_MAX: Final = 1000


H = TypeVar("H", bound=Handler)


class LoopingClient(AsyncClient, Protocol):
    """An async consumer that can be iterated over."""

    def messages(self, *, idle: float | None = None) -> AsyncIterator[ReceivedMessage]:
        """Its messages."""
        ...

    def handler(self, function: H) -> H:
        """Decorate the function that handles messages."""
        ...


L = TypeVar("L", bound=LoopingClient)


class LoopingFacade(Facade[L]):
    """A plain consumer that calls a handler on threads, or is iterated over."""

    def __init__(self, make: Callable[[], L]) -> None:
        self._loops: dict[int, _Loop] = {}
        self._wanted_to_stop = threading.Event()
        self._runs = False
        self._handler: Handler | None = None
        super().__init__(lambda: self._with_handler(make()))

    def _with_handler(self, made: L) -> L:
        if self._handler is not None:
            made.handler(self._handler)
        return made

    def handler(self, function: H) -> H:
        """Decorate the function that handles messages."""
        if self._is_started:
            raise ConfigError("the consumer has started; give it its handler before")
        self._handler = function
        return self._inner.handler(function)

    # -- life -------------------------------------------------------------------------------

    def _start(self) -> None:
        self._wanted_to_stop.clear()
        super()._start()

    async def _finish(self, inner: L, error: BaseException | None) -> None:
        # Messages in the bodies of loops are consumed, or are not after an error.
        await super()._finish(inner, error)
        for loop in self._loops.values():
            loop.end()
        self._loops.clear()

    def _close_with(self, error: BaseException | None) -> None:
        super()._close_with(error)
        self._wanted_to_stop.set()

    def stop(self) -> None:
        """Finish what is being handled and leave the group.

        While `run` is active, this tells it to do so and returns at once; handlers may call it.
        """
        if self._runs:
            self._wanted_to_stop.set()
        else:
            self.close()

    def forget(self) -> None:
        """Called in a forked child: what was started belongs to the parent."""
        super().forget()
        self._loops = {}
        self._wanted_to_stop = threading.Event()
        self._runs = False

    def run(self) -> None:
        """Start, and return when `stop` was called or the process was told to end.

        On the main thread Ctrl-C and SIGTERM stop the consumer gracefully.
        """
        self.start()
        self._runs = True
        try:
            with _signals_set(self._wanted_to_stop):
                self._wanted_to_stop.wait()
        finally:
            self._runs = False
            self.close()

    # -- receiving --------------------------------------------------------------------------

    def __iter__(self) -> Iterator[ReceivedMessage]:
        return self.messages()

    def messages(self, *, idle: float | None = None) -> Iterator[ReceivedMessage]:
        """The messages, for `for`. With `idle` the loop ends when none came for so many seconds.

        Coming back for the next message, or leaving the loop, means that the last one is consumed;
        call its `retry` or `reject` if it is not. An exception that leaves the `with` block means
        that it is not. Several threads may iterate at a time.
        """
        inner = self._started()
        thread = threading.get_ident()
        loop = self._loops.get(thread)
        if loop is None:
            if len(self._loops) >= THREADS_MAX:
                raise ConfigError(f"more than {THREADS_MAX} threads iterate over one consumer")
            loop = self._loops[thread] = _Loop(inner)
        return _Messages(loop, idle)

    @property
    def is_running(self) -> bool:
        """Whether it has started and not stopped."""
        return self._is_started


class _Loop:
    """One thread's loops over a consumer: a task that takes messages for it, one at a time.

    The consumer tells loops apart by task, so a thread keeps its task from loop to loop.
    """

    def __init__(self, consumer: LoopingClient) -> None:
        self._consumer = consumer
        self._asked: asyncio.Queue[float | None] = asyncio.Queue()
        self._answers: queue.SimpleQueue[ReceivedMessage | BaseException | None] = (
            queue.SimpleQueue()
        )
        self._is_asked = False
        self._ended = False
        self._task: Future[None] = asyncio.run_coroutine_threadsafe(self._take(), background().loop)

    async def _take(self) -> None:
        try:
            while True:
                idle = await self._asked.get()
                try:
                    message = await self._consumer.messages(idle=idle).__anext__()
                except StopAsyncIteration:
                    self._answers.put(None)
                except Exception as error:  # noqa: BLE001 - raised on the thread that iterates
                    self._answers.put(error)
                else:
                    self._answers.put(message)
        finally:
            self._answers.put(None)

    def next(self, idle: float | None) -> ReceivedMessage | None:
        """The next message; None when there will be no more, or none came in time."""
        if self._ended:
            raise ClientClosed("this consumer is closed; call start() and iterate again")
        # After Ctrl-C the answer to the question before may still come.
        if not self._is_asked:
            background().loop.call_soon_threadsafe(self._asked.put_nowait, idle)
            self._is_asked = True
        answer = self._answers.get()
        self._is_asked = False
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def end(self) -> None:
        """Take no more messages."""
        self._ended = True
        self._task.cancel()


class _Messages(Iterator[ReceivedMessage]):
    def __init__(self, loop: _Loop, idle: float | None) -> None:
        self._loop = loop
        self._idle = idle

    def __iter__(self) -> Iterator[ReceivedMessage]:
        return self

    def __next__(self) -> ReceivedMessage:
        message = self._loop.next(self._idle)
        if message is None:
            raise StopIteration
        return message


@contextmanager
def _signals_set(event: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM set an event, where that is possible: on the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers: Iterable[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    before: dict[signal.Signals, Callable[..., Any] | int | None] = {}
    try:
        for number in numbers:
            before[number] = signal.signal(number, lambda *_: event.set())
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
