"""Spans for OpenTelemetry, and log lines, of every message sent and handled.

    Producer(..., hooks=[OpenTelemetry()])       # needs `pip install opentelemetry-api`
    Consumer(..., hooks=[LogMessages()])

A span's context travels in the message's properties (`traceparent`), so the span of a consumer,
in Python or another language, is a child of the producer's.
"""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pocketmq.client.hooks import ConsumeContext, Hook, SendContext
from pocketmq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("pocketmq.messages")

_SPAN: Final = "opentelemetry span"
_TOKEN: Final = "opentelemetry token"


class OpenTelemetry(Hook):
    """A span for each send and for each call of a handler, by the messaging conventions.

    `tracer_provider` is the application's; the global one when it is None. Raise ConfigError when
    OpenTelemetry is not installed.
    """

    def __init__(self, tracer_provider: Any = None) -> None:
        try:
            context: Any = import_module("opentelemetry.context")
            propagate: Any = import_module("opentelemetry.propagate")
            trace: Any = import_module("opentelemetry.trace")
        except ImportError:
            raise ConfigError(
                "OpenTelemetry is not installed; `pip install opentelemetry-api`, and an SDK "
                "where spans shall be exported"
            ) from None
        self._context, self._propagate, self._trace = context, propagate, trace
        self._tracer = trace.get_tracer("pocketmq", tracer_provider=tracer_provider)

    def before_send(self, context: SendContext) -> None:
        """Begin a span and write its context into the messages."""
        attributes = {
            "messaging.system": "rocketmq",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": context.topic,
            "messaging.client.id": context.client_id,
            "messaging.message.body.size": sum(context.body_bytes),
        }
        if len(context.unique_keys) > 1:
            attributes["messaging.batch.message_count"] = len(context.unique_keys)
        elif context.unique_keys:
            attributes["messaging.message.id"] = context.unique_keys[0]
            _message_attributes(attributes, context.properties[0])
        span = self._tracer.start_span(
            f"send {context.topic}", kind=self._trace.SpanKind.PRODUCER, attributes=attributes
        )
        context.notes[_SPAN] = span
        within = self._trace.set_span_in_context(span)
        for properties in context.properties:
            self._propagate.inject(properties, context=within)

    def after_send(self, context: SendContext) -> None:
        """End the span."""
        span: Any = context.notes.get(_SPAN)
        if span is None:
            return
        if context.broker_address:
            host, _, port = context.broker_address.rpartition(":")
            span.set_attribute("server.address", host)
            span.set_attribute("server.port", int(port))
        self._finish(span, context.error, failed=context.error is not None)

    def before_consume(self, context: ConsumeContext) -> None:
        """Begin a span under the sender's and make it the current one."""
        first = context.messages[0]
        attributes: dict[str, Any] = {
            "messaging.system": "rocketmq",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": first.topic,
            "messaging.consumer.group.name": context.group,
            "messaging.client.id": context.client_id,
            "messaging.destination.partition.id": str(first.queue_id),
        }
        parent, links = None, []
        if len(context.messages) == 1:
            attributes["messaging.message.id"] = first.message_id
            attributes["messaging.message.body.size"] = len(first.raw_body)
            _message_attributes(attributes, first.properties)
            parent = self._propagate.extract(first.properties)
        else:
            attributes["messaging.batch.message_count"] = len(context.messages)
            links = [self._link(message.properties) for message in context.messages]
        span = self._tracer.start_span(
            f"process {first.topic}",
            context=parent,
            kind=self._trace.SpanKind.CONSUMER,
            attributes=attributes,
            links=[link for link in links if link is not None],
        )
        context.notes[_SPAN] = span
        # Only a task keeps a current span apart from those of others.
        if asyncio.current_task() is not None:
            within = self._trace.set_span_in_context(span)
            context.notes[_TOKEN] = self._context.attach(within)

    def after_consume(self, context: ConsumeContext) -> None:
        """End the span."""
        token: Any = context.notes.pop(_TOKEN, None)
        if token is not None:
            self._context.detach(token)
        span: Any = context.notes.get(_SPAN)
        if span is not None:
            span.set_attribute("messaging.rocketmq.consume.status", context.status)
            self._finish(span, context.error, failed=context.status != "success")

    def _link(self, properties: Mapping[str, str]) -> Any:
        sender = self._trace.get_current_span(self._propagate.extract(properties))
        found = sender.get_span_context()
        return self._trace.Link(found) if found.is_valid else None

    def _finish(self, span: Any, error: BaseException | None, *, failed: bool) -> None:
        if error is not None:
            span.set_attribute("error.type", type(error).__qualname__)
            span.record_exception(error)
        if failed:
            text = str(error) if error is not None else ""
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))
        span.end()


def _message_attributes(attributes: dict[str, Any], properties: Mapping[str, str]) -> None:
    if "TAGS" in properties:
        attributes["messaging.rocketmq.message.tag"] = properties["TAGS"]
    if "KEYS" in properties:
        attributes["messaging.rocketmq.message.keys"] = properties["KEYS"].split()


class LogMessages(Hook):
    """A log line for each message sent and handled; bodies and properties are not shown.

    What goes well is logged at `level`, what fails as a warning, to the logger `pocketmq.messages`
    or another.
    """

    def __init__(self, level: int = logging.INFO, logger: logging.Logger | None = None) -> None:
        self._level = level
        self._log = logger or _log

    def after_send(self, context: SendContext) -> None:
        """A send was answered, or failed."""
        receipt = context.receipt
        place = "" if receipt is None else f"{receipt.broker_name}/{receipt.queue_id}"
        offset = "" if receipt is None else receipt.queue_offset
        for unique_key in context.unique_keys:
            self._line(
                context.error,
                "sent topic=%s id=%s queue=%s offset=%s ms=%.1f",
                context.topic,
                unique_key,
                place,
                offset,
                context.cost_ms,
            )

    def after_consume(self, context: ConsumeContext) -> None:
        """Messages were handled."""
        for message in context.messages:
            self._line(
                context.error if context.status != "success" else None,
                "handled topic=%s id=%s group=%s attempt=%d status=%s ms=%.1f",
                message.topic,
                message.message_id,
                context.group,
                message.attempt,
                context.status,
                context.cost_ms,
            )

    def _line(self, error: BaseException | None, text: str, *values: object) -> None:
        if error is None:
            self._log.log(self._level, text, *values)
        else:
            self._log.warning(text + " error=%r", *values, error)
