"""`pocketmq group`: list, show, create, change and delete consumer groups."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import group_argument
from pocketmq.cli.connecting import ask, asking, confirm, report, watching, yes_option
from pocketmq.cli.exits import NotThere
from pocketmq.cli.tables import Cell, Coloured, moment, print_fields, print_json, print_table

if TYPE_CHECKING:
    from pocketmq.admin import Admin, GroupSummary, Member, QueueProgress
    from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup


@click.group(
    cls=Noun,
    places={
        "list": (__name__, "list_groups"),
        "show": (__name__, "show"),
        "create": ("pocketmq.cli.group_changes", "create"),
        "update": ("pocketmq.cli.group_changes", "update"),
        "forbid": ("pocketmq.cli.group_changes", "forbid"),
        "allow": ("pocketmq.cli.group_changes", "allow"),
        "delete": (__name__, "delete"),
    },
)
def group() -> None:
    """List, show, create, change and delete consumer groups."""


@group.command(
    "list",
    examples=[
        ("pocketmq group list", "How many members each group has, and how far it is behind."),
        ("pocketmq group list --watch 5", "The same, every five seconds."),
    ],
)
@click.option("--behind", is_flag=True, help="Only groups that have something to consume.")
@watching
def list_groups(behind: bool, nameserver: str | None, as_json: bool) -> None:
    """List the groups of a cluster with their members and their lag."""

    async def look(admin: Admin) -> list[GroupSummary]:
        return [one for one in await admin.groups.summaries() if one.lag or not behind]

    report(nameserver, look, _print_summaries, as_json=as_json)


def _print_summaries(groups: list[GroupSummary]) -> None:
    rows = [(one.name, one.members, lag_cell(one.lag, one.members)) for one in groups]
    print_table(("GROUP", "MEMBERS", "LAG"), rows)


def lag_cell(lag: int, members: int) -> Cell:
    """A lag: red where nobody works on it."""
    if not lag:
        return lag
    return Coloured(lag, "yellow" if members else "red")


@dataclass(frozen=True, slots=True)
class _Shown:
    group: str
    members: list[Member]
    queues: list[QueueProgress]
    setup: SubscriptionGroup | None


@group.command(
    examples=[
        ("pocketmq group show billing", "Who is in it, and how far it is in each queue."),
        ("pocketmq group show billing --watch 1", "See it catch up."),
    ],
)
@group_argument("name")
@watching
def show(name: str, nameserver: str | None, as_json: bool) -> None:
    """Show who is in a group, how it is set up and how far it is in each queue."""

    async def look(admin: Admin) -> _Shown:
        members, progress, setups = await asyncio.gather(
            admin.groups.members(name), admin.groups.progress(name), admin.groups.setups(name)
        )
        if not (members or progress or setups):
            raise NotThere(f"there is no group {name!r}; `group list` shows those that are")
        return _Shown(name, members, progress, setups[0][1] if setups else None)

    report(nameserver, look, _print_shown, as_json=as_json, to_json=_shown_json)


def _shown_json(shown: _Shown) -> dict[str, Any]:
    return {
        "group": shown.group,
        "members": shown.members,
        "queues": [
            {"topic": q.topic, "broker": q.broker, "queue_id": q.queue_id, "end": q.end,
             "consumed": q.consumed, "consumed_ms": q.consumed_ms, "lag": q.lag}
            for q in shown.queues
        ],
        "setup": shown.setup,
    }  # fmt: skip


def _print_shown(shown: _Shown) -> None:
    members = shown.members
    if shown.setup is not None:
        print_fields(setup_fields(shown.setup))
        terminal.echo()
    if members:
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
    else:
        terminal.echo("No member is connected.")
    terminal.echo()
    print_table(
        ("TOPIC", "BROKER", "QUEUE", "END", "CONSUMED", "LAG", "CONSUMED UP TO"),
        [
            (
                q.topic,
                q.broker,
                q.queue_id,
                q.end,
                q.consumed,
                lag_cell(q.lag, len(members)),
                moment(q.consumed_ms),
            )
            for q in shown.queues
        ],
    )


def setup_fields(setup: SubscriptionGroup) -> list[tuple[str, Cell]]:
    """How a group is set up, in words."""
    attributes = ", ".join(f"{k}={v}" for k, v in sorted(setup.attributes.items()))
    return [
        ("consumes", setup.consume_enable),
        ("in order", setup.consume_message_orderly),
        ("may broadcast", setup.consume_broadcast_enable),
        ("retries", setup.retry_max_times),
        ("retry delays", retry_words(setup.group_retry_policy)),
        ("retry queues", setup.retry_queue_nums),
        *([("attributes", attributes)] if attributes else []),
    ]


def retry_words(policy: Any) -> str:
    """A retry policy in words."""
    from pocketmq.cli.values import duration

    if not isinstance(policy, dict):
        return "by delay level"
    exponential = policy.get("exponentialRetryPolicy")
    if policy.get("type") == "EXPONENTIAL" and isinstance(exponential, dict):
        first, last = exponential.get("initial", 5000), exponential.get("max", 7_200_000)
        return (
            f"from {duration(int(first))} to {duration(int(last))}, "
            f"times {exponential.get('multiplier', 2)} each"
        )
    customized = policy.get("customizedRetryPolicy")
    steps = customized.get("next") if isinstance(customized, dict) else None
    if not steps:
        return "by delay level"
    return ", ".join(duration(int(step)) for step in steps)


@group.command(
    examples=[
        ("pocketmq group delete billing", "Asks first; a group with members stays."),
        ("pocketmq group delete billing --offsets -y", "Its positions too, without being asked."),
    ],
)
@group_argument("name")
@click.option("--offsets", is_flag=True, help="Forget its positions too.")
@yes_option
@asking
def delete(name: str, offsets: bool, yes: bool, nameserver: str | None, as_json: bool) -> None:
    """Delete a group that has no members."""

    async def known(admin: Admin) -> bool:
        return bool(await admin.groups.setups(name) or await admin.groups.progress(name))

    if not ask(nameserver, known):
        raise NotThere(f"there is no group {name!r}; `group list` shows those that are")
    confirm(f"Delete the group {name}?", yes=yes)
    brokers = ask(nameserver, lambda admin: admin.groups.delete(name, offsets_too=offsets))
    if as_json:
        print_json({"group": name, "brokers": brokers})
    else:
        terminal.echo(f"{name} is gone from {', '.join(one.name for one in brokers)}")
