"""Samples, and both formats they are written in, read back with prometheus-client's parsers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_metrics_parser

from pocketmq.metrics import Samples, families, wants_open_metrics
from pocketmq.metrics.text import label_text

Parse = Callable[[str], Iterable[Any]]


def _read(samples: Samples, *, open_metrics: bool) -> dict[str, Any]:
    text = samples.render(open_metrics=open_metrics).decode()
    parse: Parse = (
        open_metrics_parser.text_string_to_metric_families
        if open_metrics
        else parser.text_string_to_metric_families
    )
    return {family.name: family for family in parse(text)}


@pytest.mark.parametrize("open_metrics", [False, True])
def test_samples_are_read_back_as_they_were(open_metrics: bool) -> None:
    samples = Samples()
    labels = label_text(topic='odd "name"\\\n', message_type="normal", is_system="false")
    samples.add(families.MESSAGES_IN, labels, 17)
    samples.add(families.LAG, 'topic="a"', 2.5)
    samples.add(families.NAME_SERVER_UP, "", 1)
    found = _read(samples, open_metrics=open_metrics)
    counter = found["rocketmq_messages_in"]
    assert counter.type == "counter"
    (sample,) = counter.samples
    assert (sample.name, sample.value) == ("rocketmq_messages_in_total", 17)
    assert sample.labels["topic"] == 'odd "name"\\\n'
    assert found["rocketmq_consumer_lag_messages"].samples[0].value == 2.5
    assert found["pocketmq_name_server_up"].samples[0].labels == {}


@pytest.mark.parametrize("open_metrics", [False, True])
def test_a_histogram_adds_its_classes_up(open_metrics: bool) -> None:
    samples = Samples()
    samples.add_histogram(
        families.MESSAGE_SIZE, 'topic="a"', {1024: 2, 4096: 0, math.inf: 1}, total=9000
    )
    samples.add_histogram(families.PUT_LATENCY, "", {0: 4, math.inf: 1})
    found = _read(samples, open_metrics=open_metrics)
    sizes = {
        (sample.name.rpartition("_")[2], sample.labels.get("le")): sample.value
        for sample in found["rocketmq_message_size"].samples
    }
    assert sizes == {
        ("bucket", "1024.0"): 2,
        ("bucket", "4096.0"): 2,
        ("bucket", "+Inf"): 3,
        ("count", None): 3,
        ("sum", None): 9000,
    }
    buckets = [sample.value for sample in found["pocketmq_put_latency_milliseconds"].samples]
    assert buckets == [4, 5]


def test_a_sample_that_comes_twice_stands_once() -> None:
    samples = Samples()
    samples.add(families.LAG, 'topic="a"', 1)
    samples.add(families.LAG, 'topic="a"', 2)
    assert len(samples) == 1
    assert samples.render(open_metrics=False).endswith(b'{topic="a"} 1\n')


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (1e300, "1e+300")],
)
def test_odd_numbers_are_written_as_prometheus_reads_them(value: float, text: str) -> None:
    samples = Samples()
    samples.add(families.LAG, "", value)
    assert samples.render(open_metrics=False).decode().splitlines()[-1].endswith(f" {text}")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("text/plain", False),
        ("*/*", False),
        ("application/openmetrics-text; version=1.0.0", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", True),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nonsense", False),
    ],
)
def test_the_format_follows_the_accept_header(accept: str, wanted: bool) -> None:
    assert wants_open_metrics(accept) is wanted


def test_names_follow_the_rules_for_their_kind() -> None:
    for family in families.CATALOGUE:
        assert family.name.startswith(("rocketmq_", "pocketmq_"))
        is_total = family.name.endswith("_total")
        assert is_total == (family.kind == "counter"), family.name
        assert family.help.endswith("."), family.name
        assert not set(family.labels) & set(families.BASE_LABELS), family.name
    assert not {family.name for family in families.CATALOGUE} & set(families.LEFT_OUT)
