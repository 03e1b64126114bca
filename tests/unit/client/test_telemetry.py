"""Spans of OpenTelemetry: the consumer's is a child of the producer's."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from tests.unit.client.test_statistics import handled, sent
from tests.unit.client.test_trace_records import QUEUE, received

from pocketmq.client.hooks import ConsumeContext
from pocketmq.client.telemetry import OpenTelemetry
from pocketmq.errors import ConfigError


@pytest.fixture
def spans() -> tuple[Any, Any]:
    """A tracer provider and what it exports."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("opentelemetry.sdk", reason="pip install opentelemetry-sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


async def test_a_delivery_continues_the_trace_of_its_send(spans: tuple[Any, Any]) -> None:
    from opentelemetry import trace

    provider, exporter = spans
    hook = OpenTelemetry(provider)
    context = sent("orders")
    context.broker_address = "10.0.0.1:10911"
    hook.before_send(context)
    assert "traceparent" in context.properties[0]
    hook.after_send(context)

    message = received(["U"], "k")
    message.properties.update(context.properties[0])
    delivery = ConsumeContext("g", "c", QUEUE, [message], 1)
    hook.before_consume(delivery)
    inside = trace.get_current_span()
    delivery.status = "success"
    hook.after_consume(delivery)
    assert not trace.get_current_span().get_span_context().is_valid

    send, process = exporter.get_finished_spans()
    assert (send.name, process.name) == ("send orders", "process golden_Events")
    assert process.parent.span_id == send.context.span_id
    assert inside.get_span_context() == process.context
    assert send.attributes["server.port"] == 10911
    assert process.attributes["messaging.consumer.group.name"] == "g"
    assert process.attributes["messaging.rocketmq.message.keys"] == ("k",)


async def test_failures_are_marked(spans: tuple[Any, Any]) -> None:
    provider, exporter = spans
    hook = OpenTelemetry(provider)
    context = sent("orders", failed=True, messages=2)
    hook.before_send(context)
    hook.after_send(context)
    delivery = handled("failed", KeyError("x"))
    delivery.messages = [received(["U"], "k"), received(["V"], "k")]
    delivery.messages[0].properties.update(context.properties[0])
    hook.before_consume(delivery)
    hook.after_consume(delivery)
    send, process = exporter.get_finished_spans()
    assert not send.status.is_ok
    assert send.attributes["messaging.batch.message_count"] == 2
    assert process.attributes["error.type"] == "KeyError"
    assert [link.context.span_id for link in process.links] == [send.context.span_id]


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with pytest.raises(ConfigError, match="pip install opentelemetry-api"):
        OpenTelemetry()
