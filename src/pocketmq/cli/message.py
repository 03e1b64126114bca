"""`pocketmq message`: send, follow, find, trace, explain and send again."""

from __future__ import annotations

import click

from pocketmq.cli.commands import Noun


@click.group(
    cls=Noun,
    places={
        "send": ("pocketmq.cli.message_send", "send"),
        "tail": ("pocketmq.cli.message_tail", "tail"),
        "get": ("pocketmq.cli.message_find", "get"),
        "query": ("pocketmq.cli.message_find", "query"),
        "trace": ("pocketmq.cli.message_trace", "trace"),
        "explain": ("pocketmq.cli.explaining", "explain"),
        "resend": ("pocketmq.cli.message_send", "resend"),
    },
)
def message() -> None:
    """Send, follow, find, trace, explain and send messages again."""
