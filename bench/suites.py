"""Everything that is measured beside the table of peers: start, memory, message models, the SDK.

Some of it runs as a program of its own, with its own event loop and its own core, and says what it
found as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.generator import LoadFailed
from bench.measure import Plan, measure_memory, measure_startup
from bench.models import measure_models
from bench.official import CPP, JAVA, beside
from bench.rows import (
    APACHE,
    BATCH,
    LEVELS_LATE_MOSTLY,
    LEVELS_LATE_RARELY,
    MEMORY_IDLE,
    MEMORY_TOPICS,
    POP,
    SDK_BLOCKING,
    SDK_CONSUME,
    SDK_FIXTURE,
    SDK_IMPORT,
    SDK_IN_A_TEST,
    SDK_SEND,
    SQL,
    STARTUP,
    TIMERS_AT_REST,
    TIMERS_LATE_MOSTLY,
    TIMERS_LATE_RARELY,
    TIMERS_MEMORY,
    TRANSACTIONS,
    SoloResult,
    SoloRow,
)


@dataclass(frozen=True, slots=True)
class Suite:
    """Rows that are measured together."""

    title: str
    rows: tuple[SoloRow, ...]
    measure: Callable[[Plan], list[SoloResult]]
    needs_apache: bool = False


def _startup(plan: Plan) -> list[SoloResult]:
    return [measure_startup(plan)]


def _transactions(plan: Plan) -> list[SoloResult]:
    found = _told("bench.transactions", plan, "--rounds", str(plan.rounds))
    note = f"{found['transactions']:,.0f}/s beside {found['plain']:,.0f}/s"
    return [SoloResult(TRANSACTIONS, found["transactions"] / found["plain"], note)]


def _pops(plan: Plan) -> list[SoloResult]:
    found = _told("bench.pops", plan, *_shortened(plan, "--warm-seconds", "12", "--seconds", "6"))
    ours, theirs = found["pocketmq"], found["apache"]
    note = " beside ".join(
        f"{each['messages_per_second']:,.0f}/s at {each['server_cpu_us']:.0f} µs"
        for each in (ours, theirs)
    )
    note += f"; the generator {ours['client_cpu_us']:.1f} µs"
    ratio = ours["messages_per_second"] / theirs["messages_per_second"]
    return [SoloResult(POP, ratio, note)]


def _timers(plan: Plan) -> list[SoloResult]:
    waiting = 100_000 if _is_quick(plan) else 1_000_000
    found = _told("bench.timers", plan, "--waiting", str(waiting))
    note = f"{waiting:,} waiting"
    timers, levels = found["timers_late"], found["levels_late"]
    due = [f"1,000 due a second, at most {late['most_ms']} ms" for late in (timers, levels)]
    return [
        SoloResult(TIMERS_MEMORY, found["private_mb"], note),
        SoloResult(TIMERS_AT_REST, found["rest_percent"], note),
        SoloResult(TIMERS_LATE_MOSTLY, timers["p50_ms"], due[0]),
        SoloResult(TIMERS_LATE_RARELY, timers["p99_ms"], due[0]),
        SoloResult(LEVELS_LATE_MOSTLY, levels["p50_ms"], due[1]),
        SoloResult(LEVELS_LATE_RARELY, levels["p99_ms"], due[1]),
    ]


def _sdk_sends(plan: Plan) -> list[SoloResult]:
    found = _told("bench.sdk", plan)
    row = next(row for row in found["rows"] if row["name"] == "awaited, 256 in flight")
    imports = found["import_ms"]
    note = f"{row['cpu_us_per_send']:.1f} µs CPU a send, {beside(found['clients'])}"
    return [
        SoloResult(SDK_SEND, row["sends_per_second"], note),
        SoloResult(
            SDK_IMPORT,
            imports["import pocketmq"],
            f"with a producer {imports['import pocketmq; pocketmq.Producer']:.0f} ms, "
            f"asyncio alone {imports['import asyncio']:.0f} ms",
        ),
    ]


def _sdk_consuming(plan: Plan) -> list[SoloResult]:
    found = _told("bench.sdk_consume", plan)
    best = max(found["rows"], key=lambda row: float(row["messages_per_second"]))
    note = (
        f"{best['name']}, {best['cpu_us_per_message']:.1f} µs CPU a message, "
        f"{beside(found['clients'])}"
    )
    return [
        SoloResult(SDK_CONSUME, best["messages_per_second"], note),
        SoloResult(SDK_IN_A_TEST, found["in_a_test_s"], "broker, producer and consumer together"),
    ]


def _sdk_blocking(plan: Plan) -> list[SoloResult]:
    found = _told("bench.sdk_blocking", plan, "--rounds", str(plan.rounds))
    mine = found["ours"]["p50_us"]
    clients = {client: found[client] for client in (CPP, JAVA)}
    if isinstance(found[CPP], str):
        return []
    note = f"p50 {mine:,.0f} µs {beside(clients, 'p50_us', ' µs')}"
    return [SoloResult(SDK_BLOCKING, mine / found[CPP]["p50_us"], note)]


def _sdk_fixture(plan: Plan) -> list[SoloResult]:
    found = _told("bench.sdk_fixture", plan)
    note = f"median, {found['best_ms']:.1f} to {found['worst_ms']:.1f}, cold {found['cold_ms']:.0f}"
    return [SoloResult(SDK_FIXTURE, found["median_ms"], note)]


SUITES: Final = (
    Suite("start-up times", (STARTUP,), _startup),
    Suite("memory, idle and with 1,000 topics", (MEMORY_IDLE, MEMORY_TOPICS), measure_memory),
    Suite("batches and filters", (BATCH, SQL), measure_models),
    Suite("transactions", (TRANSACTIONS,), _transactions),
    Suite("popping, with Apache", (POP,), _pops, needs_apache=True),
    Suite(
        "timers and delay levels",
        (
            TIMERS_MEMORY,
            TIMERS_AT_REST,
            TIMERS_LATE_MOSTLY,
            TIMERS_LATE_RARELY,
            LEVELS_LATE_MOSTLY,
            LEVELS_LATE_RARELY,
        ),
        _timers,
    ),
    Suite("the SDK's sends", (SDK_SEND, SDK_IMPORT), _sdk_sends),
    Suite("the SDK's consuming", (SDK_CONSUME, SDK_IN_A_TEST), _sdk_consuming),
    Suite("the SDK's blocking sends", (SDK_BLOCKING,), _sdk_blocking),
    Suite("the fixture", (SDK_FIXTURE,), _sdk_fixture),
)


def chosen_suites(names: Sequence[str], plan: Plan) -> list[Suite]:
    """The suites with one of these rows that can be measured with these peers."""
    return [
        suite
        for suite in SUITES
        if any(row.name in names for row in suite.rows)
        and (APACHE in plan.peers or not suite.needs_apache)
    ]


def _is_quick(plan: Plan) -> bool:
    return plan.rounds < 3


def _shortened(plan: Plan, *arguments: str) -> tuple[str, ...]:
    return arguments if _is_quick(plan) else ()


def _told(module: str, plan: Plan, *arguments: str) -> Any:
    """What a program prints as JSON. Raise LoadFailed."""
    command = [sys.executable, "-m", module, "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadFailed(f"{' '.join(command[1:])} failed:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)
