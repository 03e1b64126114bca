"""`pocketmq message tail`: messages as they come."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import topic_argument
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.message_find import expression_of
from pocketmq.cli.message_text import body_line, body_page, message_json
from pocketmq.cli.tables import precise_moment, print_json
from pocketmq.cli.values import moment_ms

if TYPE_CHECKING:
    from pocketmq.admin import Admin
    from pocketmq.client.messages import ReceivedMessage


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq message tail orders", "What comes from now on, until Ctrl-C."),
        ("pocketmq message tail orders --from 10m --tag 'paid || shipped'", "And before."),
        ("pocketmq message tail orders --json | jq .body", "An object a line, for scripts."),
        ("pocketmq message tail orders --count 1", "Wait for one message."),
    ],
)
@topic_argument()
@click.option("--from", "begin", metavar="TIME", help="Begin with those stored since; first: all.")
@click.option("--tag", metavar="TAGS", help="Only those with this tag, or one of 'a || b'.")
@click.option("--sql", metavar="EXPRESSION", help="Only those whose properties satisfy it.")
@click.option("--count", metavar="COUNT", type=click.IntRange(min=1), help="End after so many.")
@click.option("--whole", is_flag=True, help="Whole bodies, JSON indented, not one line each.")
@asking
def tail(
    topic: str,
    begin: str | None,
    tag: str | None,
    sql: str | None,
    count: int | None,
    whole: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Follow a topic. No group is moved, and no consumer misses anything."""
    expression = expression_of(tag, sql)
    begin_ms = None if begin is None else 0 if begin == "first" else moment_ms(begin, "--from")

    def show(message: ReceivedMessage) -> None:
        if as_json:
            print_json(message_json(message), one_line=True)
        else:
            _print(message, whole=whole)

    async def follow(admin: Admin) -> None:
        seen = 0
        messages = admin.messages.tail(
            topic,
            begin_ms=begin_ms,
            expression=expression,
            on_problem=lambda problem: click.echo(f"pocketmq: {problem}", err=True),
        )
        async with aclosing(messages):
            async for message in messages:
                show(message)
                seen += 1
                if seen == count:
                    return

    ask(nameserver, follow)


def _print(message: ReceivedMessage, *, whole: bool) -> None:
    paint = terminal.paint
    head = [
        paint(precise_moment(message.store_timestamp_ms), dim=True),
        f"{terminal.visible(message.broker_name)}:{message.queue_id}@{message.queue_offset}",
    ]
    if message.tag:
        head.append(paint(terminal.visible(message.tag), "green"))
    if message.keys:
        head.append(paint(terminal.visible(" ".join(message.keys)), "cyan"))
    if whole:
        terminal.echo("  ".join([*head, message.message_id]))
        terminal.echo(body_page(message))
        terminal.echo()
    else:
        terminal.echo("  ".join([*head, body_line(message)]))
