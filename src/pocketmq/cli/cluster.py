"""`pocketmq cluster`: what a cluster consists of."""

from __future__ import annotations

import click

from pocketmq.admin import Admin, Broker
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.tables import print_json, print_table

Figures = dict[str, str]


@click.group()
def cluster() -> None:
    """Show what a cluster consists of."""


@cluster.command()
@asking
def show(nameserver: str | None, as_json: bool) -> None:
    """Show the brokers of all clusters, and what they are busy with."""

    async def look(admin: Admin) -> list[tuple[Broker, Figures]]:
        brokers = await admin.clusters.brokers()
        return await admin.clusters.each(brokers, admin.clusters.runtime)

    found = ask(nameserver, look)
    if as_json:
        print_json([{"broker": broker, "runtime": figures} for broker, figures in found])
        return
    print_table(
        ("CLUSTER", "BROKER", "ID", "ADDRESS", "VERSION", "IN/S", "OUT/S"),
        [
            (
                broker.cluster,
                broker.name,
                broker.id,
                broker.address,
                figures.get("brokerVersionDesc", ""),
                _rate(figures, "putTps"),
                _rate(figures, "getTransferredTps"),
            )
            for broker, figures in found
        ],
    )


def _rate(figures: Figures, name: str) -> float:
    """The first of three rates: the last ten seconds, the last minute, the last ten minutes."""
    first = figures.get(name, "").split(" ")[0]
    return round(float(first), 1) if first.replace(".", "", 1).isdigit() else 0.0
