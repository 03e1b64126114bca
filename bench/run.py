"""`make bench`: PocketMQ, the C echo floor and Apache RocketMQ in one run, held against the bars.

The whole run takes about an hour, a third of it for Apache's warm-up. `--quick` takes a few
minutes and is good for finding out what a change did; its ratios are not to be quoted.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.apache import ApacheUnavailable, cache_directory, fetch_libraries
from bench.generator import LoadFailed, build
from bench.measure import Measuring, Plan, free_directory
from bench.processes import ServerFailed
from bench.remoting import Refusal
from bench.report import machine, save, show
from bench.reserve import ReserveFailed
from bench.rows import APACHE, ECHO, POCKETMQ, POP, ROWS, SOLO_ROWS, Result, Row, SoloResult
from bench.selftest import check_generator
from bench.suites import chosen_suites


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 when all was measured, 1 when something could not be, 2 for a bad command line."""
    # Ended by a signal of any kind, the run still ends the servers and deletes their data. A shell
    # starts background jobs with SIGINT ignored, so that one is set as well.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    rows, solo_names = _chosen(options.only)
    if not rows and not solo_names:
        names = ", ".join(row.name for row in (*ROWS, *SOLO_ROWS))
        console.print(
            f"No row starts with {' or '.join(options.only)}. The rows are: {names}", markup=False
        )
        return 2
    plan = _plan(options)
    if POCKETMQ not in plan.peers:
        rows = [row for row in rows if not row.pure]
    try:
        build()
        if options.self_test:
            console.print(f"The generator passes {check_generator(plan.directory)} kinds of load.")
            return 0
        if APACHE in plan.peers and (rows or POP.name in solo_names):
            console.print("Apache RocketMQ comes from Maven; the first time takes half a minute.")
            fetch_libraries()
        free_directory(plan.directory)
        _measure(console, plan, rows, solo_names)
    except KeyboardInterrupt:
        console.print("Stopped; nothing was kept.")
        return 1
    except (
        LoadFailed,
        ReserveFailed,
        ServerFailed,
        ApacheUnavailable,
        Refusal,
        OSError,
    ) as problem:
        console.print(f"The benchmark stopped: {problem}", markup=False)
        return 1
    finally:
        shutil.rmtree(plan.directory, ignore_errors=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ROW",
        help="rows whose name starts so; repeatable",
    )
    parser.add_argument(
        "--quick", action="store_true", help="short windows, two rounds, a short warm-up"
    )
    parser.add_argument(
        "--skip-apache", action="store_true", help="compare with the echo floor only"
    )
    parser.add_argument("--skip-pocketmq", action="store_true", help="measure the peers only")
    parser.add_argument(
        "--self-test", action="store_true", help="only check the generator against the echo server"
    )
    parser.add_argument(
        "--cold-memory",
        action="store_true",
        help="let peers pay what the machine's host takes for fresh memory",
    )
    parser.add_argument("--rounds", type=int, help="windows of each peer in each row (5, quick: 2)")
    parser.add_argument(
        "--work-dir",
        type=Path,
        help="where the servers keep their data (a real disk, not a RAM disk)",
    )
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    peers = {ECHO, POCKETMQ, APACHE}
    peers -= {APACHE} if options.skip_apache else set()
    peers -= {POCKETMQ} if options.skip_pocketmq else set()
    directory = (options.work_dir or cache_directory()) / "bench-data"
    plan = Plan(frozenset(peers), directory)
    if options.quick:
        plan = replace(
            plan,
            rounds=2,
            warmup_s=0.5,
            window_s=2.0,
            sends_max=300_000,
            warm_min_s=15.0,
            warm_max_s=30.0,
            warm_window_s=2.5,
            startups=3,
        )
    if options.cold_memory:
        plan = replace(plan, reserve_mb=0)
    return replace(plan, rounds=options.rounds) if options.rounds else plan


def _chosen(prefixes: Sequence[str]) -> tuple[list[Row], list[str]]:
    def wanted(name: str) -> bool:
        return not prefixes or any(name.startswith(prefix) for prefix in prefixes)

    return [row for row in ROWS if wanted(row.name)], [
        row.name for row in SOLO_ROWS if wanted(row.name)
    ]


def _measure(console: Console, plan: Plan, rows: list[Row], solo_names: list[str]) -> None:
    has_pocketmq = POCKETMQ in plan.peers
    suites = chosen_suites(solo_names, plan) if has_pocketmq else []
    scenes = len({row.scene for row in rows}) if APACHE in plan.peers else 0
    steps = len(rows) * len(plan.peers) * plan.rounds + scenes + len(suites)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=steps)
        measuring = Measuring(
            plan,
            tell=lambda text: progress.update(task, description=text),
            advance=lambda: progress.advance(task),
        )
        solo: list[SoloResult] = []
        for suite in suites:
            measuring.tell(suite.title)
            solo += [result for result in suite.measure(plan) if result.row.name in solo_names]
            measuring.advance()
        results = measuring.run(rows, lambda result: progress.console.print(_line(result)))
    about = machine(plan.peers)
    met = show(console, results, solo)
    details = {"facts": measuring.facts, "windows": measuring.windows}
    for path in save(results, solo, about, details):
        console.print(f"wrote {path}")
    if not met:
        console.print("Some bars are missed.")


def _line(result: Result) -> str:
    figures = (
        f"{name} {f.requests_per_second:,.0f}/s {f.server_cpu_us:.2f} µs"
        for name, f in result.figures.items()
    )
    return f"{result.row.title}: " + "; ".join(figures)
