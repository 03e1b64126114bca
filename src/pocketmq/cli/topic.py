"""`pocketmq topic`: list, show, create, change and delete topics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import cluster_option, topic_argument
from pocketmq.cli.connecting import ask, asking, confirm, report, watching, yes_option
from pocketmq.cli.tables import moment, print_json, print_table
from pocketmq.errors import BrokerRefused

if TYPE_CHECKING:
    from pocketmq.admin import Admin, Broker, QueueExtent, TopicPart
    from pocketmq.protocol.bodies.topic_config import TopicConfig

PERMISSIONS = {6: "both", 4: "read", 2: "write"}


@click.group(
    cls=Noun,
    places={
        "list": (__name__, "list_topics"),
        "show": (__name__, "show"),
        "create": ("pocketmq.cli.topic_changes", "create"),
        "update": ("pocketmq.cli.topic_changes", "update"),
        "delete": (__name__, "delete"),
    },
)
def topic() -> None:
    """List, show, create, change and delete topics."""


def permission_word(bits: int) -> str:
    """What clients may do with a topic, in a word."""
    return PERMISSIONS.get(bits & 6, "none")


@topic.command(
    "list",
    examples=[
        ("pocketmq topic list", "The names alone, one a line, for scripts as well."),
        ("pocketmq topic list --long --all", "Queues, permissions and types of all topics."),
        ("pocketmq topic list -n rocketmq.example:9876 --json", "Those of another cluster."),
    ],
)
@click.option("--all", "everything", is_flag=True, help="Retry, dead letter and system topics too.")
@click.option("-l", "--long", "is_long", is_flag=True, help="How they are set up, too.")
@watching
def list_topics(everything: bool, is_long: bool, nameserver: str | None, as_json: bool) -> None:
    """List the topics of a cluster."""
    if not is_long:
        report(
            nameserver,
            lambda admin: admin.topics.names(everything=everything),
            _print_names,
            as_json=as_json,
        )
        return
    report(
        nameserver,
        lambda admin: admin.topics.all_setups(everything=everything),
        _print_setups,
        as_json=as_json,
        to_json=lambda found: [
            {"topic": name, "brokers": _setups_json(setups)} for name, setups in found.items()
        ],
    )


def _print_names(names: list[str]) -> None:
    for name in names:
        terminal.echo(terminal.visible(name))


def _print_setups(found: dict[str, list[tuple[Broker, TopicConfig]]]) -> None:
    print_table(
        ("TOPIC", "TYPE", "QUEUES", "PERMISSION", "BROKERS"),
        [
            (
                name,
                _one_or_many({config.attributes.get("message.type", "") for _, config in setups}),
                sum(config.write_queue_nums for _, config in setups),
                _one_or_many({permission_word(config.perm) for _, config in setups}),
                ", ".join(broker.name for broker, _ in setups),
            )
            for name, setups in found.items()
        ],
    )


def _one_or_many(values: set[str]) -> str:
    return "/".join(sorted(values))


def _setups_json(setups: list[tuple[Broker, TopicConfig]]) -> list[dict[str, Any]]:
    return [
        {
            "broker": broker.name,
            "read_queues": config.read_queue_nums,
            "write_queues": config.write_queue_nums,
            "permission": permission_word(config.perm),
            "attributes": config.attributes,
        }
        for broker, config in setups
    ]


@dataclass(frozen=True, slots=True)
class _Shown:
    topic: str
    parts: list[TopicPart]
    queues: list[QueueExtent]
    attributes: dict[str, str]
    groups: list[str]


@topic.command(
    examples=[
        ("pocketmq topic show orders", "Its brokers, its groups and what each queue holds."),
        ("pocketmq topic show orders --watch 2", "See the messages come in."),
    ],
)
@topic_argument("name")
@watching
def show(name: str, nameserver: str | None, as_json: bool) -> None:
    """Show where a topic lies, who consumes it and what its queues hold."""

    async def look(admin: Admin) -> _Shown:
        parts, extents, groups, attributes = await asyncio.gather(
            admin.topics.parts(name),
            admin.topics.extents(name),
            admin.topics.groups(name),
            _attributes(admin, name),
        )
        return _Shown(name, parts, extents, attributes, groups)

    report(nameserver, look, _print_shown, as_json=as_json)


async def _attributes(admin: Admin, name: str) -> dict[str, str]:
    """The topic's attributes; none of a broker that is too old to tell."""
    try:
        setups = await admin.topics.setups(name)
    except BrokerRefused:
        return {}
    return {key: value for _, config in setups for key, value in config.attributes.items()}


def _print_shown(shown: _Shown) -> None:
    print_table(
        ("BROKER", "ADDRESS", "READ QUEUES", "WRITE QUEUES", "PERMISSION"),
        [
            (
                part.broker,
                part.address,
                part.read_queues,
                part.write_queues,
                permission_word(part.permission),
            )
            for part in shown.parts
        ],
    )
    if shown.attributes:
        terminal.echo()
        print_table(("ATTRIBUTE", "VALUE"), sorted(shown.attributes.items()))
    terminal.echo()
    print_table(
        ("BROKER", "QUEUE", "FIRST", "END", "MESSAGES", "LAST MESSAGE"),
        [
            (one.broker, one.queue_id, one.first, one.end, one.messages, moment(one.updated_ms))
            for one in shown.queues
        ],
    )
    terminal.echo()
    terminal.echo("Groups: " + (", ".join(map(terminal.visible, shown.groups)) or "none"))


@topic.command(
    examples=[
        ("pocketmq topic delete orders", "Asks first."),
        ("pocketmq topic delete orders --yes", "For scripts."),
    ],
)
@topic_argument("name")
@cluster_option("Only on the brokers of this cluster.")
@yes_option
@asking
def delete(
    name: str, cluster: str | None, yes: bool, nameserver: str | None, as_json: bool
) -> None:
    """Delete a topic with all its messages."""

    async def count(admin: Admin) -> int:
        return sum(queue.messages for queue in await admin.topics.extents(name))

    messages = ask(nameserver, count)  # a name that is mistaken is an error
    confirm(f"Delete {name} with all its {messages} messages?", yes=yes)
    brokers = ask(nameserver, lambda admin: admin.topics.delete(name, cluster=cluster))
    if as_json:
        print_json({"topic": name, "messages": messages, "brokers": brokers})
    else:
        terminal.echo(f"{name} is gone from {', '.join(one.name for one in brokers)}")
