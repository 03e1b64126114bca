"""`pocketmq offset`: where groups go on."""

from __future__ import annotations

from datetime import datetime

import click

from pocketmq.admin.offsets import TO_THE_END
from pocketmq.cli.connecting import ask, asking, confirm, yes_option
from pocketmq.cli.tables import print_json, print_table
from pocketmq.errors import ConfigError


@click.group()
def offset() -> None:
    """Let a group go on elsewhere."""


@offset.command()
@click.argument("group")
@click.argument("topic")
@click.option(
    "--to",
    required=True,
    metavar="first|end|TIME",
    help="The oldest message, the end, or the first message at or after a time, such as "
    "2026-11-21T13:30:00 (local unless it says otherwise).",
)
@yes_option
@asking
def reset(
    group: str, topic: str, to: str, yes: bool, nameserver: str | None, as_json: bool
) -> None:
    """Let a group go on from another place in all queues of a topic."""
    to_ms = _moment(to)
    confirm(f"Let {group} go on in {topic} from {to}?", yes=yes)
    queues = ask(nameserver, lambda admin: admin.offsets.reset(group, topic, to_ms))
    if as_json:
        print_json(queues)
    else:
        rows = [(one.broker, one.queue_id, one.offset) for one in queues]
        print_table(("BROKER", "QUEUE", "OFFSET"), rows)


def _moment(text: str) -> int:
    if text in ("first", "end"):
        return 0 if text == "first" else TO_THE_END
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise ConfigError(
            f"--to {text}: say first, end, or a time such as 2026-11-21T13:30:00"
        ) from None
