"""`pocketmq message send` and `resend`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from pocketmq.cli import terminal
from pocketmq.cli.commands import Verb
from pocketmq.cli.completing import complete_group, complete_topic, topic_argument
from pocketmq.cli.connecting import ask, asking, confirm, yes_option
from pocketmq.cli.exits import NOT_THERE, NotThere
from pocketmq.cli.message_find import found_by_id
from pocketmq.cli.progress import Progress
from pocketmq.cli.tables import print_fields, print_json
from pocketmq.cli.values import moment_ms, pairs, queue_of, seconds_of
from pocketmq.client.messages import Message, MessageQueue, SendReceipt
from pocketmq.errors import BrokerRefused, ConfigError, SendFailed
from pocketmq.protocol.codes import ResponseCode

if TYPE_CHECKING:
    from pocketmq.admin import Admin


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq message send orders 'two pizzas' --tag new --key 4711", "One message."),
        ("pocketmq message send orders --file order.json", "The bytes of a file."),
        ("generate | pocketmq message send orders --lines", "Each line of the input is a message."),
        ("pocketmq message send orders later --delay 10s", "Consumers see it in ten seconds."),
        (
            "pocketmq message send orders step-1 --order-by customer-7",
            "Messages with the same text here go to the same queue.",
        ),
    ],
)
@topic_argument()
@click.argument("body", required=False)
@click.option(
    "-f", "--file", "source", type=click.File("rb"), metavar="FILE",
    help="Take the body from a file; - is standard input.",
)  # fmt: skip
@click.option("--lines", is_flag=True, help="Make each line of the input a message.")
@click.option("-t", "--tag", default="", metavar="TAG", help="What consumers can filter by.")
@click.option("-k", "--key", "keys", multiple=True, metavar="KEY", help="To find it by; again.")
@click.option(
    "-p", "--property", "properties", multiple=True, metavar="NAME=VALUE",
    help="A property; can be given again.",
)  # fmt: skip
@click.option("--order-by", default="", metavar="TEXT", help="Same text, same queue.")
@click.option("--delay", metavar="DURATION", help="Deliver it later, such as 10s or 2h.")
@click.option("--at", metavar="TIME", help="Deliver it at a time.")
@click.option("--queue", metavar="BROKER:QUEUE", help="Into this queue.")
@click.option(
    "--count", metavar="COUNT", type=click.IntRange(min=1), default=1, help="So many times."
)
@asking
def send(
    topic: str,
    body: str | None,
    source: BinaryIO | None,
    lines: bool,
    count: int,
    queue: str | None,
    nameserver: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Send messages to a topic. Without a BODY they come from standard input."""
    if body is not None and (source is not None or lines):
        raise ConfigError("BODY, --file and --lines are ways to give a body; use one of them")
    if options["delay"] is not None and options["at"] is not None:
        raise ConfigError("--delay and --at both say when; give one of them")
    target = None if queue is None else queue_of(queue, "--queue")
    messages = _messages(topic, body, source, lines, count, options)
    is_late = options["delay"] is not None or options["at"] is not None

    async def go(admin: Admin) -> int:
        sent = 0
        place = None if target is None else await _place(admin, topic, target)
        with Progress("sending") as progress:
            for message in messages:
                receipt = await _send(admin, message, place)
                sent += 1
                if as_json:
                    print_json(receipt, one_line=lines or count > 1)
                elif not lines and count == 1:
                    terminal.echo(_stored(receipt, is_late=is_late))
                progress.update(sent, 0 if lines else count)
        return sent

    sent = ask(nameserver, go)
    if not as_json and (lines or count > 1):
        terminal.echo(f"{sent} messages {'will be' if is_late else 'are'} in {topic}")


async def _place(admin: Admin, topic: str, target: tuple[str, int]) -> MessageQueue:
    """A queue of a topic. Raise NotThere when there is no such queue."""
    queue = MessageQueue(topic, *target)
    if queue not in [place.queue for place in await admin.messages.reader.places(topic)]:
        raise NotThere(
            f"{topic} has no queue {target[0]}:{target[1]}; `topic show {topic}` lists them"
        )
    return queue


