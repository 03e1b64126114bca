"""`pocketmq acl`: list, show, create, change, delete and copy the rules of users."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli.access import (
    spread_cells,
    sync_options,
    tell_change,
    tell_problems,
    where_options,
)
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import complete_subject
from pocketmq.cli.connecting import ask, asking, confirm, report, watching, yes_option
from pocketmq.cli.exits import NotThere
from pocketmq.cli.tables import Cell, Coloured, print_table
from pocketmq.errors import ConfigError

if TYPE_CHECKING:
    from pocketmq.admin import Acl, AclList, Admin, Rule

_ANYWHERE = "anywhere"


def _subject_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("subject", shell_complete=complete_subject)(command)


_resources_option = click.option(
    "--resource",
    "resources",
    multiple=True,
    required=True,
    metavar="KIND:NAME",
    help="Topic:orders, Group:billing, Cluster:*, Topic:order* or *; can be given again.",
)
_actions_option = click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="ACTION",
    help="All, Pub, Sub, Create, Update, Delete, Get or List; can be given again.",
)
_sources_option = click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="ADDRESS",
    help="Only from this address, or from those of 10.0.0.0/8; can be given again.",
)


@click.group(cls=Noun)
def acl() -> None:
    """List, show, create, change and delete rules: what users may do.

    A normal user may do what a rule allows, where authorizationEnabled=true. The rule for exactly a
    name goes before one for what a name begins with, and that before one for all. Every broker
    keeps its own rules, so commands ask all of them and say where they differ.
    """


@acl.command(
    "list",
    examples=[
        ("pocketmq acl list", "All rules, and which broker lacks one."),
        ("pocketmq acl list --resource Topic:orders", "Who may do what with orders."),
    ],
)
@click.option("--subject", default="", metavar="TEXT", help="Only subjects that contain this.")
@click.option("--resource", default="", metavar="TEXT", help="Only resources that contain this.")
@where_options
@watching
def list_rules(
    subject: str,
    resource: str,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """List the rules of a cluster, and which broker lacks one."""

    async def look(admin: Admin) -> AclList:
        return await admin.acls.all(subject, resource, cluster=cluster, broker=broker)

    def show(found: AclList) -> None:
        tell_problems(found.problems)
        print_acls(found.acls)

    def to_json(found: AclList) -> list[dict[str, Any]]:
        tell_problems(found.problems)
        return [{"subject": one.subject, "rules": rules_json(one)} for one in found.acls]

    report(nameserver, look, show, as_json=as_json, to_json=to_json)


@acl.command(examples=[("pocketmq acl show alice", "What alice may do, and where that differs.")])
@_subject_argument
@where_options
@watching
def show(
    subject: str, cluster: str | None, broker: str | None, nameserver: str | None, as_json: bool
) -> None:
    """Show the rules of one user."""

    async def look(admin: Admin) -> Acl:
        from pocketmq.admin.acls import subject_of

        wanted = subject_of(subject)
        found = await admin.acls.find(wanted, cluster=cluster, broker=broker)
        if found is None:
            raise NotThere(f"{wanted} has no rules; `acl list` shows those that are")
        return found

    report(
        nameserver,
        look,
        lambda found: print_acls([found]),
        as_json=as_json,
        to_json=lambda found: {"subject": found.subject, "rules": rules_json(found)},
    )


@acl.command(
    examples=[
        (
            "pocketmq acl create alice --resource Topic:orders --action Pub --action Sub",
            "alice may send to orders and consume it.",
        ),
        (
            "pocketmq acl create alice --resource 'Group:*' --action Sub --source 10.0.0.0/8",
            "With any group, but only from these addresses.",
        ),
        (
            "pocketmq acl create alice --resource Topic:salaries --action All --deny",
            "Nothing of it.",
        ),
    ],
)
@_subject_argument
@_resources_option
@_actions_option
@_sources_option
@click.option("--allow/--deny", default=True, show_default=True, help="What the rule decides.")
@where_options
@asking
def create(
    subject: str,
    resources: tuple[str, ...],
    actions: tuple[str, ...],
    sources: tuple[str, ...],
    allow: bool,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Create a rule for each resource, on all brokers."""

    async def go(admin: Admin) -> list[str]:
        from pocketmq.admin import Rule
        from pocketmq.admin.acls import checked_rule, subject_of

        wanted = subject_of(subject)
        decision = _decision(allow)
        rules = [
            checked_rule(Rule(one, _words(actions), decision, _words(sources)))
            for one in _words(resources)
        ]
        known = _by_resource(await admin.acls.find(wanted, cluster=cluster, broker=broker))
        for one in rules:
            if one.resource in known:
                raise ConfigError(
                    f"{wanted} has a rule for {one.resource}; change it with `acl update`"
                )
        return await admin.acls.save(wanted, rules, cluster=cluster, broker=broker)

    _told(subject, ask(nameserver, go), "has the rule on", as_json)


