"""The entry point of `pocketmq`: finds the command, runs it, and turns failures into one line.

Commands are imported when they are called, so that `up` pays for nothing it does not use.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from pocketmq.cli import exits
from pocketmq.errors import PocketMQError

try:
    import click

    from pocketmq.cli.commands import Noun
except ImportError:
    sys.exit(
        "pocketmq: the servers need more than the standard library; "
        "install them with: pip install 'pocketmq[server]'"
    )

_CURES = {
    errno.ENOSPC: "the disk is full; free some space or choose another --data directory",
    errno.EACCES: "this user may not write there; choose another --data directory",
    errno.EPERM: "this user may not write there; choose another --data directory",
    errno.EROFS: "that file system is read-only; choose another --data directory",
    errno.ENOTDIR: "that is not a directory; choose another --data directory",
    errno.EEXIST: "that is not a directory; choose another --data directory",
    errno.ENOENT: "that cannot be made there; choose another --data directory",
    errno.ENAMETOOLONG: "that name is too long; choose another --data directory",
    errno.ELOOP: "that link leads nowhere; choose another --data directory",
    errno.EIO: "the disk fails; check it, or choose another --data directory",
    errno.EMFILE: "too many open files; raise the limit with ulimit -n",
}


_PLACES = {
    "up": ("pocketmq.cli.servers", "up"),
    "nameserver": ("pocketmq.cli.servers", "nameserver"),
    "broker": ("pocketmq.cli.servers", "broker"),
    "edge": ("pocketmq.cli.edge", "edge"),
    "console": ("pocketmq.cli.console", "console"),
    "hello": ("pocketmq.cli.hello", "hello"),
    "version": ("pocketmq.cli.version", "version"),
    "cluster": ("pocketmq.cli.cluster", "cluster"),
    "topic": ("pocketmq.cli.topic", "topic"),
    "group": ("pocketmq.cli.group", "group"),
    "message": ("pocketmq.cli.message", "message"),
    "offset": ("pocketmq.cli.offset", "offset"),
    "bench": ("pocketmq.cli.bench", "bench"),
    "exporter": ("pocketmq.cli.exporter", "exporter"),
    "dlq": ("pocketmq.cli.dlq", "dlq"),
    "config": ("pocketmq.cli.config", "config"),
    "doctor": ("pocketmq.cli.doctor", "doctor"),
    "user": ("pocketmq.cli.user", "user"),
    "acl": ("pocketmq.cli.acl", "acl"),
    "completion": ("pocketmq.cli.completion", "completion"),
}


_SECTIONS = {
    "Servers": ("up", "hello", "nameserver", "broker", "edge", "exporter"),
    "Messages": ("message", "topic", "group", "offset", "dlq"),
    "Clusters": ("cluster", "config", "user", "acl", "doctor", "bench"),
}


@click.group(
    cls=Noun,
    places=_PLACES,
    sections=_SECTIONS,
    examples=[
        ("pocketmq up", "A name server, a broker and the console, with data that stays."),
        ("pocketmq hello", "Send a first message and receive it."),
        ("pocketmq message tail orders -n rocketmq.example:9876", "Follow a topic elsewhere."),
        ("source <(pocketmq completion bash)", "Complete commands, flags and live names."),
    ],
)
def commands() -> None:
    """Apache RocketMQ's name server and broker in Python.

    `pocketmq up` starts both and needs nothing else. The other commands work on any RocketMQ
    cluster, Apache's too: -n HOST:PORT or NAMESRV_ADDR says where its name server is.

    \b
    Commands end with
      0    done
      1    what was asked for is not there, or a check found something
      2    the command was called wrongly, or a setting is wrong
      3    no server could be reached in time
      4    a server refused
      130  ended by Ctrl-C, or not meant after all
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit, after a failure with one line that explains it.

    `pocketmq.cli.exits` lists the codes.
    """
    try:
        ended = commands.main(
            args=None if arguments is None else list(arguments),
            prog_name="pocketmq",
            standalone_mode=False,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(exits.WRONG)
    except click.ClickException as error:
        _fail(_one_line(error.format_message()) + _where_help_is(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(exits.INTERRUPTED)
    except PocketMQError as error:
        _fail(exits.message_of(error), exits.exit_code(error))
    except OSError as error:
        if error.errno not in _CURES:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _fail(place + _CURES[error.errno])
    # What a command ends with by `ctx.exit` comes back as a number.
    sys.exit(ended if isinstance(ended, int) else exits.DONE)


def _fail(line: str, code: int = exits.WRONG) -> None:
    click.echo(f"pocketmq: {line}", err=True)
    sys.exit(code)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _where_help_is(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help." if context is not None else ""
