"""`pocketmq cluster`: what a cluster consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pocketmq.cli.broker_list import broker_rows, state_json
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import cluster_option
from pocketmq.cli.connecting import report, watching
from pocketmq.cli.tables import print_table

if TYPE_CHECKING:
    from pocketmq.admin import BrokerState


@click.group(cls=Noun)
def cluster() -> None:
    """Show what a cluster consists of."""


@cluster.command(
    examples=[
        ("pocketmq cluster show", "All brokers, and what they are busy with."),
        ("pocketmq cluster show --watch 2", "The same, live."),
    ],
)
@cluster_option("Only this one.")
@watching
def show(cluster: str | None, nameserver: str | None, as_json: bool) -> None:
    """Show the brokers of all clusters, and what they are busy with."""
    report(
        nameserver,
        lambda admin: admin.brokers.states(cluster),
        _print_states,
        as_json=as_json,
        to_json=lambda states: [state_json(state) for state in states],
    )


def _print_states(states: list[BrokerState]) -> None:
    headings, rows = broker_rows(states)
    clusters = [(state.broker.cluster,) for state in states]
    print_table(
        ("CLUSTER", *headings),
        [(*name, *row) for name, row in zip(clusters, rows, strict=True)],
    )
