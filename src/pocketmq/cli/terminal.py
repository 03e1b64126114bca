"""What the output goes to: a terminal with a width and colours, or a file that wants neither.

Colours are for terminals alone, and not where NO_COLOR is set or TERM is dumb. Text from messages
and names may hold anything, so control characters are shown and never sent to a terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import NoReturn

import click

from pocketmq.cli.exits import PIPE_CLOSED

_NARROWEST = 40
_captured: list[StringIO] = []


def is_terminal() -> bool:
    """Whether people watch the output."""
    return bool(_captured) or sys.stdout.isatty()


def has_colours() -> bool:
    """Whether it may be coloured."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def size() -> tuple[int, int]:
    """Columns and lines of the terminal."""
    import shutil

    columns, lines = shutil.get_terminal_size()
    return max(columns, _NARROWEST), lines


def paint(text: str, colour: str = "", *, bold: bool = False, dim: bool = False) -> str:
    """Text in a colour, where there are colours."""
    if not has_colours():
        return text
    return click.style(text, fg=colour or None, bold=bold or None, dim=dim or None)


def echo(text: str = "") -> None:
    """Print a line. When nobody reads it any more, as after `| head`, the command ends."""
    if _captured:
        _captured[-1].write(text + "\n")
        return
    try:
        click.echo(text, color=has_colours())
    except BrokenPipeError:
        leave_the_pipe()


def write_bytes(data: bytes) -> None:
    """Print bytes as they are."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        leave_the_pipe()


def leave_the_pipe() -> NoReturn:
    """End quietly when nobody reads the output any more. Raise click's Exit."""
    # Python flushes standard output at exit, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise click.exceptions.Exit(PIPE_CLOSED)


@contextmanager
def captured() -> Iterator[StringIO]:
    """Collect lines for a terminal instead of printing them."""
    collected = StringIO()
    _captured.append(collected)
    try:
        yield collected
    finally:
        _captured.pop()


def visible(text: str) -> str:
    """Text without what would move a terminal's cursor or colour it: control characters shown."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _shown(one) for one in text)


def _shown(one: str) -> str:
    simple = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(one)
    return simple or (f"\\x{ord(one):02x}" if ord(one) < 256 else f"\\u{ord(one):04x}")


def width_of(text: str) -> int:
    """How many columns a text takes; Chinese characters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, columns: int) -> str:
    """Text that takes no more than so many columns; an ellipsis says that there was more."""
    if width_of(text) <= columns:
        return text
    kept = text[: max(columns - 1, 0)]
    while width_of(kept) > columns - 1 and kept:
        kept = kept[:-1]
    return kept + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Text filled up with spaces, to the right or the left of it."""
    spaces = " " * max(columns - width_of(text), 0)
    return spaces + text if right else text + spaces
