"""`pocketmq group`: list, show, create and delete consumer groups."""

from __future__ import annotations

import asyncio

import click

from pocketmq.admin import Admin, Member, QueueProgress
from pocketmq.cli.connecting import ask, asking, confirm, yes_option
from pocketmq.cli.tables import moment, print_json, print_table


@click.group()
def group() -> None:
    """List, show, create and delete consumer groups."""


@group.command("list")
@asking
def list_groups(nameserver: str | None, as_json: bool) -> None:
    """List the groups of a cluster with their members and their lag."""
    groups = ask(nameserver, lambda admin: admin.groups.summaries())
    if as_json:
        print_json(groups)
    else:
        rows = [(one.name, one.members, one.lag) for one in groups]
        print_table(("GROUP", "MEMBERS", "LAG"), rows)


@group.command()
@click.argument("name")
@asking
def show(name: str, nameserver: str | None, as_json: bool) -> None:
    """Show who is in a group and how far it is in each queue."""

    async def look(admin: Admin) -> tuple[list[Member], list[QueueProgress]]:
        return await asyncio.gather(admin.groups.members(name), admin.groups.progress(name))

    members, progress = ask(nameserver, look)
    if as_json:
        print_json({"group": name, "members": members, "queues": progress})
        return
    print_table(
        ("MEMBER", "ADDRESS", "LANGUAGE", "SUBSCRIPTIONS"),
        [
            (
                one.client_id,
                one.address,
                one.language,
                ", ".join(f"{topic}: {tags}" for topic, tags in one.subscriptions.items()),
            )
            for one in members
        ],
    )
    click.echo()
    print_table(
        ("TOPIC", "BROKER", "QUEUE", "END", "CONSUMED", "LAG", "CONSUMED UP TO"),
        [
            (q.topic, q.broker, q.queue_id, q.end, q.consumed, q.lag, moment(q.consumed_ms))
            for q in progress
        ],
    )


@group.command()
@click.argument("name")
@click.option(
    "--retries", metavar="COUNT", default=16, show_default=True, help="Tries before a dead letter."
)
@asking
def create(name: str, retries: int, nameserver: str | None, as_json: bool) -> None:
    """Create a group, or change the one there is."""
    brokers = ask(nameserver, lambda admin: admin.groups.create(name, retries_max=retries))
    if as_json:
        print_json({"group": name, "brokers": brokers})
    else:
        click.echo(f"{name} is known to {', '.join(one.name for one in brokers)}")


@group.command()
@click.argument("name")
@click.option("--offsets", is_flag=True, help="Forget its positions too.")
@yes_option
@asking
def delete(name: str, offsets: bool, yes: bool, nameserver: str | None, as_json: bool) -> None:
    """Delete a group that has no members."""
    confirm(f"Delete the group {name}?", yes=yes)
    brokers = ask(nameserver, lambda admin: admin.groups.delete(name, offsets_too=offsets))
    if as_json:
        print_json({"group": name, "brokers": brokers})
    else:
        click.echo(f"{name} is gone from {', '.join(one.name for one in brokers)}")