@acl.command(
    examples=[
        (
            "pocketmq acl update alice --resource Topic:orders --action Sub",
            "Sub alone from now on.",
        ),
        ("pocketmq acl update alice --resource Topic:orders --deny", "The rest stays as it is."),
    ],
)
@_subject_argument
@_resources_option
@_actions_option
@_sources_option
@click.option("--any-source", is_flag=True, help="From anywhere.")
@click.option("--allow/--deny", default=None, help="What the rule decides.")
@where_options
@asking
def update(
    subject: str,
    resources: tuple[str, ...],
    actions: tuple[str, ...],
    sources: tuple[str, ...],
    any_source: bool,
    allow: bool | None,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Change what is given of a rule, and leave the rest as it is."""
    if not (actions or sources or any_source) and allow is None:
        raise ConfigError("say what to change, such as --action Pub or --deny")
    changes: dict[str, Any] = {}
    if actions:
        changes["actions"] = _words(actions)
    if sources or any_source:
        changes["sources"] = _words(sources)
    if allow is not None:
        changes["decision"] = _decision(allow)

    async def go(admin: Admin) -> list[str]:
        from pocketmq.admin.acls import subject_of

        wanted = subject_of(subject)
        known = _by_resource(await admin.acls.find(wanted, cluster=cluster, broker=broker))
        rules = []
        for resource in _words(resources):
            if resource not in known:
                raise NotThere(
                    f"{wanted} has no rule for {resource}; `acl show {subject}` shows its rules"
                )
            rules.append(replace(known[resource], **changes))
        return await admin.acls.save(wanted, rules, cluster=cluster, broker=broker)

    _told(subject, ask(nameserver, go), "has the rule on", as_json)


@acl.command(
    examples=[
        ("pocketmq acl delete alice --resource Topic:orders", "One rule. Asks first."),
        ("pocketmq acl delete alice --yes", "All rules of alice, for scripts."),
    ],
)
@_subject_argument
@click.option("--resource", metavar="KIND:NAME", help="Only the rule for this; else all.")
@yes_option
@where_options
@asking
def delete(
    subject: str,
    resource: str | None,
    yes: bool,
    cluster: str | None,
    broker: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Delete the rules of a user, or the one for a resource."""
    from pocketmq.admin.acls import subject_of

    wanted = subject_of(subject)
    known = ask(nameserver, lambda admin: admin.acls.find(wanted, cluster=cluster, broker=broker))
    if not known or (resource and resource not in _by_resource(known)):
        what = f"no rule for {resource}" if resource else "no rules"
        raise NotThere(f"{wanted} has {what}; `acl list` shows those that are")
    confirm(
        f"Delete {f'the rule for {resource}' if resource else 'all rules'} of {wanted}?", yes=yes
    )

    async def go(admin: Admin) -> list[str]:
        return await admin.acls.delete(wanted, resource, cluster=cluster, broker=broker)

    _told(subject, ask(nameserver, go), "lost it on", as_json)


@acl.command(
    examples=[
        ("pocketmq acl sync alice", "All brokers have the rules of the first that has any."),
        ("pocketmq acl sync alice --from broker-b", "broker-b is right."),
    ],
)
@_subject_argument
@sync_options("The broker whose rules are right; else the first that has any.")
@asking
def sync(
    subject: str,
    source: str | None,
    yes: bool,
    cluster: str | None,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Make all brokers have the rules of a user that one of them has."""
    from pocketmq.admin.acls import subject_of

    wanted = subject_of(subject)
    confirm(
        f"Make all brokers have the rules of {wanted} that {source or 'the first'} has?", yes=yes
    )
    done = ask(nameserver, lambda admin: admin.acls.sync(wanted, source, cluster=cluster))
    _told(subject, done, "now has the same rules on", as_json)


def print_acls(acls: Iterable[Acl]) -> None:
    """Print rules, one a line."""
    rows: list[list[Cell]] = []
    for one in acls:
        for placed in one.rules:
            rule = placed.rule
            denies = rule.decision != _decision(True)
            rows.append(
                [
                    one.subject,
                    rule.resource,
                    ", ".join(rule.actions),
                    Coloured(rule.decision, "yellow") if denies else rule.decision,
                    ", ".join(rule.sources) or _ANYWHERE,
                    rule.kind,
                    *spread_cells(placed.brokers, placed.lacking),
                ]
            )
    print_table(
        ("SUBJECT", "RESOURCE", "ACTIONS", "DECISION", "FROM", "KIND", "BROKERS", "LACKING"), rows
    )


def rules_json(acl: Acl | None) -> list[dict[str, Any]]:
    """Rules for scripts."""
    return [
        {
            "resource": one.rule.resource,
            "actions": one.rule.actions,
            "decision": one.rule.decision,
            "sources": one.rule.sources,
            "kind": one.rule.kind,
            "brokers": one.brokers,
            "lacking": one.lacking,
        }
        for one in (acl.rules if acl is not None else ())
    ]


def _told(subject: str, brokers: list[str], said: str, as_json: bool) -> None:
    from pocketmq.admin.acls import subject_of

    wanted = subject_of(subject)
    tell_change({"subject": wanted}, brokers, f"{wanted} {said}", as_json)


def _decision(allow: bool) -> str:
    return "Allow" if allow else "Deny"


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    """What is given, split at commas as mqadmin has it."""
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())


def _by_resource(known: Acl | None) -> dict[str, Rule]:
    # Backwards, as a custom rule and the first broker's come first, and go before others.
    rules = known.rules if known is not None else ()
    return {one.rule.resource: one.rule for one in reversed(rules)}