async def _send(admin: Admin, message: Message, queue: MessageQueue | None) -> SendReceipt:
    """Send a message. Raise NotThere for a topic that does not exist."""
    topic = message.topic
    try:
        return await admin.messages.send(message, queue=queue)
    except SendFailed as error:
        codes = {one.code for _, one in error.attempts if isinstance(one, BrokerRefused)}
        if ResponseCode.TOPIC_NOT_EXIST not in codes:
            raise
        raise NotThere(
            f"there is no topic {topic}, and this cluster makes none at a send; make it with "
            f"`topic create {topic}`"
        ) from None


def _stored(receipt: SendReceipt, *, is_late: bool = False) -> str:
    """Where a message is, in a line."""
    if is_late:
        return f"{receipt.message_id} waits at {receipt.broker_name} until it is due"
    doubt = "" if receipt.status.value == "SEND_OK" else f" ({receipt.status.value})"
    place = f"{receipt.broker_name}:{receipt.queue_id}, offset {receipt.queue_offset}"
    return f"{receipt.message_id} is in {receipt.topic}, queue {place}{doubt}"


def _messages(
    topic: str,
    body: str | None,
    source: BinaryIO | None,
    lines: bool,
    count: int,
    options: dict[str, Any],
) -> Iterator[Message]:
    given = source if source is not None else sys.stdin.buffer
    if lines:
        for line in given:
            text = line.rstrip(b"\r\n")
            if text:
                yield _message(topic, text, options)
        return
    content = body.encode() if body is not None else given.read()
    for _ in range(count):
        yield _message(topic, content, options)


def _message(topic: str, body: bytes, options: dict[str, Any]) -> Message:
    delay, at = options["delay"], options["at"]
    return Message(
        topic,
        body,
        tag=options["tag"],
        keys=options["keys"],
        properties=pairs(options["properties"], "--property"),
        order_by=options["order_by"],
        delay=None if delay is None else seconds_of(delay, "--delay"),
        deliver_at=None if at is None else moment_ms(at, "--at") / 1000,
    )


@click.command(
    cls=Verb,
    examples=[
        ("pocketmq message resend 7F00…01", "A copy to the same topic, for every group."),
        ("pocketmq message resend 7F00…01 --to inspection -y", "A copy to another topic."),
        (
            "pocketmq message resend 7F00…01 --group billing",
            "Let one consumer of billing handle it now, and say how that went.",
        ),
    ],
)
@click.argument("message_id", metavar="ID")
@click.option("--topic", metavar="NAME", shell_complete=complete_topic, help="Where it is.")
@click.option("--to", metavar="TOPIC", shell_complete=complete_topic, help="Where the copy goes.")
@click.option(
    "--group", metavar="NAME", shell_complete=complete_group,
    help="Hand it to a consumer of this group instead.",
)  # fmt: skip
@click.option("--client", metavar="ID", help="To this one; `group show` lists them.")
@yes_option
@asking
def resend(
    message_id: str,
    topic: str | None,
    to: str | None,
    group: str | None,
    client: str | None,
    yes: bool,
    nameserver: str | None,
    as_json: bool,
) -> None:
    """Send a message again, as a copy or to one consumer."""
    if group is not None and to is not None:
        raise ConfigError("--group hands it to a consumer, --to makes a copy; give one of them")
    if client is not None and group is None:
        raise ConfigError("--client is a consumer of a group; give --group too")
    found = ask(nameserver, lambda admin: found_by_id(admin, message_id, topic))[0]
    where = f"to a consumer of {group}" if group else f"to {to or found.topic}, for every group"
    confirm(f"Send {found.message_id} again, {where}?", yes=yes)
    if group is None:
        receipt = ask(nameserver, lambda admin: admin.messages.resend(found, to))
        if as_json:
            print_json(receipt)
        else:
            terminal.echo(_stored(receipt))
        return
    handled = ask(nameserver, lambda admin: admin.messages.hand_over(found, group, client))
    if as_json:
        print_json(handled)
    else:
        print_fields(
            [
                ("consumer", handled.client_id),
                ("outcome", handled.outcome),
                ("took", f"{handled.spent_ms} ms"),
                ("remark", handled.remark),
            ]
        )
    if handled.outcome not in ("success", "commit"):
        click.get_current_context().exit(NOT_THERE)
