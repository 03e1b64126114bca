"""`pocketmq broker list`, `show` and `settings`: brokers that run, seen from outside."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import cluster_option, complete_broker
from pocketmq.cli.connecting import ask, asking, report, watching
from pocketmq.cli.exits import NotThere
from pocketmq.cli.tables import (
    Cell,
    Coloured,
    moment,
    plain,
    print_fields,
    print_json,
    print_table,
    size,
)
from pocketmq.cli.values import ago

if TYPE_CHECKING:
    from pocketmq.admin import Admin, Broker, BrokerState

_DISK_WARNS, _DISK_FULL = 0.75, 0.9


@click.command(
    "list",
    cls=Verb,
    examples=[
        ("pocketmq broker list", "All brokers; one that does not answer is shown as well."),
        ("pocketmq broker list --watch 2", "The same, live."),
    ],
)
@cluster_option("Only those of this one.")
@watching
def list_brokers(cluster: str | None, nameserver: str | None, as_json: bool) -> None:
    """List the brokers that the name server knows, and what they are busy with."""

    def show(states: list[BrokerState]) -> None:
        print_table(*broker_rows(states))
        for state in states:
            if state.problem:
                line = f"{state.broker.name} does not answer: {state.problem}"
                terminal.echo(terminal.paint(terminal.visible(line), "red"))

    report(
        nameserver,
        lambda admin: admin.brokers.states(cluster),
        show,
        as_json=as_json,
        to_json=lambda states: [state_json(state) for state in states],
    )


def broker_rows(states: list[BrokerState]) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Headings and rows of brokers at a glance."""
    headings = ("BROKER", "ID", "ADDRESS", "VERSION", "UP", "IN/S", "OUT/S", "LOG", "DISK")
    rows: list[tuple[Cell, ...]] = []
    for state in states:
        broker = state.broker
        head = (broker.name, broker.id, broker.address)
        if state.problem:
            rows.append((*head, Coloured("no answer", "red"), "", None, None, "", ""))
            continue
        rows.append(
            (
                *head,
                state.version,
                ago(state.started_ms),
                round(state.in_per_second, 1),
                round(state.out_per_second, 1),
                size(state.log_end - state.log_first),
                _disk(state.disk_used),
            )
        )
    return headings, rows


def _disk(used: float) -> Cell:
    text = f"{used:.0%}"
    if used < _DISK_WARNS:
        return text
    return Coloured(text, "yellow" if used < _DISK_FULL else "red")


def state_json(state: BrokerState) -> dict[str, Any]:
    """A broker at a glance for scripts: what is typed, and all figures as RocketMQ names them."""
    found = plain(state)
    assert isinstance(found, dict)
    return {**found, "runtime": found.pop("figures")}


@click.command(
    "show",
    cls=Verb,
    examples=[
        ("pocketmq broker show broker-a", "What it is busy with."),
        ("pocketmq broker show broker-a --all", "Every figure it tells, by RocketMQ's names."),
    ],
)
@click.argument("name", shell_complete=complete_broker)
@click.option("--all", "everything", is_flag=True, help="All figures, by RocketMQ's names.")
@watching
def show_broker(name: str, everything: bool, nameserver: str | None, as_json: bool) -> None:
    """Show what a broker is busy with. NAME may be its address."""

    async def look(admin: Admin) -> list[BrokerState]:
        return [await admin.brokers.state(one) for one in await admin.brokers.find(name)]

    def show(states: list[BrokerState]) -> None:
        for number, state in enumerate(states):
            if number:
                terminal.echo()
            _print_state(state, everything=everything)

    report(
        nameserver,
        look,
        show,
        as_json=as_json,
        to_json=lambda states: [state_json(state) for state in states],
    )


def _print_state(state: BrokerState, *, everything: bool) -> None:
    broker = state.broker
    head: list[tuple[str, Cell]] = [
        (
            "broker",
            f"{broker.name}, id {broker.id} ({'master' if broker.is_master else 'replica'})",
        ),
        ("cluster", broker.cluster),
        ("address", broker.address),
    ]
    if state.problem:
        print_fields([*head, ("problem", Coloured(state.problem, "red"))])
        return
    print_fields(
        [
            *head,
            ("version", state.version),
            ("started", f"{moment(state.started_ms)}, {ago(state.started_ms)} ago"),
            ("in", f"{state.in_per_second:.1f} messages/s, {state.in_today} today"),
            ("out", f"{state.out_per_second:.1f} messages/s, {state.out_today} today"),
            ("log", f"{size(state.log_end - state.log_first)}, oldest {moment(state.oldest_ms)}"),
            ("disk", _disk(state.disk_used)),
            ("behind", f"{size(state.dispatch_behind_bytes)} stored but not yet visible"),
            ("waiting", f"{state.waiting_sends} sends, {state.waiting_pulls} pulls"),
        ]
    )
    if everything:
        terminal.echo()
        print_table(("FIGURE", "VALUE"), sorted(state.figures.items()))


@click.command(
    "settings",
    cls=Verb,
    examples=[
        ("pocketmq broker settings broker-a", "All of them, by RocketMQ's names."),
        ("pocketmq broker settings broker-a '*flush*'", "Those whose names match."),
    ],
)
@click.argument("name", shell_complete=complete_broker)
@click.argument("pattern", default="*")
@asking
def broker_settings(name: str, pattern: str, nameserver: str | None, as_json: bool) -> None:
    """Show how a running broker is set. `config` explains and changes settings."""

    async def look(admin: Admin) -> tuple[Broker, dict[str, str]]:
        (broker, *_) = await admin.brokers.find(name)
        return broker, await admin.brokers.settings(broker)

    broker, settings = ask(nameserver, look)
    wanted = pattern.lower()
    chosen = {
        key: settings[key] for key in sorted(settings) if fnmatch.fnmatch(key.lower(), wanted)
    }
    if not chosen:
        raise NotThere(f"{broker.name} has no setting like {pattern!r}; leave it out to see all")
    if as_json:
        print_json(chosen)
    else:
        print_table(("SETTING", "VALUE"), list(chosen.items()))
