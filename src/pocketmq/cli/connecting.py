"""What all commands that ask a cluster have in common: where it is, and how to answer."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from pocketmq.admin import Admin
from pocketmq.cli.running import run

T = TypeVar("T")

DEFAULT_NAME_SERVER = "127.0.0.1:9876"

nameserver_option = click.option(
    "-n",
    "--nameserver",
    metavar="HOST:PORT",
    help=f"Its name servers, split by `;`; else NAMESRV_ADDR, else {DEFAULT_NAME_SERVER}.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask whether it is meant.")


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a command that asks and prints."""
    return nameserver_option(json_option(command))


def ask(nameserver: str | None, question: Callable[[Admin], Awaitable[T]]) -> T:
    """The answer of a cluster to a question."""
    address = nameserver or os.environ.get("NAMESRV_ADDR") or DEFAULT_NAME_SERVER
    answers: list[T] = []

    async def main() -> None:
        async with Admin(address) as admin:
            answers.append(await question(admin))

    run(main())
    return answers[0]


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether it is meant, unless `--yes` was given. Raise click.Abort if not."""
    if not yes:
        click.confirm(question, abort=True, err=True)
