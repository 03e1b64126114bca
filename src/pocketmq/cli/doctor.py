"""`pocketmq doctor`: what is wrong with a cluster, why it matters, and what mends it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.exits import UNREACHABLE
from pocketmq.cli.explaining import show_wrapped
from pocketmq.cli.progress import Progress
from pocketmq.cli.tables import print_json

if TYPE_CHECKING:
    from pocketmq.admin import Admin
    from pocketmq.admin.doctor import Diagnosis, Finding

WARNINGS = 1
PROBLEMS = 5
_CODES = {"note": 0, "warning": WARNINGS, "problem": PROBLEMS}
_COLOURS = {"note": "cyan", "warning": "yellow", "problem": "red"}
_INDENT = "         "


@click.command(
    cls=Verb,
    examples=(
        ("pocketmq doctor", "Look at the cluster of the name server on this machine."),
        ("pocketmq doctor -n ns1:9876;ns2:9876", "Compare name servers, and look at all brokers."),
        ("pocketmq doctor --json | jq '.findings[].command'", "For scripts."),
        ("pocketmq doctor --interval 30", "Watch lag and dead letters for half a minute."),
    ),
)
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=3600),
    default=3.0,
    show_default=True,
    help="How long to watch lag and dead letters.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=1, max=36_000),
    default=60.0,
    show_default=True,
    help="How long all may take; what is not done by then is said.",
)
@asking
def doctor(interval: float, timeout: float, nameserver: str | None, as_json: bool) -> None:
    """Examine clusters: what is wrong, why it matters, and the command that mends it.

    It only looks, and changes nothing. It works on Apache's clusters, too.

    \b
    Exit codes:
      0  all is well, or there are only notes
      1  there are warnings
      3  no name server answers
      5  there are problems: messages are not sent or consumed, or may be lost
    """
    from pocketmq.admin.doctor import Limits, examine

    limits = Limits(total_seconds=timeout + interval, apart_seconds=interval)

    async def look(admin: Admin) -> Diagnosis:
        with Progress("examining") as progress:
            return await examine(
                admin, limits, lambda stage, done, total: progress.update(done, total)
            )

    found = ask(nameserver, look)
    if as_json:
        print_json(found)
    else:
        _show(found)
    sys.exit(_exit_code(found))


def _exit_code(found: Diagnosis) -> int:
    unreachable = [one for one in found.findings if one.check == "name servers answer"]
    if unreachable and len(unreachable) == found.name_servers:
        return UNREACHABLE
    return 0 if found.worst is None else _CODES[found.worst.value]


def _show(found: Diagnosis) -> None:
    for number, finding in enumerate(found.findings):
        if number:
            terminal.echo()
        _show_finding(finding)
    if found.findings:
        terminal.echo()
    looked = (
        f"Looked at {_many(found.name_servers, 'name server')}, {_many(found.brokers, 'broker')}, "
        f"{_many(found.topics, 'topic')} and {_many(found.groups, 'group')} with "
        f"{len(found.checks)} checks: "
    )
    counts = Counter(finding.severity.value for finding in found.findings)
    told = [
        terminal.paint(_many(counts[word], word), _COLOURS[word], bold=True)
        for word in ("problem", "warning", "note")
        if counts[word]
    ]
    terminal.echo(looked + (", ".join(told) if told else terminal.paint("all is well", "green")))


def _show_finding(finding: Finding) -> None:
    word = finding.severity.value
    label = terminal.paint(terminal.pad(word, len(_INDENT) - 1), _COLOURS[word], bold=True)
    with terminal.captured() as collected:
        show_wrapped(finding.what, _INDENT)
    text = collected.getvalue()
    terminal.echo(f"{label} {text[len(_INDENT) :].rstrip()}")
    show_wrapped(f"Why: {finding.why}", _INDENT)
    show_wrapped(f"Do:  {finding.mend}", _INDENT)
    if finding.command:
        terminal.echo(f"{_INDENT}{terminal.paint('$ ' + finding.command, 'cyan')}")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
