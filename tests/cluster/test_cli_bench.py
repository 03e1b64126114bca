"""`pocketmq bench` and `pocketmq exporter`, as typed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.cluster.test_cli_nouns import Run, run

from pocketmq.admin import Admin
from pocketmq.admin.benchmarks import LOADS, Load, Plan, Result, run_benchmark
from pocketmq.cli.bench import show
from pocketmq.client.config import ClientConfig
from pocketmq.errors import ConfigError, NoRoute
from pocketmq.testing import LocalBroker

__all__ = ["run"]  # the fixture

FEW = ("--messages", "200", "--warm-up", "0", "--size", "100", "--in-flight", "8")


@pytest.mark.parametrize("load", LOADS)
def test_each_load_measures_and_leaves_nothing_behind(
    run: Run, rocketmq: LocalBroker, load: Load
) -> None:
    found: dict[str, Any] = json.loads(run("bench", load, *FEW, "--json"))
    assert found["messages"] >= 200
    assert found["messages_per_second"] > 0 and found["failures"] == {}
    assert found["out_of_order"] == 0
    if load == "consume":
        assert found["latency_ms"] is None
    else:
        latency = found["latency_ms"]
        assert 0 <= latency["min"] <= latency["p50"] <= latency["p99"] <= latency["max"]
    tables = rocketmq._servers.running.tables
    left = [*tables.topics.configs, *tables.groups.configs]
    assert not [name for name in left if "bench" in name]


def test_people_get_a_table_and_a_histogram(run: Run) -> None:
    text = run("bench", "send", *FEW)
    assert re.search(r"^send on .*: 100 B, 1 client, 8 in flight each, no rate limit$", text, re.M)
    assert re.search(r"^  throughput +[\d,]+ msg/s, [\d.,]+ MB/s$", text, re.M)
    assert re.search(r"^  latency +p50 .* ms, p90 .*, p99.9 .*, mean .*, max ", text, re.M)
    shares = [float(share) for share in re.findall(r"([\d.]+) %$", text, re.M)]
    assert len(shares) >= 2
    assert sum(shares) == pytest.approx(100, abs=1)


def test_a_rate_is_kept(run: Run) -> None:
    found = json.loads(
        run("bench", "send", "--rate", "200", "--duration", "1s", "--warm-up", "0", "--json")
    )
    turns = 200 * found["seconds"] + found["latency_ms"]["max"] / 5
    assert 1 <= found["messages"] <= turns + 2


def test_a_topic_that_is_named_stays(run: Run, rocketmq: LocalBroker) -> None:
    rocketmq.topic("mine")
    run("bench", "send", *FEW, "--topic", "mine")
    assert "mine" in run("topic", "list")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("send", "--size", "many"), "say a number of bytes such as 100, 1KiB"),
        (("end-to-end", "--size", "3"), "--size 3: say a number from 16"),
        (("send", "--duration", "0"), "say how long with --duration"),
        (("send", "--clients", "0"), "--clients 0: say a number from 1 to 256"),
        (("send", "--rate", "-1"), "--rate cannot be below 0"),
        (("sent",), "'sent' is not one of"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, words: tuple[str, ...], told: str) -> None:
    assert told in run("bench", *words, exits=2)


def test_a_busy_generator_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result(Plan("send"), 1.0, 100, busy_share=0.97, loop_late_ms=12)
    show(result, "somewhere")
    assert "97% of a core" in capsys.readouterr().out
    show(replace(result, busy_share=0.97, failures={"ConnectFailed: no": 3}), "somewhere")
    shown = capsys.readouterr().out
    assert "it is the limit here, not the broker" in shown
    assert "3 sends failed: ConnectFailed: no" in shown
    show(replace(result, busy_share=0.5), "somewhere")
    assert "the limit here" not in capsys.readouterr().out


async def test_sends_that_fail_are_counted_by_reason(rocketmq: LocalBroker) -> None:
    async with Admin(rocketmq.address) as admin:
        await admin.topics.create("closed", permission=4)
    plan = Plan(
        "send", seconds=0.3, warm_up_seconds=0, in_flight=2, topic="closed", keep_topic=True
    )
    result = await run_benchmark(plan, ClientConfig.of(rocketmq.address))
    assert result.messages == 0
    assert any("closed" in reason for reason in result.failures), result.failures


async def test_a_measurement_that_is_cancelled_removes_its_topic(rocketmq: LocalBroker) -> None:
    begun = asyncio.Event()
    plan = Plan("end-to-end", seconds=60, warm_up_seconds=0, in_flight=2)
    running = asyncio.ensure_future(
        run_benchmark(plan, ClientConfig.of(rocketmq.address), lambda progress: begun.set())
    )
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with Admin(rocketmq.address) as admin:
        with pytest.raises(NoRoute):
            await admin.topics.parts(plan.topic)


def test_a_plan_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="how long"):
        Plan("send", seconds=0).check()


@contextmanager
def _exporter(*words: str) -> Iterator[str]:
    """Start `pocketmq exporter`; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pocketmq", "exporter", "--port", "0", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        found = re.match(r"(http://[\d.:]+)/metrics has the metrics of", process.stdout.readline())
        assert found is not None
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout is not None
        process.stdout.close()


def _get(url: str, accept: str = "*/*") -> tuple[int, str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], error.read().decode()


def test_the_exporter_serves_metrics_and_health(rocketmq: LocalBroker) -> None:
    rocketmq.send("orders", "pizza")
    with _exporter("-n", rocketmq.address) as address:
        status, kind, text = _get(f"{address}/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert re.search(r'^rocketmq_messages_in_total\{.*topic="orders".*\} 1$', text, re.M)
        _, kind, text = _get(f"{address}/metrics", "application/openmetrics-text; version=1.0.0")
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert text.endswith("# EOF\n")
        assert _get(f"{address}/healthz")[::2] == (200, "ok\n")
        status, _, text = _get(f"{address}/readyz")
        assert (status, json.loads(text)["ready"]) == (200, True)
        assert _get(f"{address}/else")[0] == 404


def test_the_exporter_of_what_is_not_there_lives_but_is_not_ready() -> None:
    with _exporter("--broker", "127.0.0.1:1") as address:
        assert _get(f"{address}/healthz")[0] == 200
        status, _, text = _get(f"{address}/readyz")
        assert status == 503
        (check,) = json.loads(text)["checks"]
        assert check["name"] == "broker 127.0.0.1:1" and "127.0.0.1:1" in check["detail"]
