"""`pocketmq topic`: list, show, create and delete topics."""

from __future__ import annotations

import asyncio

import click

from pocketmq.admin import Admin, Broker, QueueExtent, TopicPart
from pocketmq.cli.connecting import ask, asking, confirm, yes_option
from pocketmq.cli.tables import moment, print_json, print_table
from pocketmq.errors import ConfigError


@click.group()
def topic() -> None:
    """List, show, create and delete topics."""


@topic.command("list")
@click.option("--all", "everything", is_flag=True, help="Retry, dead letter and system topics too.")
@asking
def list_topics(everything: bool, nameserver: str | None, as_json: bool) -> None:
    """List the topics of a cluster."""
    names = ask(nameserver, lambda admin: admin.topics.names(everything=everything))
    if as_json:
        print_json(names)
    else:
        for name in names:
            click.echo(name)


@topic.command()
@click.argument("name")
@asking
def show(name: str, nameserver: str | None, as_json: bool) -> None:
    """Show where a topic lies and what its queues hold."""

    async def look(admin: Admin) -> tuple[list[TopicPart], list[QueueExtent]]:
        return await asyncio.gather(admin.topics.parts(name), admin.topics.extents(name))

    parts, extents = ask(nameserver, look)
    if as_json:
        print_json({"topic": name, "parts": parts, "queues": extents})
        return
    print_table(
        ("BROKER", "ADDRESS", "READ QUEUES", "WRITE QUEUES", "PERMISSION"),
        [
            (part.broker, part.address, part.read_queues, part.write_queues, part.permission)
            for part in parts
        ],
    )
    click.echo()
    print_table(
        ("BROKER", "QUEUE", "FIRST", "END", "MESSAGES", "LAST MESSAGE"),
        [
            (one.broker, one.queue_id, one.first, one.end, one.messages, moment(one.updated_ms))
            for one in extents
        ],
    )


@topic.command()
@click.argument("name")
@click.option(
    "--queues", metavar="COUNT", default=8, show_default=True, help="Queues on each broker."
)
@click.option(
    "--permission",
    type=click.Choice(["read", "write", "both"]),
    default="both",
    show_default=True,
    help="What clients may do.",
)
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=VALUE",
    help="An attribute, such as message.type=FIFO.",
)
@click.option("--cluster", metavar="NAME", help="Only on the brokers of this cluster.")
@asking
def create(
    name: str,
    queues: int,
    permission: str,
    attributes: tuple[str, ...],
    cluster: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Create a topic, or change the one there is."""
    brokers = ask(
        nameserver,
        lambda admin: admin.topics.create(
            name,
            queues=queues,
            permission={"read": 4, "write": 2, "both": 6}[permission],
            attributes=_pairs(attributes),
            cluster=cluster,
        ),
    )
    if as_json:
        print_json({"topic": name, "brokers": brokers})
    else:
        click.echo(f"{name} has {queues} queues on {', '.join(one.name for one in brokers)}")


@topic.command()
@click.argument("name")
@click.option("--cluster", metavar="NAME", help="Only on the brokers of this cluster.")
@yes_option
@asking
def delete(
    name: str, cluster: str | None, yes: bool, nameserver: str | None, as_json: bool
) -> None:
    """Delete a topic with all its messages."""
    confirm(f"Delete {name} with all its messages?", yes=yes)

    async def go(admin: Admin) -> list[Broker]:
        await admin.topics.parts(name)  # a name that is mistaken is an error
        return await admin.topics.delete(name, cluster=cluster)

    brokers = ask(nameserver, go)
    if as_json:
        print_json({"topic": name, "brokers": brokers})
    else:
        click.echo(f"{name} is gone from {', '.join(one.name for one in brokers)}")


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"--attribute {text}: write it as NAME=VALUE")
        pairs[name] = value
    return pairs
