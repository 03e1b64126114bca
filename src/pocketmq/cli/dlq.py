"""`pocketmq dlq`: what groups have given up on, seen and given back."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import complete_dead_group, complete_topic
from pocketmq.cli.connecting import ask, asking, confirm, report, watching, yes_option
from pocketmq.cli.exits import NotThere
from pocketmq.cli.message_text import body_line, message_json
from pocketmq.cli.progress import Progress
from pocketmq.cli.tables import Coloured, moment, print_json, print_table
from pocketmq.cli.values import moment_ms
from pocketmq.errors import NoRoute
from pocketmq.message.topics import dead_letter_topic

if TYPE_CHECKING:
    from pocketmq.admin import Admin, DeadLetter, DeadLetterQueue, Redriven

_GROUP = click.argument("group", shell_complete=complete_dead_group)


@click.group(cls=Noun)
def dlq() -> None:
    """See dead letters, the messages that groups have given up on, and give them back."""


@dlq.command(
    "list",
    examples=[
        ("pocketmq dlq list", "Which groups have any, and how many were not given back."),
        ("pocketmq dlq list --watch 10", "Watch them grow."),
    ],
)
@watching
def list_dead(nameserver: str | None, as_json: bool) -> None:
    """List the groups that have dead letters."""

    def show(queues: list[DeadLetterQueue]) -> None:
        if not queues:
            terminal.echo("No group has dead letters.")
            return
        print_table(
            ("GROUP", "DEAD LETTERS", "WAITING", "NEWEST"),
            [
                (
                    one.group,
                    one.messages,
                    Coloured(one.waiting, "red") if one.waiting else one.waiting,
                    moment(one.newest_ms),
                )
                for one in queues
            ],
        )

    report(nameserver, lambda admin: admin.dead_letters.queues(), show, as_json=as_json)


@dlq.command(
    examples=[
        ("pocketmq dlq show billing", "The oldest twenty that were not given back."),
        ("pocketmq dlq show billing --all --limit 1000 --json", "More, with bodies, for scripts."),
    ],
)
@_GROUP
@click.option("--all", "everything", is_flag=True, help="Those given back, too.")
@click.option("--from", "begin", metavar="TIME", help="Only those given up on since.")
@click.option(
    "--limit", metavar="COUNT", type=click.IntRange(min=1), default=20, show_default=True,
    help="At most so many.",
)  # fmt: skip
@asking
def show(
    group: str,
    everything: bool,
    begin: str | None,
    limit: int,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Show a group's dead letters, oldest first."""
    begin_ms = 0 if begin is None else moment_ms(begin, "--from")

    async def look(admin: Admin) -> list[DeadLetter]:
        found: list[DeadLetter] = []
        letters = admin.dead_letters.messages(group, begin_ms=begin_ms, everything=everything)
        async with aclosing(letters):
            async for letter in letters:
                found.append(letter)
                if len(found) == limit:
                    break
        return found

    letters = ask(nameserver, _or_none(look, group))
    if as_json:
        print_json([_letter_json(one) for one in letters])
        return
    if not letters:
        terminal.echo(f"{group} has no dead letters" + ("." if everything else " that wait."))
        return
    print_table(
        ("MESSAGE", "TOPIC", "GIVEN UP AT", "TRIES", "TAG", "KEYS", "BODY"),
        [
            (
                one.message_id,
                one.origin_topic,
                moment(one.message.store_timestamp_ms),
                one.message.reconsume_times,
                one.message.tag,
                " ".join(one.message.keys),
                body_line(one.message),
            )
            for one in letters
        ],
    )


def _letter_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "origin_topic": letter.origin_topic,
        "given_back": letter.given_back,
        "message": message_json(letter.message),
    }


def _or_none(question: Any, group: str) -> Any:
    """The same question; a group that never had dead letters is said in plain words."""

    async def ask_it(admin: Admin) -> Any:
        try:
            return await question(admin)
        except NoRoute as error:
            if error.topic != dead_letter_topic(group):
                raise
            raise NotThere(
                f"group {group!r} has never had dead letters; `dlq list` shows those that have"
            ) from None

    return ask_it


@dlq.command(
    examples=[
        ("pocketmq dlq redrive billing", "All that wait, to the group alone. Asks first."),
        ("pocketmq dlq redrive billing --to topic", "To their topics, for all groups."),
        ("pocketmq dlq redrive billing --to inspection --id 7F00…01 -y", "One, to a topic."),
        ("pocketmq dlq redrive billing --dry-run", "Only count them."),
    ],
)
@_GROUP
@click.option(
    "--to",
    default="group",
    show_default=True,
    metavar="group|topic|NAME",
    shell_complete=complete_topic,
    help="To the group alone, to the topics they came from, or to one topic.",
)
@click.option(
    "--id", "ids", multiple=True, metavar="ID", help="Only this message; can be given again."
)
@click.option("--from", "begin", metavar="TIME", help="Only those given up on since.")
@click.option("--until", "end", metavar="TIME", help="Only those given up on before.")
@click.option("--all", "everything", is_flag=True, help="Those given back before, too.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@yes_option
@asking
def redrive(
    group: str,
    to: str,
    ids: tuple[str, ...],
    begin: str | None,
    end: str | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Give a group its dead letters back.

    Those given back stay in the dead letter topic until they expire, but are not given back a
    second time unless --all or --id says so.
    """
    begin_ms = 0 if begin is None else moment_ms(begin, "--from")
    end_ms = None if end is None else moment_ms(end, "--until")
    if not dry_run and not yes:
        queue = ask(nameserver, _or_none(lambda admin: admin.dead_letters.queue(group), group))
        count = len(ids) or (queue.messages if everything else queue.waiting)
        where = {"group": f"to {group} alone", "topic": "to their topics"}.get(to, f"to {to}")
        upto = "up to " if begin or end else ""
        confirm(f"Give {upto}{count} dead letters of {group} back, {where}?", yes=False)

    with Progress("looking at" if dry_run else "giving back") as progress:
        result: Redriven = ask(
            nameserver,
            _or_none(
                lambda admin: admin.dead_letters.redrive(
                    group,
                    to=to,
                    ids=ids,
                    begin_ms=begin_ms,
                    end_ms=end_ms,
                    everything=everything,
                    dry_run=dry_run,
                    on_progress=progress.update,
                ),
                group,
            ),
        )
    if as_json:
        print_json({"group": group, "dry_run": dry_run, "result": result})
    elif not result.given_back:
        terminal.echo(f"{group} has no such dead letters.")
    else:
        verb = "would go" if dry_run else "went"
        for topic, count in sorted(result.targets.items()):
            terminal.echo(f"{count} {verb} to {terminal.visible(topic)}")
    if ids and not result.given_back:
        raise NotThere(f"no dead letter of {group} has this id; `dlq show {group} --all` lists ids")
