"""`pocketmq user`: list, show, create, change, delete and copy the users of a cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.access import (
    spread_cells,
    sync_options,
    tell_change,
    tell_problems,
    where_options,
)
from pocketmq.cli.acl import print_acls, rules_json
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import complete_user
from pocketmq.cli.connecting import ask, asking, confirm, report, watching, yes_option
from pocketmq.cli.exits import NotThere
from pocketmq.cli.tables import Cell, Coloured, print_fields, print_table
from pocketmq.errors import ConfigError

if TYPE_CHECKING:
    from pocketmq.admin import Admin, Secret, User, UserList
    from pocketmq.admin.acls import Acl

PASSWORD_VARIABLE = "POCKETMQ_USER_PASSWORD"
TYPES = {"normal": "Normal", "super": "Super"}

_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)
_show_option = click.option("--show-password", is_flag=True, help="Show passwords in clear.")


def name_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The user that a command is about."""
    return click.argument("name", shell_complete=complete_user)(command)


@click.group(cls=Noun)
def user() -> None:
    """List, show, create, change and delete the users that brokers know.

    Every broker keeps its own users, so commands ask all of them and say where they differ. Brokers
    ask who somebody is when authenticationEnabled=true.
    """


@user.command(
    "list",
    examples=[
        ("pocketmq user list", "All users, and which broker lacks one."),
        ("pocketmq user list --json", "The same for scripts, without passwords."),
    ],
)
@click.option("--name", "part", default="", metavar="TEXT", help="Only names that contain this.")
@_show_option
@where_options
@watching
def list_users(
    part: str,
    show_password: bool,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """List the users of a cluster, and which broker lacks one."""

    async def look(admin: Admin) -> UserList:
        return await admin.users.all(part, cluster=cluster, broker=broker)

    def show(found: UserList) -> None:
        tell_problems(found.problems)
        headings = ["USER", "TYPE", "STATUS", "BROKERS", "LACKING", "DIFFERENT"]
        rows = [[one.name, one.kind, _status(one), *_spread(one)] for one in found.users]
        if show_password:
            headings.append("PASSWORD")
            for row, one in zip(rows, found.users, strict=True):
                row.append(one.password.reveal())
        print_table(headings, rows)

    def to_json(found: UserList) -> list[dict[str, Any]]:
        tell_problems(found.problems)
        return [_json(one, show_password) for one in found.users]

    report(nameserver, look, show, as_json=as_json, to_json=to_json)


@dataclass(frozen=True, slots=True)
class _Shown:
    user: User
    acl: Acl | None
    problems: dict[str, str]


@user.command(
    examples=[
        ("pocketmq user show alice", "Who it is, where it is known and what it may do."),
        ("pocketmq user show alice --show-password", "Its password, too."),
    ],
)
@name_argument
@_show_option
@where_options
@watching
def show(
    name: str,
    show_password: bool,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Show a user, the brokers that know it and what it may do."""

    async def look(admin: Admin) -> _Shown:
        from pocketmq.admin.acls import subject_of

        found = await admin.users.all(name, cluster=cluster, broker=broker)
        known = next((one for one in found.users if one.name == name), None)
        if known is None:
            raise NotThere(f"there is no user {name!r}; `user list` shows those that are")
        acl = await admin.acls.find(subject_of(name), cluster=cluster, broker=broker)
        return _Shown(known, acl, found.problems)

    def draw(found: _Shown) -> None:
        tell_problems(found.problems)
        one = found.user
        brokers, lacking, different = _spread(one)
        fields: list[tuple[str, Cell]] = [
            ("user", one.name), ("type", one.kind), ("status", _status(one)), ("known to", brokers),
            ("lacking on", lacking), ("different", different),
        ]  # fmt: skip
        if show_password:
            fields.append(("password", one.password.reveal()))
        print_fields([(label, value) for label, value in fields if value != ""])
        terminal.echo()
        if found.acl is not None:
            print_acls([found.acl])
        elif one.kind == TYPES["super"]:
            terminal.echo("It may do everything.")
        else:
            terminal.echo("It has no rules, so it may do nothing where rules are asked for.")

    def to_json(found: _Shown) -> dict[str, Any]:
        tell_problems(found.problems)
        return {**_json(found.user, show_password), "rules": rules_json(found.acl)}

    report(nameserver, look, draw, as_json=as_json, to_json=to_json)


@user.command(
    examples=[
        ("pocketmq user create alice", "Asks for the password twice."),
        (
            "pocketmq user create ops --type super --password-stdin",
            "For scripts: the password is a line of standard input, or POCKETMQ_USER_PASSWORD.",
        ),
    ],
)
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice(list(TYPES)),
    default="normal",
    show_default=True,
    help="A super user may do everything, a normal one what rules allow.",
)
@click.option("--disabled", is_flag=True, help="It may not connect yet.")
@_password_option
@where_options
@asking
def create(
    name: str,
    kind: str,
    disabled: bool,
    password_stdin: bool,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Create a user on all brokers."""
    password = _password(password_stdin)

    async def go(admin: Admin) -> list[str]:
        return await admin.users.create(
            name, password, kind=TYPES[kind], enabled=not disabled, cluster=cluster, broker=broker
        )

    tell_change({"user": name}, ask(nameserver, go), f"{name} is known to", as_json)


@user.command(
    examples=[
        ("pocketmq user update alice --password", "Asks for the new one; all else stays."),
        ("pocketmq user update alice --disable", "It may not connect from now on."),
    ],
)
@name_argument
@click.option("--password", "ask_password", is_flag=True, help="Give it a new password.")
@_password_option
@click.option("--type", "kind", type=click.Choice(list(TYPES)), help="Make it super or normal.")
@click.option("--enable/--disable", default=None, help="Whether it may connect.")
@where_options
@asking
def update(
    name: str,
    ask_password: bool,
    password_stdin: bool,
    kind: str | None,
    enable: bool | None,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Change what is given of a user, and leave the rest as it is."""
    wants_password = ask_password or password_stdin
    if not wants_password and kind is None and enable is None:
        raise ConfigError("say what to change, such as --password or --disable")
    password = _password(password_stdin) if wants_password else None

    async def go(admin: Admin) -> list[str]:
        from pocketmq.admin import UserChange

        change = UserChange(password, TYPES[kind] if kind else None, enable)
        return await admin.users.update(name, change, cluster=cluster, broker=broker)

    tell_change({"user": name}, ask(nameserver, go), f"{name} is changed on", as_json)


@user.command(
    examples=[
        ("pocketmq user delete alice", "Asks first; its rules go, too."),
        ("pocketmq user delete alice --yes", "For scripts."),
    ],
)
@name_argument
@yes_option
@where_options
@asking
def delete(
    name: str,
    yes: bool,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Delete a user and its rules."""

    async def known(admin: Admin) -> bool:
        return await admin.users.find(name, cluster=cluster, broker=broker) is not None

    if not ask(nameserver, known):
        raise NotThere(f"there is no user {name!r}; `user list` shows those that are")
    confirm(f"Delete the user {name} and its rules?", yes=yes)
    gone = ask(nameserver, lambda admin: admin.users.delete(name, cluster=cluster, broker=broker))
    tell_change({"user": name}, gone, f"{name} is gone from", as_json)


@user.command(
    examples=[
        ("pocketmq user sync alice", "Brokers that lack alice learn of it, password and all."),
        ("pocketmq user sync alice --from broker-b", "Where they differ, broker-b is right."),
    ],
)
@name_argument
@sync_options("The broker whose user is right; else the first that knows it.")
@asking
def sync(
    name: str,
    source: str | None,
    yes: bool,
    cluster: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Make all brokers know a user as one of them does."""
    confirm(f"Make all brokers know {name} as {source or 'the first'} does?", yes=yes)
    done = ask(nameserver, lambda admin: admin.users.sync(name, source, cluster=cluster))
    tell_change({"user": name}, done, f"{name} is now the same on", as_json)


def _spread(one: User) -> tuple[Cell, Cell, Cell]:
    different = ", ".join("type" if name == "kind" else name for name in one.differences)
    brokers, lacking = spread_cells(one.brokers, one.lacking)
    return brokers, lacking, Coloured(different, "red") if different else ""


def _status(one: User) -> Cell:
    return "enabled" if one.enabled else Coloured("disabled", "yellow")


def _json(one: User, show_password: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name,
        "type": one.kind,
        "enabled": one.enabled,
        "brokers": one.brokers,
        "lacking": one.lacking,
        "differences": ["type" if name == "kind" else name for name in one.differences],
    }
    return {**found, "password": one.password.reveal()} if show_password else found


def _password(from_stdin: bool) -> Secret:
    """A new password: from standard input, the environment or a prompt. Raise ConfigError."""
    from pocketmq.admin import Secret

    if from_stdin:
        return Secret(sys.stdin.readline().rstrip("\r\n"))
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return Secret(given)
    if not sys.stdin.isatty():
        raise ConfigError(
            f"nobody can be asked for the password here; say --password-stdin, or set "
            f"{PASSWORD_VARIABLE}"
        )
    return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
