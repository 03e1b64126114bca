"""Where others may look on: at messages sent, consumed, committed and recalled.

Traces, telemetry and statistics are made of these. Subclass `Hook`, override what you need and
give it to a producer or consumer with `hooks=[...]`. Hooks run on the event loop and must not
block. One that raises is logged and does no other harm.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketmq.client.messages import MessageQueue, ReceivedMessage, SendReceipt

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class SendContext:
    """One send, from before it leaves until it is answered. A batch is one send."""

    group: str
    client_id: str
    topic: str
    kind: str
    """normal, ordered, delayed, transaction, oneway, batch or reply."""
    properties: list[dict[str, str]]
    """The properties of each message as they will be sent. `before_send` may add to them."""
    body_bytes: list[int]
    """The size of each body as it is sent, perhaps compressed."""
    unique_keys: list[str]
    started_ms: int
    """Wall clock."""
    broker_address: str = ""
    queue: MessageQueue | None = None
    cost_ms: float = 0.0
    receipt: SendReceipt | None = None
    """Set for `after_send` when the broker stored it."""
    error: BaseException | None = None
    """Set for `after_send` when the send failed."""
    notes: dict[str, object] = field(default_factory=dict)
    """For hooks to carry something from before to after."""


@dataclass(slots=True)
class ConsumeContext:
    """Messages handed to a handler together, from before the call until after it."""

    group: str
    client_id: str
    queue: MessageQueue
    messages: Sequence[ReceivedMessage]
    started_ms: int
    """Wall clock."""
    status: str = ""
    """Set for `after_consume`: success, retry, failed (it raised) or timeout."""
    cost_ms: float = 0.0
    error: BaseException | None = None
    notes: dict[str, object] = field(default_factory=dict)
    """For hooks to carry something from before to after."""


@dataclass(slots=True)
class EndTransactionContext:
    """A transaction that was committed, rolled back or left open."""

    group: str
    client_id: str
    topic: str
    unique_key: str
    tag: str
    keys: str
    outcome: str
    """commit, rollback or unknown."""
    from_check: bool
    """True when the broker had asked."""
    broker_address: str
    transaction_id: str
    started_ms: int


@dataclass(slots=True)
class RecallContext:
    """A delayed message that was taken back."""

    group: str
    client_id: str
    topic: str
    unique_key: str
    started_ms: int
    cost_ms: float
    error: BaseException | None = None


class Hook:
    """Looks on. Every method does nothing unless overridden."""

    def before_send(self, context: SendContext) -> None:
        """A message or batch is about to leave; its properties may still be added to."""

    def after_send(self, context: SendContext) -> None:
        """It was answered, or failed."""

    def before_consume(self, context: ConsumeContext) -> None:
        """Messages are about to be handed to the handler."""

    def after_consume(self, context: ConsumeContext) -> None:
        """The handler has returned or raised."""

    def after_end_transaction(self, context: EndTransactionContext) -> None:
        """A transaction's outcome was told to the broker."""

    def after_recall(self, context: RecallContext) -> None:
        """A recall was answered, or failed."""

    async def start(self, instance: object) -> None:
        """The client has started; `instance` is its `client.instance.Instance`."""

    async def stop(self) -> None:
        """The client is stopping; send what is kept back."""


class Hooks:
    """Several hooks as one. False when there are none, so that callers can skip the work."""

    def __init__(self, hooks: Iterable[Hook] = ()) -> None:
        self._hooks = tuple(hooks)

    def __bool__(self) -> bool:
        return bool(self._hooks)

    def before_send(self, context: SendContext) -> None:
        """Tell all hooks."""
        for hook in self._hooks:
            try:
                hook.before_send(context)
            except Exception as error:  # noqa: BLE001 - a hook must not break a send
                _report(hook, "before_send", error)

    def after_send(self, context: SendContext) -> None:
        """Tell all hooks."""
        for hook in self._hooks:
            try:
                hook.after_send(context)
            except Exception as error:  # noqa: BLE001 - a hook must not break a send
                _report(hook, "after_send", error)

    def before_consume(self, context: ConsumeContext) -> None:
        """Tell all hooks."""
        for hook in self._hooks:
            try:
                hook.before_consume(context)
            except Exception as error:  # noqa: BLE001 - a hook must not break a consumer
                _report(hook, "before_consume", error)

    def after_consume(self, context: ConsumeContext) -> None:
        """Tell all hooks."""
        for hook in self._hooks:
            try:
                hook.after_consume(context)
            except Exception as error:  # noqa: BLE001 - a hook must not break a consumer
                _report(hook, "after_consume", error)

    def after_end_transaction(self, context: EndTransactionContext) -> None:
        """Tell all hooks."""
        for hook in self._hooks:
            try:
                hook.after_end_transaction(context)
            except Exception as error:  # noqa: BLE001 - a hook must not break a transaction
                _report(hook, "after_end_transaction", error)

    def after_recall(self, context: RecallContext) -> None:
        """Tell all hooks."""
        for hook in self._hooks:
            try:
                hook.after_recall(context)
            except Exception as error:  # noqa: BLE001 - a hook must not break a recall
                _report(hook, "after_recall", error)

    async def start(self, instance: object) -> None:
        """Start all hooks. An error here does stop the client from starting."""
        for hook in self._hooks:
            await hook.start(instance)

    async def stop(self) -> None:
        """Stop all hooks."""
        for hook in reversed(self._hooks):
            try:
                await hook.stop()
            except Exception as error:  # noqa: BLE001 - the others must be stopped too
                _report(hook, "stop", error)


def _report(hook: Hook, place: str, error: Exception) -> None:
    _log.error("hook failed hook=%s place=%s", type(hook).__name__, place, exc_info=error)
