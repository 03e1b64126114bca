"""`pocketmq message explain`: the life of a message in sentences."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import complete_group, complete_topic
from pocketmq.cli.connecting import asking, report
from pocketmq.cli.exits import NOT_THERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketmq.admin import Admin
    from pocketmq.admin.explain import Explanation, Finding, GroupFate, MessageLife

_COLUMNS_MAX = 100
_COLOURS = {
    "consumed": "green",
    "dead": "red",
    "forbidden": "red",
    "not subscribed": "red",
    "offline": "yellow",
    "retrying": "yellow",
    "invisible": "yellow",
    "handling": "cyan",
    "behind": "yellow",
}


@click.command(
    cls=Verb,
    examples=(
        ("pocketmq message explain 7F0000010000A9A50000000000000000", "Where it is, who has it."),
        ("pocketmq message explain --key 42 --topic orders", "The messages about order 42."),
        (
            "pocketmq message explain 7F0000010000A9A50000000000000000 --group billing",
            "Why this group has not got it, whether it subscribes to the topic or not.",
        ),
    ),
)
@click.argument("message_id", metavar="[ID]", required=False, default="")
@click.option("--key", default="", metavar="KEY", help="A key instead of an id; needs --topic.")
@click.option(
    "--topic",
    metavar="NAME",
    shell_complete=complete_topic,
    help="The topic it was sent to; without, all are searched.",
)
@click.option(
    "--group",
    default="",
    metavar="NAME",
    shell_complete=complete_group,
    help="Only how this group stands to it.",
)
@click.option("--evidence", is_flag=True, help="Show the figures that each sentence rests on.")
@asking
def explain(
    message_id: str,
    key: str,
    topic: str | None,
    group: str,
    evidence: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Tell the life of a message: where it is, who has consumed it, who has not, and why.

    Exit code 1 means that there is no such message.
    """
    from pocketmq.admin.explain import explain as ask_about

    answers: list[Explanation] = []

    async def look(admin: Admin) -> Explanation:
        told = await ask_about(admin, message_id=message_id, key=key, topic=topic, group=group)
        answers.append(told)
        return told

    report(nameserver, look, lambda told: _show(told, evidence), as_json=as_json)
    if not answers[-1].messages:
        sys.exit(NOT_THERE)


def _show(told: Explanation, evidence: bool) -> None:
    for number, life in enumerate(told.messages):
        if number:
            terminal.echo()
        _show_life(life, evidence)
    if told.messages and told.findings:
        terminal.echo()
    _show_findings(told.findings, "", evidence)


def _show_life(life: MessageLife, evidence: bool) -> None:
    topic = terminal.visible(life.topic)
    head = f"Message {terminal.visible(life.message_id)} of topic {topic}"
    terminal.echo(terminal.paint(head, bold=True))
    _show_findings(life.findings, "  ", evidence)
    for fate in life.groups:
        terminal.echo()
        _show_fate(fate, evidence)


def _show_fate(fate: GroupFate, evidence: bool) -> None:
    word = terminal.paint(fate.status.value, _COLOURS.get(fate.status.value, ""), bold=True)
    terminal.echo(f"  {terminal.paint(terminal.visible(fate.group), bold=True)}: {word}")
    _show_findings(fate.findings, "    ", evidence)


def _show_findings(findings: Sequence[Finding], indent: str, evidence: bool) -> None:
    shown: set[str] = set()
    for finding in findings:
        show_wrapped(finding.text, indent)
        if evidence:
            for name, value in finding.evidence.items():
                show_wrapped(f"{name}: {'' if value is None else value}", f"{indent}    ")
        if finding.command and finding.command not in shown:
            shown.add(finding.command)
            terminal.echo(f"{indent}  {terminal.paint('$ ' + finding.command, 'cyan')}")


def show_wrapped(text: str, indent: str) -> None:
    """Print a paragraph, folded to the terminal; control characters are shown as text."""
    columns = min(terminal.size()[0], _COLUMNS_MAX) if terminal.is_terminal() else _COLUMNS_MAX
    lines = textwrap.wrap(
        terminal.visible(text),
        columns,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        terminal.echo(line)
