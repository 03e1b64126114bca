"""What consumers have in common whose messages are handled: by a function, or in a loop's body."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from pocketmq.client.handling import Handler
from pocketmq.client.iteration import Inbox
from pocketmq.errors import ClientClosed, ConfigError


class Plan(Protocol):
    """What a consumer was told when it was made."""

    handler: Handler | None


class Parts(Protocol):
    """A consumer between its start and its stop."""

    @property
    def inbox(self) -> Inbox | None:
        """Where messages wait for loops, when there is no handler."""
        ...

    async def start(self) -> None:
        """Join the group."""
        ...

    async def stop(self) -> None:
        """Finish what is in hand, and leave the group."""
        ...

    async def abandon(self) -> None:
        """Let go of what a start that failed has taken."""
        ...


F = TypeVar("F", bound=Handler)
R = TypeVar("R", bound=Parts)
C = TypeVar("C", bound="HandledConsumer[Any]")


class HandledConsumer(ABC, Generic[R]):
    """A consumer that starts, handles messages and stops."""

    def __init__(self, plan: Plan) -> None:
        self._told = plan
        self._parts: R | None = None
        self._stopped: asyncio.Event | None = None
        self._stopping: asyncio.Task[None] | None = None

    @abstractmethod
    def _made(self) -> R:
        """The parts of a consumer that is to start. Raise ConfigError when it cannot."""

    def handler(self, function: F) -> F:
        """Decorate the function that handles messages.

        @consumer.handler
        async def bill(message): ...
        """
        if self._parts is not None:
            raise ConfigError("the consumer has started; give it its handler before")
        self._told.handler = function
        return function

    async def start(self) -> None:
        """Join the group and begin. Raise NameServersUnreachable when none answers.

        Topics that do not exist yet are looked for until they do.
        """
        if self._parts is not None:
            raise ClientClosed("this consumer has started already")
        parts = self._made()
        self._parts = parts
        self._stopped = asyncio.Event()
        try:
            await parts.start()
        except BaseException:
            self._parts = None
            await parts.abandon()
            raise

    async def stop(self) -> None:
        """Finish what is being handled, tell the brokers, and leave the group."""
        parts = self._parts
        if parts is None:
            return
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop(parts))
        await asyncio.shield(self._stopping)

    async def _stop(self, parts: R) -> None:
        try:
            await parts.stop()
        finally:
            self._parts = None
            self._stopping = None
            if self._stopped is not None:
                self._stopped.set()

    async def run(self) -> None:
        """Start, and return when `stop` was called. Cancelling stops the consumer."""
        if self._told.handler is None:
            raise ConfigError("run() needs a handler; without one, iterate over the consumer")
        if self._parts is None:
            await self.start()
        assert self._stopped is not None
        try:
            await self._stopped.wait()
        finally:
            await self.stop()

    async def __aenter__(self: C) -> C:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._parts is not None and self._parts.inbox is not None:
            self._parts.inbox.settle_all(error)
        await self.stop()

    @property
    def is_running(self) -> bool:
        """Whether it has started and not stopped."""
        return self._parts is not None

    def _running(self) -> R:
        if self._parts is None:
            raise ClientClosed(
                "this consumer does not run; use `async with`, or call start() first"
            )
        return self._parts

    def _inbox(self) -> Inbox:
        """Where loops take messages from. Raise ConfigError when there is a handler."""
        inbox = self._running().inbox
        if inbox is None:
            raise ConfigError("this consumer has a handler, so it cannot be iterated over")
        return inbox
