"""`pocketmq offset`: where groups are, and where they go on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Noun
from pocketmq.cli.completing import group_argument, topic_argument
from pocketmq.cli.connecting import ask, asking, confirm, report, watching, yes_option
from pocketmq.cli.exits import NotThere
from pocketmq.cli.tables import moment, print_json, print_table
from pocketmq.cli.values import END, FIRST, moment_ms, queue_of
from pocketmq.errors import ConfigError

if TYPE_CHECKING:
    from pocketmq.admin import Admin, QueueProgress, ResetQueue


@click.group(cls=Noun)
def offset() -> None:
    """See where groups are, and let them go on elsewhere."""


@offset.command(
    examples=[
        ("pocketmq offset show billing", "In all its topics."),
        ("pocketmq offset show billing orders --watch 2", "In one, again and again."),
    ],
)
@group_argument()
@topic_argument(required=False)
@watching
def show(group: str, topic: str | None, nameserver: str | None, as_json: bool) -> None:
    """Show how far a group is in each queue."""

    async def look(admin: Admin) -> list[QueueProgress]:
        found = await admin.groups.progress(group, topic)
        if not found:
            place = f" in {topic}" if topic else ""
            raise NotThere(
                f"group {group!r} has no position{place}; `group list` shows the groups there are"
            )
        return found

    report(nameserver, look, _print_progress, as_json=as_json, to_json=_progress_json)


def _progress_json(found: list[QueueProgress]) -> list[dict[str, Any]]:
    from pocketmq.cli.tables import plain

    rows = []
    for queue in found:
        row = plain(queue)
        assert isinstance(row, dict)
        rows.append({**row, "lag": queue.lag})
    return rows


def _print_progress(found: list[QueueProgress]) -> None:
    print_table(
        ("TOPIC", "BROKER", "QUEUE", "END", "CONSUMED", "LAG", "CONSUMED UP TO"),
        [
            (q.topic, q.broker, q.queue_id, q.end, q.consumed, q.lag, moment(q.consumed_ms))
            for q in found
        ],
    )


@offset.command(
    examples=[
        ("pocketmq offset reset billing orders --to first", "Everything again."),
        (
            "pocketmq offset reset billing orders --to 30m",
            "What was stored in the last 30 minutes.",
        ),
        (
            "pocketmq offset reset billing orders --to 2026-11-21T13:30:00 --dry-run",
            "Only show where it would go on.",
        ),
        (
            "pocketmq offset reset billing orders --queue broker-a:3 --to 4711",
            "To an offset, in one queue.",
        ),
    ],
)
@group_argument()
@topic_argument()
@click.option(
    "--to",
    required=True,
    metavar="first|end|TIME|OFFSET",
    help="The oldest message, the end, or the first message at or after a time, such as "
    "2026-11-21T13:30:00 (local unless it says otherwise) or 30m (ago); with --queue an offset.",
)
@click.option("--queue", metavar="BROKER:QUEUE", help="Only in this queue, to an offset.")
@click.option("--dry-run", is_flag=True, help="Show where it would go on, and change nothing.")
@yes_option
@asking
def reset(
    group: str,
    topic: str,
    to: str,
    queue: str | None,
    dry_run: bool,
    yes: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Let a group go on from another place."""
    if queue is not None:
        broker, number = queue_of(queue, "--queue")
        if not to.isdigit():
            raise ConfigError(f"--to {to}: with --queue say an offset, which is a number")
        at = int(to)
        _change(
            f"Let {group} go on at {at} in queue {queue} of {topic}?",
            lambda admin: _one(admin, group, topic, broker, number, at),
            None if not dry_run else lambda admin: _planned_one(broker, number, at, topic),
            nameserver,
            yes=yes,
            as_json=as_json,
        )
        return
    to_ms = _moment(to)
    _change(
        f"Let {group} go on in {topic} from {to}?",
        lambda admin: admin.offsets.reset(group, topic, to_ms),
        None if not dry_run else lambda admin: _planned(admin, topic, to_ms),
        nameserver,
        yes=yes,
        as_json=as_json,
    )


async def _one(
    admin: Admin, group: str, topic: str, broker: str, number: int, at: int
) -> list[ResetQueue]:
    return [await admin.offsets.set(group, topic, broker, number, at)]


async def _planned_one(broker: str, number: int, at: int, topic: str) -> list[ResetQueue]:
    from pocketmq.admin.offsets import ResetQueue

    return [ResetQueue(broker, number, at, topic)]


async def _planned(admin: Admin, topic: str, to_ms: int) -> list[ResetQueue]:
    """Where a group would go on in each queue of a topic."""
    from pocketmq.admin.offsets import ResetQueue

    reader = admin.messages.reader
    found = []
    for place in await reader.places(topic):
        at = await reader.first_offset(place, None if to_ms < 0 else to_ms)
        found.append(ResetQueue(place.queue.broker_name, place.queue.queue_id, at, topic))
    return found


def _moment(text: str) -> int:
    from pocketmq.admin.offsets import TO_THE_END

    if text in (FIRST, END):
        return 0 if text == FIRST else TO_THE_END
    try:
        return moment_ms(text, "--to")
    except ConfigError:
        raise ConfigError(
            f"--to {text}: say first, end, a time such as 2026-11-21T13:30:00, or 30m for half an "
            "hour ago"
        ) from None


@offset.command(
    examples=[
        ("pocketmq offset skip billing orders", "Forget the backlog, go on with what comes now."),
    ],
)
@group_argument()
@topic_argument()
@yes_option
@asking
def skip(group: str, topic: str, yes: bool, nameserver: str | None, as_json: bool) -> None:
    """Let a group forget what it has not consumed yet."""

    async def count(admin: Admin) -> int:
        return sum(queue.lag for queue in await admin.groups.progress(group, topic))

    behind = "" if yes else f" {ask(nameserver, count)} messages"
    _change(
        f"Let {group} skip{behind or ' what is there'} in {topic}?",
        lambda admin: admin.offsets.skip(group, topic),
        None,
        nameserver,
        yes=yes,
        as_json=as_json,
    )


@offset.command(
    examples=[
        ("pocketmq offset clone billing audit", "audit goes on where billing is, in all topics."),
        ("pocketmq offset clone billing audit orders", "In one topic."),
    ],
)
@group_argument("source")
@group_argument("target")
@topic_argument(required=False)
@yes_option
@asking
def clone(
    source: str,
    target: str,
    topic: str | None,
    yes: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Let one group go on where another is. The group must have no connected consumers."""
    _change(
        f"Let {target} go on where {source} is in {topic or 'all topics'}?",
        lambda admin: admin.offsets.clone(source, target, topic),
        None,
        nameserver,
        yes=yes,
        as_json=as_json,
    )


Queues = Callable[["Admin"], Coroutine[Any, Any, "list[ResetQueue]"]]


def _change(
    question: str,
    action: Queues,
    plan: Queues | None,
    nameserver: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Show the plan, or ask whether it is meant, do it and show where the group goes on."""
    if plan is None:
        confirm(question, yes=yes)
    queues = ask(nameserver, action if plan is None else plan)
    if as_json:
        print_json(queues)
        return
    rows = [(one.topic, one.broker, one.queue_id, one.offset) for one in queues]
    print_table(("TOPIC", "BROKER", "QUEUE", "GOES ON AT"), rows)
    if plan is not None:
        terminal.echo("Nothing is changed, as --dry-run asks.")
