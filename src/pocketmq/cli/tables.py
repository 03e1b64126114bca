"""What commands print: a table for people, or JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime

import click

Cell = str | int | float | bool | None

_NARROWEST = 40
_GAP = "   "


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under headings, numbers to the right, cut to the width of a terminal."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
    on_terminal = sys.stdout.isatty()
    room = max(shutil.get_terminal_size().columns, _NARROWEST) if on_terminal else None
    head = _line(headings, widths, [False] * len(widths))
    click.echo(click.style(_cut(head, room), bold=True) if on_terminal else head)
    for row, line in zip(rows, texts, strict=True):
        to_right = [isinstance(cell, (int, float)) for cell in row]
        click.echo(_cut(_line(line, widths, to_right), room))


def print_json(value: object) -> None:
    """Print a value, dataclasses as objects, for scripts."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def moment(time_ms: int) -> str:
    """A time of the cluster as local time; nothing for none."""
    if time_ms <= 0:
        return ""
    return datetime.fromtimestamp(time_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def _line(texts: Sequence[str], widths: Sequence[int], to_right: Sequence[bool]) -> str:
    cells = [
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(texts, widths, to_right, strict=True)
    ]
    return _GAP.join(cells).rstrip()


def _cut(line: str, room: int | None) -> str:
    return line if room is None or len(line) <= room else line[: room - 1] + "…"


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value
