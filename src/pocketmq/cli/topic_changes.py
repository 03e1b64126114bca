"""`pocketmq topic create` and `update`: how topics are set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import broker_option, cluster_option, topic_argument
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.tables import print_json, print_table
from pocketmq.cli.topic import permission_word
from pocketmq.cli.values import pairs
from pocketmq.errors import ConfigError, FeatureUnavailable

if TYPE_CHECKING:
    from pocketmq.admin import Admin, Broker
    from pocketmq.protocol.bodies.topic_config import TopicConfig

_BITS = {"read": 4, "write": 2, "both": 6, "none": 0}
_TYPES = ("NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED", "UNSPECIFIED")
_TYPE = "message.type"


def _kind_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option(
                "--type",
                "kind",
                type=click.Choice(_TYPES, case_sensitive=False),
                help="What kind of messages it takes, as clients of version 5 check it.",
            ),
            click.option(
                "--attribute",
                "attributes",
                multiple=True,
                metavar="NAME=VALUE",
                help="An attribute, such as reserve.time=86400000; can be given again.",
            ),
        )
    ):
        command = option(command)
    return command


def _attributes(kind: str | None, texts: tuple[str, ...]) -> dict[str, str]:
    found = pairs(texts, "--attribute")
    if kind is not None:
        found[_TYPE] = kind.upper()
    return found


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq topic create orders", "8 queues on each broker."),
        (
            "pocketmq topic create payments --queues 4 --type FIFO",
            "For messages in order, as clients of version 5 want to know it.",
        ),
        ("pocketmq topic create orders --exists-ok", "Leave it as it is when it exists."),
    ],
)
@click.argument("name")
@click.option(
    "--queues", metavar="COUNT", default=8, show_default=True, help="Queues on each broker."
)
@click.option(
    "--permission",
    type=click.Choice(list(_BITS)),
    default="both",
    show_default=True,
    help="What clients may do.",
)
@_kind_options
@click.option("--exists-ok", is_flag=True, help="Leave a topic as it is when it exists.")
@cluster_option("Only on the brokers of this cluster.")
@asking
def create(
    name: str,
    queues: int,
    permission: str,
    kind: str | None,
    attributes: tuple[str, ...],
    exists_ok: bool,
    cluster: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Create a topic on all brokers."""
    chosen = _attributes(kind, attributes)

    async def go(admin: Admin) -> list[Broker] | None:
        if name in await admin.topics.names(everything=True):
            if exists_ok:
                return None
            raise ConfigError(
                f"the topic {name} exists; change it with `topic update {name}`, or say "
                "--exists-ok to leave it as it is"
            )
        created = await admin.topics.create(
            name,
            queues=queues,
            permission=_BITS[permission],
            attributes=chosen,
            cluster=cluster,
        )
        if chosen:
            _check_kept(await admin.topics.setups(name), chosen)
        return created

    brokers = ask(nameserver, go)
    if as_json:
        print_json({"topic": name, "created": brokers is not None, "brokers": brokers or []})
    elif brokers is None:
        terminal.echo(f"{name} exists and stays as it is")
    else:
        terminal.echo(f"{name} has {queues} queues on {', '.join(one.name for one in brokers)}")


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq topic update orders --queues 16", "All else stays as it is."),
        (
            "pocketmq topic update orders --permission read",
            "Take no more messages, but let consumers finish.",
        ),
        (
            "pocketmq topic update orders --broker broker-a --write-queues 0",
            "Empty one broker before it goes.",
        ),
        ("pocketmq topic update orders --without reserve.time", "Remove an attribute."),
    ],
)
@topic_argument("name")
@click.option("--queues", type=click.IntRange(min=0), metavar="COUNT", help="Queues on a broker.")
@click.option(
    "--read-queues", type=click.IntRange(min=0), metavar="COUNT", help="Those that can be read."
)
@click.option(
    "--write-queues", type=click.IntRange(min=0), metavar="COUNT", help="Those that take messages."
)
@click.option("--permission", type=click.Choice(list(_BITS)), help="What clients may do.")
@_kind_options
@click.option(
    "--without", multiple=True, metavar="NAME", help="An attribute to remove; can be given again."
)
@broker_option("Only on this broker.")
@asking
def update(
    name: str,
    queues: int | None,
    read_queues: int | None,
    write_queues: int | None,
    permission: str | None,
    kind: str | None,
    attributes: tuple[str, ...],
    without: tuple[str, ...],
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Change what is given of a topic, and leave the rest as it is."""
    chosen = _attributes(kind, attributes)
    wanted = (queues, read_queues, write_queues, permission)
    if not chosen and not without and all(one is None for one in wanted):
        raise ConfigError("say what to change, such as --queues 16 or --permission read")
    changed = ask(
        nameserver,
        lambda admin: admin.topics.update(
            name,
            read_queues=queues if read_queues is None else read_queues,
            write_queues=queues if write_queues is None else write_queues,
            permission=None if permission is None else _BITS[permission],
            attributes=chosen,
            without=without,
            broker=broker,
        ),
    )
    _check_kept(changed, chosen)
    _print_changed(name, changed, as_json=as_json)


def _check_kept(setups: list[tuple[Broker, TopicConfig]], wanted: dict[str, str]) -> None:
    """Raise FeatureUnavailable when a broker took attributes and dropped them."""
    for broker, config in setups:
        lost = [name for name, value in wanted.items() if config.attributes.get(name) != value]
        if lost:
            raise FeatureUnavailable(
                f"{broker.name} does not keep {', '.join(lost)}; attributes of topics need a "
                "broker of version 5 (the rest is done)"
            )


def _print_changed(name: str, changed: list[tuple[Broker, TopicConfig]], *, as_json: bool) -> None:
    if as_json:
        setups = [
            {
                "broker": broker.name,
                "read_queues": config.read_queue_nums,
                "write_queues": config.write_queue_nums,
                "permission": permission_word(config.perm),
                "attributes": config.attributes,
            }
            for broker, config in changed
        ]
        print_json({"topic": name, "brokers": setups})
        return
    print_table(
        ("BROKER", "READ QUEUES", "WRITE QUEUES", "PERMISSION", "ATTRIBUTES"),
        [
            (
                broker.name,
                config.read_queue_nums,
                config.write_queue_nums,
                permission_word(config.perm),
                ", ".join(f"{key}={value}" for key, value in sorted(config.attributes.items())),
            )
            for broker, config in changed
        ],
    )
