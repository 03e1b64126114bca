"""`pocketmq group create`, `update`, `forbid` and `allow`: how groups are set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import group_argument, topic_argument
from pocketmq.cli.connecting import ask, asking
from pocketmq.cli.group import setup_fields
from pocketmq.cli.tables import print_fields, print_json
from pocketmq.cli.values import pairs, seconds_of
from pocketmq.errors import ConfigError, FeatureUnavailable

if TYPE_CHECKING:
    from pocketmq.admin import Admin, Broker
    from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup

_OPTIONS = (
    click.option(
        "--retries",
        metavar="COUNT",
        type=click.IntRange(min=0),
        help="Tries again before a message is a dead letter; 16 for a new group.",
    ),
    click.option(
        "--retry-policy",
        metavar="POLICY",
        help="How long to wait before each: levels, exponential:FIRST,LONGEST,FACTOR such as "
        "exponential:5s,2h,2, or steps:10s,1m,1h.",
    ),
    click.option(
        "--retry-queues", metavar="COUNT", type=click.IntRange(min=0), help="Queues for retries."
    ),
    click.option(
        "--in-order/--any-order", default=None, help="Whether it consumes each queue in order."
    ),
    click.option(
        "--broadcast/--no-broadcast",
        default=None,
        help="Whether every member may get every message.",
    ),
    click.option("--enable/--disable", default=None, help="Whether it may consume at all."),
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="NAME=VALUE",
        help="An attribute; can be given again.",
    ),
)


def _setup_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _changed(setup: SubscriptionGroup, options: dict[str, Any]) -> SubscriptionGroup:
    """A setup with what the options say. Raise ConfigError."""
    names = {
        "retries": "retry_max_times",
        "retry_queues": "retry_queue_nums",
        "in_order": "consume_message_orderly",
        "broadcast": "consume_broadcast_enable",
        "enable": "consume_enable",
    }
    changes: dict[str, Any] = {
        field: options[option] for option, field in names.items() if options[option] is not None
    }
    if options["retry_policy"] is not None:
        changes["group_retry_policy"] = retry_policy(options["retry_policy"])
    if options["attributes"]:
        changes["attributes"] = {**setup.attributes, **pairs(options["attributes"], "--attribute")}
    return replace(setup, **changes)


def _check_kept(setups: list[tuple[Broker, SubscriptionGroup]], wanted: SubscriptionGroup) -> None:
    """Raise FeatureUnavailable when a broker took a retry policy and dropped it."""
    for broker, setup in setups:
        if not wanted.group_retry_policy.items() <= setup.group_retry_policy.items():
            raise FeatureUnavailable(
                f"{broker.name} does not keep retry policies; they need a broker of version 5 "
                "(the rest is done)"
            )


def retry_policy(text: str) -> dict[str, Any]:
    """The policy that a text means, as brokers keep it. Raise ConfigError."""
    kind, _, rest = text.partition(":")
    parts = [part.strip() for part in rest.split(",") if part.strip()]
    if kind == "levels" and not parts:
        return {"type": "CUSTOMIZED"}
    if kind == "exponential" and len(parts) == 3 and parts[2].isdigit():
        first, longest = (round(seconds_of(part, "--retry-policy") * 1000) for part in parts[:2])
        policy = {"initial": first, "max": longest, "multiplier": int(parts[2])}
        return {"type": "EXPONENTIAL", "exponentialRetryPolicy": policy}
    if kind == "steps" and parts:
        steps = [round(seconds_of(part, "--retry-policy") * 1000) for part in parts]
        # Brokers take the third step for the first retry, as with delay levels.
        own = {"next": [steps[0], steps[0], *steps]}
        return {"type": "CUSTOMIZED", "customizedRetryPolicy": own}
    raise ConfigError(
        f"--retry-policy {text}: say levels, exponential:FIRST,LONGEST,FACTOR such as "
        "exponential:5s,2h,2, or steps:10s,1m,1h"
    )


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq group create billing", "With RocketMQ's defaults."),
        (
            "pocketmq group create billing --retries 3 --retry-policy exponential:10s,1h,3",
            "Dead letters after three tries, 10 s, 30 s and 90 s apart.",
        ),
    ],
)
@click.argument("name")
@_setup_options
@click.option("--exists-ok", is_flag=True, help="Leave a group as it is when it exists.")
@asking
def create(
    name: str, exists_ok: bool, nameserver: str | None, as_json: bool, **options: Any
) -> None:
    """Create a group on all brokers."""

    async def go(admin: Admin) -> list[Broker] | None:
        from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup

        if await admin.groups.setups(name):
            if exists_ok:
                return None
            raise ConfigError(
                f"the group {name} exists; change it with `group update {name}`, or say "
                "--exists-ok to leave it as it is"
            )
        setup = _changed(SubscriptionGroup(name), options)
        created = await admin.groups.create(name, setup=setup)
        if options["retry_policy"] is not None:
            _check_kept(await admin.groups.setups(name), setup)
        return created

    brokers = ask(nameserver, go)
    if as_json:
        print_json({"group": name, "created": brokers is not None, "brokers": brokers or []})
    elif brokers is None:
        terminal.echo(f"{name} exists and stays as it is")
    else:
        terminal.echo(f"{name} is known to {', '.join(one.name for one in brokers)}")


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq group update billing --retries 5", "All else stays as it is."),
        ("pocketmq group update billing --disable", "Let it consume nothing for now."),
        ("pocketmq group update billing --retry-policy levels", "Back to the delay levels."),
    ],
)
@group_argument("name")
@_setup_options
@asking
def update(name: str, nameserver: str | None, as_json: bool, **options: Any) -> None:
    """Change what is given of a group, and leave the rest as it is."""
    if not options["attributes"] and all(
        value is None for option, value in options.items() if option != "attributes"
    ):
        raise ConfigError("say what to change, such as --retries 5 or --disable")
    setups = ask(
        nameserver, lambda admin: admin.groups.update(name, lambda known: _changed(known, options))
    )
    if options["retry_policy"] is not None:
        _check_kept(setups, _changed(setups[0][1], options))
    if as_json:
        found = [{"broker": broker.name, "setup": setup} for broker, setup in setups]
        print_json({"group": name, "brokers": found})
        return
    for broker, setup in setups[:1]:
        print_fields([("group", name), ("on", broker.name), *setup_fields(setup)])


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq group forbid billing orders", "billing gets nothing of orders for now."),
    ],
)
@group_argument()
@topic_argument()
@asking
def forbid(group: str, topic: str, nameserver: str | None, as_json: bool) -> None:
    """Let a group read a topic no more, until it is allowed again."""
    _set_readable(group, topic, nameserver, as_json, readable=False)


@click.command(cls=Verb, examples=[("pocketmq group allow billing orders", "Undo `group forbid`.")])
@group_argument()
@topic_argument()
@asking
def allow(group: str, topic: str, nameserver: str | None, as_json: bool) -> None:
    """Let a group read a topic again."""
    _set_readable(group, topic, nameserver, as_json, readable=True)


def _set_readable(
    group: str, topic: str, nameserver: str | None, as_json: bool, *, readable: bool
) -> None:
    brokers = ask(nameserver, lambda admin: admin.groups.forbid(group, topic, readable=readable))
    if as_json:
        print_json({"group": group, "topic": topic, "readable": readable, "brokers": brokers})
        return
    word = "may" if readable else "may not"
    terminal.echo(f"{group} {word} read {topic} on {', '.join(one.name for one in brokers)}")
