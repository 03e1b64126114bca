"""Shows the results on a terminal and keeps them as JSON and SVG in `bench/results/`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.apache import APACHE_VERSION, java_version
from bench.generator import DISTURBED, SATURATED
from bench.plot import LABELS, draw, number
from bench.rows import APACHE, ECHO, POCKETMQ, Result, SoloResult

RESULTS = Path(__file__).resolve().parent / "results"


def machine(peers: frozenset[str]) -> dict[str, Any]:
    """Where and with what the figures were measured."""
    facts: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "commit": _commit(),
    }
    if APACHE in peers:
        facts |= {"apache": APACHE_VERSION, "java": java_version()}
    return facts


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def show(console: Console, results: Sequence[Result], solo: Sequence[SoloResult]) -> bool:
    """Print the figures and the bars; false when a bar is missed."""
    if results:
        console.print(_figures_table(results))
    bars, met = _bars_table(results, solo)
    if bars.row_count:
        console.print(bars)
    worst = max((f.others_cpu_share for r in results for f in r.figures.values()), default=0.0)
    if worst > DISTURBED:
        console.print(
            f"[yellow]Other programs, or the kernel's writing, took up to {worst:.0%} of a core "
            "while something was measured. Rates and latencies are worth little; CPU figures some."
        )
    for result in results:
        for name, figures in result.figures.items():
            if figures.refusals:
                console.print(
                    f"[yellow]{result.row.title}: {LABELS[name]} refused {figures.refusals} times"
                )
            if name == POCKETMQ and figures.client_cpu_share > SATURATED:
                console.print(
                    f"[yellow]{result.row.title}: the generator used its whole core "
                    f"({figures.client_cpu_us:.2f} µs a request), so the rate may be its own limit"
                )
    return met


def _figures_table(results: Sequence[Result]) -> Table:
    table = Table(
        title="Medians; CPU is the server's, µs per request; latency in ms", title_justify="left"
    )
    table.add_column("work")
    table.add_column("peer")
    for column in ("requests/s", "±", "CPU", "x echo", "own CPU", "p50", "p99", "p99.9"):
        table.add_column(column, justify="right")
    for result in results:
        floor = result.figures.get(ECHO)
        for index, name in enumerate(n for n in LABELS if n in result.figures):
            f = result.figures[name]
            table.add_row(
                result.row.title if index == 0 else "",
                LABELS[name],
                number(f.requests_per_second),
                f"{f.spread:.0%}",
                number(f.server_cpu_us),
                f"{f.server_cpu_us / floor.server_cpu_us:.1f}" if floor else "",
                number(f.client_cpu_us),
                *(number(v) for v in (f.p50_ms, f.p99_ms, f.p999_ms)),
                style="bold" if name == POCKETMQ else None,
                end_section=index == len(result.figures) - 1,
            )
    return table


def _bars_table(results: Sequence[Result], solo: Sequence[SoloResult]) -> tuple[Table, bool]:
    table = Table(title="Bars", title_justify="left")
    for column in ("work", "bar", "measured", "verdict"):
        table.add_column(column)
    all_met = True
    for result in results if any(POCKETMQ in r.figures for r in results) else ():
        for index, bar in enumerate(result.row.bars):
            ratio = bar.ratio(result.figures)
            met = ratio is None or bar.is_met(ratio)
            all_met &= met
            measured = "not measured" if ratio is None else _ratio(ratio)
            verdict = "" if ratio is None else _verdict(met)
            table.add_row(result.row.title if index == 0 else "", bar.text, measured, verdict)
    for alone in solo:
        met = alone.row.is_met(alone.value)
        all_met &= met
        value = f"{alone.value:.3g} {alone.row.unit} ({alone.note})"
        table.add_row(alone.row.title, alone.row.bar, value, _verdict(met))
    return table, all_met


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio >= 1 else f"{ratio:.2f}x (1/{1 / ratio:.1f})"


def _verdict(met: bool) -> str:
    return "[green]met" if met else "[red]missed"


def save(
    results: Sequence[Result],
    solo: Sequence[SoloResult],
    about: dict[str, Any],
    details: dict[str, Any],
) -> list[Path]:
    """Write the JSON document and the drawing; returns their paths."""
    RESULTS.mkdir(exist_ok=True)
    stamp = about["time"].replace(":", "").replace("-", "")
    document = {
        "machine": about,
        "rows": [_row_document(r) for r in results],
        "solo": [{**asdict(s.row), "value": s.value, "note": s.note} for s in solo],
        **details,
    }
    written = [RESULTS / f"{stamp}.json"]
    written[0].write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if results:
        subtitle = (
            f"{about['cpu']}, {about['cores']} cores, Python {about['python']}, {about['commit']}"
        )
        written.append(RESULTS / f"{stamp}.svg")
        written[1].write_text(draw(results, f"{subtitle}, {about['time']}; logarithmic axes"))
    return written


def _row_document(result: Result) -> dict[str, Any]:
    bars = []
    for bar in result.row.bars:
        ratio = bar.ratio(result.figures)
        bars.append(
            {"bar": bar.text, "ratio": ratio, "met": None if ratio is None else bar.is_met(ratio)}
        )
    return {
        "name": result.row.name,
        "title": result.row.title,
        "figures": {name: asdict(figures) for name, figures in result.figures.items()},
        "bars": bars,
    }
