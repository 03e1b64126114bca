"""`pocketmq message trace`: what clients and brokers noted about a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli.commands import Verb
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.exits import NotThere
from pocketmq.cli.tables import Cell, Coloured, plain, precise_moment, print_json, print_table
from pocketmq.errors import ConfigError
from pocketmq.message.topics import TRACE_TOPIC

if TYPE_CHECKING:
    from pocketmq.admin import TracePoint


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq message trace 7F0000010A3B18B4AAC2000000000001", "By the id."),
        ("pocketmq message trace --key 4711", "Of all messages with a key."),
    ],
)
@click.argument("message_id", metavar="ID", required=False)
@click.option("--key", metavar="KEY", help="Instead of an id.")
@click.option(
    "--trace-topic", metavar="NAME", default=TRACE_TOPIC, show_default=True,
    help="Where clients write their traces.",
)  # fmt: skip
@asking
def trace(
    message_id: str | None,
    key: str | None,
    trace_topic: str,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Show who sent a message, who handled it, when, and how that went.

    Clients trace when they are told to. PocketMQ's brokers add what they know themselves: where it
    lies and which groups have gone past it. `message explain` tells the same and more in sentences.
    """
    if (message_id is None) == (key is None):
        raise ConfigError("say which message: give its ID, or --key")
    wanted = message_id or key or ""
    points = ask(nameserver, lambda admin: admin.messages.trace(wanted, trace_topic=trace_topic))
    if as_json:
        print_json([_point_json(point) for point in points])
    elif points:
        print_table(
            ("WHEN", "WHAT", "GROUP", "CLIENT", "TOPIC", "TRY", "TOOK", "OUTCOME"),
            [_row(point) for point in points],
        )
    if not points:
        raise NotThere(
            f"nothing is traced about {wanted}; clients must have tracing on, and the id or key "
            "must be right (`message explain` needs no traces)"
        )


def _row(point: TracePoint) -> tuple[Cell, ...]:
    good = point.outcome in ("success", "commit", "")
    return (
        precise_moment(point.at_ms),
        point.what,
        point.group,
        point.client,
        point.topic,
        str(point.attempt) if point.attempt else "",
        f"{point.cost_ms} ms" if point.cost_ms >= 0 else "",
        point.outcome if good else Coloured(point.outcome, "red"),
    )


def _point_json(point: TracePoint) -> dict[str, Any]:
    found = plain(point)
    assert isinstance(found, dict)
    return {**found, "by_broker": point.by_broker}
