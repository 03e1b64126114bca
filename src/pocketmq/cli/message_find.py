"""`pocketmq message get` and `query`: messages by id, place, key and time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import complete_topic, topic_argument
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.exits import NotThere
from pocketmq.cli.message_text import body_line, body_of, body_page, message_fields, message_json
from pocketmq.cli.progress import Progress
from pocketmq.cli.tables import precise_moment, print_fields, print_json, print_table
from pocketmq.cli.values import moment_ms
from pocketmq.errors import ConfigError

if TYPE_CHECKING:
    from pocketmq.admin import Admin
    from pocketmq.client.messages import ReceivedMessage

PLACE = "BROKER:QUEUE:OFFSET"


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq message get 7F0000010A3B18B4AAC2000000000001", "By the id its producer gave."),
        ("pocketmq message get 7F00…01 --topic orders", "Faster: all topics need not be asked."),
        ("pocketmq message get broker-a:3:4711 --topic orders", "By its place in a queue."),
        ("pocketmq message get 7F00…01 --body > order.bin", "Its body alone, byte for byte."),
    ],
)
@click.argument("message_id", metavar=f"ID|{PLACE}")
@click.option("--topic", metavar="NAME", shell_complete=complete_topic, help="The topic it is in.")
@click.option("--body", "only_body", is_flag=True, help="Print nothing but the body's bytes.")
@asking
def get(
    message_id: str, topic: str | None, only_body: bool, nameserver: str | None, as_json: bool
) -> None:
    """Show a message with everything that is known of it."""
    found = ask(nameserver, lambda admin: found_by_id(admin, message_id, topic))
    if only_body:
        terminal.write_bytes(body_of(found[0]))
        return
    if as_json:
        print_json([message_json(one) for one in found])
        return
    for number, message in enumerate(found):
        if number:
            terminal.echo()
        print_fields(message_fields(message))
        terminal.echo()
        terminal.echo(body_page(message))


async def found_by_id(admin: Admin, message_id: str, topic: str | None) -> list[ReceivedMessage]:
    """The messages of an id or a place. Raise NotThere when there is none."""
    parts = message_id.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        if topic is None:
            raise ConfigError(f"{message_id} is a place in a queue; say of which --topic")
        one = await admin.messages.by_offset(topic, parts[0], int(parts[1]), int(parts[2]))
        found = [] if one is None else [one]
    else:
        found = await admin.messages.by_id(message_id, topic)
    if not found:
        where = f" in {topic}" if topic else ""
        raise NotThere(
            f"there is no message {message_id}{where}; it may have expired, or the id is mistaken "
            "(`message query TOPIC` shows what there is)"
        )
    return found


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq message query orders", "The newest twenty."),
        ("pocketmq message query orders --key 4711", "Those with a key."),
        (
            "pocketmq message query orders --from 1h --until 30m --tag paid",
            "Those stored in half an hour, and tagged so.",
        ),
        (
            "pocketmq message query orders --from first --limit 100000 --json",
            "Everything, as JSON with bodies.",
        ),
        (
            "pocketmq message query orders --sql \"amount > 100 AND region = 'eu'\"",
            "By properties.",
        ),
    ],
)
@topic_argument()
@click.option("--key", metavar="KEY", help="Only those with this key.")
@click.option("--from", "begin", metavar="TIME", help="Only those stored since; first: all.")
@click.option("--until", "end", metavar="TIME", help="Only those stored before.")
@click.option("--tag", metavar="TAGS", help="Only those with this tag, or one of 'a || b'.")
@click.option("--sql", metavar="EXPRESSION", help="Only those whose properties satisfy it.")
@click.option(
    "--limit", metavar="COUNT", type=click.IntRange(min=1), default=20, show_default=True,
    help="At most so many.",
)  # fmt: skip
@asking
def query(
    topic: str,
    key: str | None,
    begin: str | None,
    end: str | None,
    tag: str | None,
    sql: str | None,
    limit: int,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Find messages of a topic by key, time, tag or properties, oldest first.

    Without a time these are the newest ones.
    """
    expression = expression_of(tag, sql)
    if key is not None and expression != "*":
        raise ConfigError("--key finds messages by their keys alone; leave --tag and --sql out")
    begin_ms = None if begin is None else 0 if begin == "first" else moment_ms(begin, "--from")
    end_ms = None if end is None else moment_ms(end, "--until")

    async def look(admin: Admin) -> list[ReceivedMessage]:
        messages = admin.messages
        if key is not None:
            from pocketmq.admin.messages import FOREVER_MS

            return await messages.by_key(
                topic, key, begin_ms=begin_ms or 0, end_ms=end_ms or FOREVER_MS, limit=limit
            )
        if begin_ms is None:
            return await messages.latest(topic, limit, before_ms=end_ms, expression=expression)
        return await _first(messages.by_time(topic, begin_ms, end_ms, expression=expression), limit)

    found = ask(nameserver, look)
    if as_json:
        print_json([message_json(one) for one in found])
    elif found:
        _print_found(found)
    if not found:
        raise NotThere(f"{topic} has no such messages; `topic show {topic}` says what it holds")


def expression_of(tag: str | None, sql: str | None) -> str:
    """What to filter by. Raise ConfigError when both are given."""
    if tag is not None and sql is not None:
        raise ConfigError("--tag and --sql are two ways to filter; give one of them")
    if sql is not None:
        from pocketmq.client.subscriptions import Sql

        return Sql(sql)
    return tag or "*"


async def _first(
    messages: AsyncGenerator[ReceivedMessage, None], limit: int
) -> list[ReceivedMessage]:
    found: list[ReceivedMessage] = []
    with Progress("reading") as progress:
        async with aclosing(messages):
            async for message in messages:
                found.append(message)
                progress.update(len(found))
                if len(found) == limit:
                    break
    return found


def _print_found(found: list[ReceivedMessage]) -> None:
    print_table(
        ("STORED", "MESSAGE", "QUEUE", "OFFSET", "TAG", "KEYS", "BODY"),
        [
            (
                precise_moment(one.store_timestamp_ms),
                one.message_id,
                f"{one.broker_name}:{one.queue_id}",
                one.queue_offset,
                one.tag,
                " ".join(one.keys),
                body_line(one),
            )
            for one in found
        ],
    )
