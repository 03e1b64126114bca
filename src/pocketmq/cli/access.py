"""What `pocketmq user` and `pocketmq acl` have in common: options, and what they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.completing import broker_option, cluster_option, complete_broker
from pocketmq.cli.connecting import yes_option
from pocketmq.cli.tables import Cell, Coloured, print_json

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that narrow which brokers are meant."""
    command = broker_option("Only this broker; else all, as each keeps its own.")(command)
    return cluster_option("Only the brokers of this cluster.")(command)


def sync_options(source_help: str) -> Decorator:
    """Options of making all brokers like one of them."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command = cluster_option("Only the brokers of this cluster.")(command)
        command = yes_option(command)
        return click.option(
            "--from", "source", metavar="BROKER", shell_complete=complete_broker, help=source_help
        )(command)

    return decorate


def tell_change(what: dict[str, Any], brokers: list[str], said: str, as_json: bool) -> None:
    """Say which brokers took a change."""
    if as_json:
        print_json({**what, "brokers": brokers})
    elif brokers:
        terminal.echo(f"{said} {', '.join(brokers)}")
    else:
        terminal.echo("nothing had to change")


def tell_problems(problems: dict[str, str]) -> None:
    """Say on standard error which brokers did not tell, so that nobody takes the rest for all."""
    for broker, problem in problems.items():
        click.echo(f"pocketmq: {broker} is left out: {' '.join(problem.split())}", err=True)


def spread_cells(brokers: Iterable[str], lacking: Iterable[str]) -> tuple[Cell, Cell]:
    """Where something is, and where it is missing."""
    missing = ", ".join(lacking)
    return ", ".join(brokers), Coloured(missing, "red") if missing else ""
