"""`pocketmq config`: how servers are set, what the settings mean, and changing the safe ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import broker_option, cluster_option, complete_setting
from pocketmq.cli.connecting import ask, asking, confirm, yes_option
from pocketmq.cli.exits import NotThere
from pocketmq.cli.settings_help import Explained, explain, explained, matching
from pocketmq.cli.tables import Cell, Coloured, print_fields, print_json, print_table

if TYPE_CHECKING:
    from pocketmq.admin import Admin, Broker

NAME_SERVERS = click.option(
    "--nameservers", "of_name_servers", is_flag=True, help="Settings of the name servers instead."
)
_OFFLINE = click.option(
    "--offline", is_flag=True, help="Ask no server; only explain PocketMQ's own settings."
)


@click.group(cls=Noun)
def config() -> None:
    """See how servers are set and what settings mean, and change the safe ones."""


@config.command(
    "list",
    examples=[
        ("pocketmq config list", "All settings of a broker, with what they mean."),
        ("pocketmq config list flush", "Those with a word in their name."),
        ("pocketmq config list --changed", "Only those that are not at their default."),
        ("pocketmq config list --offline", "What PocketMQ can be set to, without a server."),
    ],
)
@click.argument("word", default="")
@broker_option("Of this broker, if not the first.")
@NAME_SERVERS
@click.option("--changed", is_flag=True, help="Only those that are not at their default.")
@_OFFLINE
@asking
def list_settings(
    word: str,
    broker: str | None,
    of_name_servers: bool,
    changed: bool,
    offline: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """List settings with their values and meanings."""
    program = "nameserver" if of_name_servers else "broker"
    if offline:
        found = [one for one in explained(program) if matching(one, word)]
    else:
        where, values = ask(
            nameserver, lambda admin: _values(admin, broker, of_name_servers=of_name_servers)
        )
        found = [one for one in explain(program, values) if matching(one, word)]
        found = [one for one in found if one.is_changed or not changed]
    if as_json:
        print_json(found)
    elif found:
        if not offline:
            terminal.echo(terminal.paint(f"Settings of {where}", bold=True))
        print_table(
            ("SETTING", "DEFAULT" if offline else "VALUE", "WHAT"),
            [(one.key, _value_cell(one, offline=offline), one.what) for one in found],
        )
    if not found:
        raise NotThere(f"no setting has {word!r} in its name; leave it out to see all")


def _value_cell(one: Explained, *, offline: bool) -> Cell:
    if offline:
        return one.default
    return Coloured(one.value, "yellow") if one.is_changed else one.value


async def _values(
    admin: Admin, broker: str | None, *, of_name_servers: bool
) -> tuple[str, dict[str, str]]:
    """Whose settings, and the settings."""
    if of_name_servers:
        settings = await admin.brokers.name_server_settings()
        address = next(iter(settings))
        return f"the name server {address}", settings[address]
    found = await (admin.brokers.find(broker) if broker else admin.clusters.masters())
    if not found:
        raise NotThere("the name server knows no broker; `broker list` shows those there are")
    return found[0].name, await admin.brokers.settings(found[0])


@config.command(
    "get",
    examples=[
        ("pocketmq config get autoCreateTopicEnable", "Its value on all brokers, and its meaning."),
        ("pocketmq config get store.flush.mode --offline", "Only what it means."),
    ],
)
@click.argument("name", shell_complete=complete_setting)
@NAME_SERVERS
@_OFFLINE
@asking
def get(
    name: str, of_name_servers: bool, offline: bool, nameserver: str | None, as_json: bool
) -> None:
    """Show what a setting is on each server, and what it means. NAME is RocketMQ's or ours."""
    program = "nameserver" if of_name_servers else "broker"
    known = next((one for one in explained(program) if one.is_called(name)), None)
    key = known.key if known is not None else name
    values: dict[str, str | None] = {}
    if not offline:
        values = ask(nameserver, lambda admin: _everywhere(admin, key, of_name_servers))
    if known is None and not any(value is not None for value in values.values()):
        raise NotThere(f"nothing is called {name!r}; `config list` shows what there is")
    if as_json:
        print_json({"setting": key, "explained": known, "values": values})
        return
    fields: list[tuple[str, Cell]] = [("setting", key)]
    if known is not None:
        fields += [
            ("PocketMQ's name", known.path),
            ("what", known.what),
            ("default", known.default),
            ("takes", known.takes),
        ]
    else:
        fields.append(("what", "a setting of RocketMQ that PocketMQ does not have"))
    fields += [(where, value) for where, value in values.items()]
    print_fields(fields)


async def _everywhere(admin: Admin, key: str, of_name_servers: bool) -> dict[str, str | None]:
    """Server -> the value there; None where it is not known."""
    if of_name_servers:
        servers = await admin.brokers.name_server_settings()
        return {address: settings.get(key) for address, settings in servers.items()}
    brokers = await admin.clusters.masters()
    answers = await admin.clusters.each(brokers, admin.brokers.settings)
    return {broker.name: settings.get(key) for broker, settings in answers}


@config.command(
    "set",
    examples=[
        (
            "pocketmq config set autoCreateTopicEnable false",
            "On all brokers, kept over a restart. Asks first.",
        ),
        ("pocketmq config set brokerPermission 4 --broker broker-a", "Let one take no messages."),
    ],
)
@click.argument("name", shell_complete=complete_setting)
@click.argument("value")
@broker_option("Only on this broker.")
@cluster_option("Only on the brokers of this cluster.")
@NAME_SERVERS
@yes_option
@asking
def set_value(
    name: str,
    value: str,
    broker: str | None,
    cluster: str | None,
    of_name_servers: bool,
    yes: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Change a setting of running servers.

    PocketMQ changes only what is safe to change by request: nothing that is a path, an address or a
    command. All else belongs into its configuration, with a restart.
    """
    program = "nameserver" if of_name_servers else "broker"
    known = next((one for one in explained(program) if one.is_called(name)), None)
    key = known.key if known is not None else name
    what = "the name servers" if of_name_servers else broker or cluster or "all brokers"
    confirm(f"Set {key} to {value} on {what}?", yes=yes)

    async def go(admin: Admin) -> dict[str, Any]:
        if of_name_servers:
            addresses = await admin.brokers.update_name_servers({key: value})
            return dict.fromkeys(addresses, value)
        brokers = await _chosen(admin, broker, cluster)
        return {one.name: (await admin.brokers.update(one, {key: value}))[key] for one in brokers}

    changed = ask(nameserver, go)
    if as_json:
        print_json({"setting": key, "values": changed})
        return
    for where, now in changed.items():
        terminal.echo(f"{key} is {now} on {where}")


async def _chosen(admin: Admin, broker: str | None, cluster: str | None) -> list[Broker]:
    if broker is not None:
        return await admin.brokers.find(broker)
    return await admin.clusters.masters(cluster)
