"""The entry point of `pocketmq`: finds the command, runs it, and turns failures into one line.

Commands are imported when they are called, so that `up` pays for nothing it does not use.
"""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence

from pocketmq.errors import PocketMQError

try:
    import click
except ImportError:
    sys.exit(
        "pocketmq: the servers need more than the standard library; "
        "install them with: pip install 'pocketmq[server]'"
    )

FAILED = 2

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
    "hello": ("pocketmq.cli.hello", "hello"),
    "version": ("pocketmq.cli.version", "version"),
    "cluster": ("pocketmq.cli.cluster", "cluster"),
    "topic": ("pocketmq.cli.topic", "topic"),
    "group": ("pocketmq.cli.group", "group"),
    "offset": ("pocketmq.cli.offset", "offset"),
}


class _LazyGroup(click.Group):
    """A group whose commands are named here and live elsewhere."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _PLACES.get(cmd_name)
        if place is None:
            return None
        command = getattr(importlib.import_module(place[0]), place[1])
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Apache RocketMQ's name server and broker in Python.

    `pocketmq up` starts both and needs nothing else.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 after success, 2 after a failure that one line explains."""
    try:
        commands.main(
            args=None if arguments is None else list(arguments),
            prog_name="pocketmq",
            standalone_mode=False,
        )
    except click.exceptions.Exit as finished:
        sys.exit(finished.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        sys.exit(error.format_message())
    except click.ClickException as error:
        _fail(_one_line(error.format_message()) + _where_help_is(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except PocketMQError as error:
        _fail(_one_line(str(error)))
    except OSError as error:
        if error.errno not in _CURES:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _fail(place + _CURES[error.errno])
    sys.exit(0)


def _fail(line: str) -> None:
    click.echo(f"pocketmq: {line}", err=True)
    sys.exit(FAILED)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _where_help_is(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help." if context is not None else ""
