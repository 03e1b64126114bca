"""`pocketmq broker drain` and `resume`: let a broker be read empty, and used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import complete_broker
from pocketmq.cli.connecting import ask, asking, confirm, yes_option
from pocketmq.cli.tables import print_json

if TYPE_CHECKING:
    from pocketmq.admin import Admin


@click.command(
    "drain",
    cls=Verb,
    examples=[
        ("pocketmq broker drain broker-a", "Producers turn to the other brokers. Asks first."),
        ("pocketmq broker drain broker-a --yes", "For scripts; `group list` shows what is left."),
    ],
)
@click.argument("name", shell_complete=complete_broker)
@yes_option
@asking
def drain(name: str, yes: bool, nameserver: str | None, as_json: bool) -> None:
    """Have producers turn to other brokers, while consumers go on reading this one.

    The name servers tell clients that its topics are read-only; clients ask them every half minute.
    It lasts until `broker resume`, and until the broker registers its topics anew: when it or a
    name server restarts, or a topic on it changes. What lasts longer is a setting of the broker:
    `config set brokerPermission 4 --broker NAME`.
    """
    confirm(f"Let producers send nothing to {name} any more?", yes=yes)
    _change(name, nameserver, writable=False, as_json=as_json)


@click.command(
    "resume",
    cls=Verb,
    examples=[("pocketmq broker resume broker-a", "After `broker drain broker-a`.")],
)
@click.argument("name", shell_complete=complete_broker)
@asking
def resume(name: str, nameserver: str | None, as_json: bool) -> None:
    """Have producers come back to a broker that was drained.

    All its topics can be read and written then, also those that a name server knew as read-only for
    another reason; the broker itself still refuses what they do not allow.
    """
    _change(name, nameserver, writable=True, as_json=as_json)


def _change(name: str, nameserver: str | None, *, writable: bool, as_json: bool) -> None:
    async def go(admin: Admin) -> tuple[str, dict[str, int]]:
        (broker, *_) = await admin.brokers.find(name)
        return broker.name, await admin.brokers.set_writable(broker.name, writable)

    broker, topics = ask(nameserver, go)
    if as_json:
        print_json({"broker": broker, "writable": writable, "topics": topics})
        return
    can = "read and written" if writable else "read only"
    for address, count in topics.items():
        terminal.echo(f"{count} topics of {broker} can be {can} now, says {address}")
