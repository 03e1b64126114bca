"""`pocketmq console`: who may log in to the web console."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from pocketmq.cli.directories import console_users_in, default_data_directory
from pocketmq.cli.tables import print_json, print_table
from pocketmq.console.users import ROLES, UserFile
from pocketmq.errors import ConfigError

_users = click.option(
    "--users",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file of users; else that of the data directory.",
)
_data = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The data directory that `pocketmq up` was given.",
)


@click.group()
def console() -> None:
    """Say who may log in to the web console.

    Without a user there is no login, and the console listens on this machine alone. The first user
    ends that: from then on one must log in. Changes take effect at once.
    """


@console.group()
def user() -> None:
    """Add, list and remove those who may log in."""


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=ROLES[0],
    show_default=True,
    help="viewer may look at everything and change nothing.",
)
@click.option(
    "--password-file",
    type=click.File("r"),
    metavar="FILE",
    help="Read the password from a file, or - for standard input, instead of asking.",
)
@_users
@_data
def add(
    name: str,
    role: str,
    password_file: IO[str] | None,
    users: Path | None,
    data: Path | None,
) -> None:
    """Add a user, or give one a new password and role."""
    if password_file is not None:
        password = password_file.read().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    path = _path(users, data)
    UserFile(path).add(name, password, role)
    click.echo(f"{name} may log in as {role}; the console reads it from {path}")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@_users
@_data
def list_users(as_json: bool, users: Path | None, data: Path | None) -> None:
    """List those who may log in."""
    found = UserFile(_path(users, data)).users()
    rows = [(one.name, one.role) for one in sorted(found.values(), key=lambda one: one.name)]
    if as_json:
        print_json([{"name": name, "role": role} for name, role in rows])
    elif rows:
        print_table(("USER", "ROLE"), rows)
    else:
        click.echo("nobody has to log in; add a user to change that", err=True)


@user.command()
@click.argument("name")
@_users
@_data
def remove(name: str, users: Path | None, data: Path | None) -> None:
    """Remove a user; open sessions of that user end."""
    UserFile(_path(users, data)).remove(name)
    click.echo(f"{name} may not log in any more")


def _path(users: Path | None, data: Path | None) -> Path:
    if users is not None and data is not None:
        raise ConfigError("give either --users or --data")
    return users or console_users_in(data or default_data_directory())
