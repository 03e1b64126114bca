"""`pocketmq bench`: how fast a RocketMQ is, ours or Apache's."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.connecting import asking, client_config, name_server_of, run_client
from pocketmq.cli.running import new_event_loop, raise_descriptor_limit
from pocketmq.cli.values import seconds_of
from pocketmq.errors import ConfigError

if TYPE_CHECKING:
    from pocketmq.admin.benchmarks import Plan, Progress, Result

LOADS: Final = ("send", "consume", "end-to-end", "ordered", "transactions")

_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
_ROWS: Final = 14
_BAR_COLUMNS: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_SIZE: Final = re.compile(r"(\d+)\s*(B|KiB|KB|MiB|MB)?", re.IGNORECASE)
_UNITS: Final = {"b": 1, "kib": 1024, "kb": 1000, "mib": 1024 * 1024, "mb": 1_000_000}


@click.command(
    cls=Verb,
    examples=(
        ("pocketmq bench send", "as fast as one producer can, for ten seconds"),
        ("pocketmq bench end-to-end --rate 1000", "how soon messages arrive at a steady rate"),
        ("pocketmq bench send -n apache:9876 --size 100 --clients 4", "the same of Apache's"),
        ("pocketmq bench consume --messages 200000 --json", "figures for a script"),
    ),
)
@click.argument("load", type=click.Choice(LOADS), metavar="LOAD")
@asking
@click.option("--size", default="1KiB", show_default=True, help="Bytes of each body.")
@click.option("--clients", default=1, show_default=True, help="Producers; consumers too.")
@click.option(
    "--in-flight", default=64, show_default=True, help="Sends each producer has under way."
)
@click.option(
    "--rate", default=0.0, show_default=True, help="Messages a second in all; 0 for no limit."
)
@click.option("--duration", default="10s", show_default=True, help="How long to measure.")
@click.option("--warm-up", default="1s", show_default=True, help="How long not to count before.")
@click.option("--messages", default=0, help="End after so many.")
@click.option("--queues", default=8, show_default=True, help="Queues of the topic on each broker.")
@click.option("--topic", metavar="NAME", help="Use this topic, which is there and stays.")
def bench(load: str, nameserver: str | None, as_json: bool, **options: Any) -> None:
    """Measure how fast a cluster is, and how soon.

    LOAD is what to do: `send`; `consume` what was put there before; `end-to-end` from a send to the
    handler of its message; `ordered` the same with ordered messages, and whether they are;
    `transactions` from the half message to the commit.

    A topic of its own is made, and deleted afterwards. With --rate latency counts from when a
    message was due. The SDK makes the load in one process, which says so when it is its own limit.
    """
    from pocketmq.admin.benchmarks import run_benchmark

    plan = _plan(load, options)
    plan.check()
    line = _LiveLine() if sys.stderr.isatty() and not as_json else None
    raise_descriptor_limit()
    try:
        tell = None if line is None else line.tell
        work = run_benchmark(plan, client_config(nameserver), tell)
        result = run_client(work, new_event_loop)
    finally:
        if line is not None:
            line.clear()
    if as_json:
        _print_json(result)
    else:
        show(result, name_server_of(nameserver))


def _plan(load: str, options: dict[str, Any]) -> Plan:
    from pocketmq.admin.benchmarks import Plan

    found: Any = load  # click has seen to it that it is a load
    plan = Plan(
        found,
        seconds=seconds_of(options["duration"], "--duration"),
        messages=options["messages"],
        warm_up_seconds=seconds_of(options["warm_up"], "--warm-up"),
        body_bytes=_bytes_of(options["size"]),
        clients=options["clients"],
        in_flight=options["in_flight"],
        per_second=options["rate"],
        queues=options["queues"],
    )
    if options["topic"]:
        import dataclasses

        plan = dataclasses.replace(plan, topic=options["topic"], keep_topic=True)
    return plan


def _bytes_of(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"--size {text}: say a number of bytes such as 100, 1KiB or 1MiB")
    return int(found[1]) * _UNITS[(found[2] or "B").lower()]


class _LiveLine:
    """One line on a terminal, drawn again and again while the measurement runs."""

    def tell(self, progress: Progress) -> None:
        """Draw it."""
        parts = [f"{progress.seconds:5.1f} s", progress.step]
        if progress.messages:
            parts.append(f"{progress.per_second:,.0f} msg/s")
        if progress.p99_ms:
            parts.append(f"p50 {_ms(progress.p50_ms)}")
            parts.append(f"p99 {_ms(progress.p99_ms)}")
        room = terminal.size()[0] - 1
        sys.stderr.write(f"\r\x1b[K{terminal.cut('  '.join(parts), room)}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave nothing of it behind."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def show(result: Result, name_server: str) -> None:
    """Print what was found, for people."""
    plan, latency = result.plan, result.latency
    rate = f"{plan.per_second:,.0f} msg/s wanted" if plan.per_second else "no rate limit"
    flight = "" if plan.load == "consume" else f", {plan.in_flight} in flight each"
    clients = f"{plan.clients} client{'' if plan.clients == 1 else 's'}"
    head = f"{plan.load} on {name_server}: {plan.body_bytes:,} B, {clients}{flight}"
    terminal.echo(terminal.paint(f"{head}, {rate}", bold=True))
    terminal.echo()
    megabytes = result.bytes_per_second / 1_000_000
    rows = [
        ("messages", f"{result.messages:,} in {result.seconds:.2f} s"),
        ("throughput", f"{result.per_second:,.0f} msg/s, {megabytes:,.1f} MB/s"),
    ]
    if latency.count:
        quantiles = [f"{name} {_ms(latency.quantile_ms(q))}" for name, q in _QUANTILES.items()]
        extremes = f"mean {_ms(latency.mean_ms)}, max {_ms(latency.max_us / 1000)}"
        rows.append(("latency", f"{', '.join(quantiles)}, {extremes}"))
    if plan.load == "ordered":
        rows.append(("out of order", f"{result.out_of_order:,}"))
    rows.append(("generator", f"{result.busy_share:.0%} of a core"))
    for label, text in rows:
        terminal.echo(f"  {label:<12}  {text}")
    _print_histogram(result)
    _print_warnings(result)


def _print_histogram(result: Result) -> None:
    rows = list(result.latency.rows(_ROWS))
    if not rows:
        return
    most = max(count for _, _, count in rows)
    terminal.echo()
    for start, end, count in rows:
        share = 100 * count / result.latency.count
        span = f"{_ms(start):>8} to {_ms(end):>8}"
        terminal.echo(f"  {span}  {_bar(count / most):<{_BAR_COLUMNS}} {share:5.1f} %")


def _print_warnings(result: Result) -> None:
    warnings = [f"{count:,} sends failed: {reason}" for reason, count in result.failures.items()]
    if result.plan.messages and result.messages < result.plan.messages:
        warnings.append(
            f"the time was over before {result.plan.messages:,} messages were through; "
            "give it more with --duration"
        )
    if result.is_own_limit:
        warnings.append(
            f"this process used {result.busy_share:.0%} of a core, and its event loop was up to "
            f"{_ms(result.loop_late_ms)} late: it is the limit here, not the broker; run several "
            "side by side, or look at latency with --rate"
        )
    if warnings:
        terminal.echo()
    for warning in warnings:
        terminal.echo(terminal.paint(f"  {warning}", "yellow"))


def _print_json(result: Result) -> None:
    from pocketmq.cli.tables import print_json

    latency = result.latency
    plan = result.plan
    print_json(
        {
            "load": plan.load,
            "body_bytes": plan.body_bytes,
            "clients": plan.clients,
            "in_flight": plan.in_flight,
            "rate_wanted": plan.per_second,
            "messages": result.messages,
            "seconds": round(result.seconds, 6),
            "messages_per_second": round(result.per_second, 3),
            "bytes_per_second": round(result.bytes_per_second, 3),
            "latency_ms": None
            if not latency.count
            else {
                "min": latency.min_us / 1000,
                "mean": round(latency.mean_ms, 3),
                **{name: latency.quantile_ms(share) for name, share in _QUANTILES.items()},
                "max": latency.max_us / 1000,
            },
            "failures": result.failures,
            "out_of_order": result.out_of_order,
            "generator": {
                "busy_share": round(result.busy_share, 3),
                "loop_late_ms": round(result.loop_late_ms, 3),
                "is_own_limit": result.is_own_limit,
            },
        }
    )


def _bar(share: float) -> str:
    eighths = round(share * _BAR_COLUMNS * 8)
    text = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return text or ("▏" if share > 0 else "")


def _ms(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
