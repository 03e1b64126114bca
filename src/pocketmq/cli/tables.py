"""What commands print: a table for people, or JSON for scripts.

On a terminal a table is as wide as that: the widest texts are shortened first, numbers never. In a
file everything is whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pocketmq.cli import terminal


@dataclass(frozen=True, slots=True)
class Coloured:
    """A cell in a colour."""

    value: str | int | float | bool | None
    colour: str


Cell = str | int | float | bool | None | Coloured

_GAP = "  "
_WHOLE = frozenset(("MESSAGE", "STORED", "WHEN", "ADDRESS", "BROKER", "QUEUE", "GIVEN UP AT"))
"""Headings of columns that are worth nothing in part, and short enough to be kept whole."""


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under headings, numbers to the right.

    A terminal gets what fits its width, and no column that holds nothing.
    """
    if terminal.is_terminal():
        places = _worth_showing(headings, rows)
        headings = [headings[place] for place in places]
        rows = [[row[place] for place in places] for row in rows]
    texts = [[_text(cell) for cell in row] for row in rows]
    columns = list(zip(headings, *texts, strict=True))
    widths = [max(map(terminal.width_of, column)) for column in columns]
    numbers = [_holds_numbers([row[place] for row in rows]) for place in range(len(headings))]
    if terminal.is_terminal():
        whole = [
            number or heading in _WHOLE for number, heading in zip(numbers, headings, strict=True)
        ]
        widths = _fitted(widths, numbers, whole, terminal.size()[0])
    head = _line(headings, widths, numbers)
    terminal.echo(terminal.paint(head, bold=True))
    for row, line in zip(rows, texts, strict=True):
        cells = [
            _cell(text, width, right, cell)
            for text, width, right, cell in zip(line, widths, numbers, row, strict=True)
        ]
        terminal.echo(_GAP.join(cells).rstrip())


def print_fields(fields: Sequence[tuple[str, Cell]]) -> None:
    """Print names and values, one a line."""
    width = max((len(name) for name, _ in fields), default=0)
    for name, cell in fields:
        colour = cell.colour if isinstance(cell, Coloured) else ""
        value = terminal.paint(_text(cell), colour) if colour else _text(cell)
        terminal.echo(f"{terminal.paint(name.ljust(width), bold=True)}{_GAP}{value}".rstrip())


def print_json(value: object, *, one_line: bool = False) -> None:
    """Print a value, dataclasses as objects, for scripts."""
    import json

    terminal.echo(
        json.dumps(plain(value), indent=None if one_line else 2, ensure_ascii=False, default=str)
    )


def plain(value: object) -> object:
    """A value as JSON has it: objects, lists, texts and numbers."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return value


def moment(time_ms: int) -> str:
    """A time of the cluster as local time; nothing for none. A terminal sees no date of today."""
    if time_ms <= 0:
        return ""
    at = datetime.fromtimestamp(time_ms / 1000)
    if terminal.is_terminal() and at.date() == datetime.now().date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%Y-%m-%d %H:%M:%S")


def precise_moment(time_ms: int) -> str:
    """The same with milliseconds."""
    return f"{moment(time_ms)}.{time_ms % 1000:03d}" if time_ms > 0 else ""


def size(count: int) -> str:
    """Bytes as people read them."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _fitted(
    widths: list[int], numbers: Sequence[bool], whole: Sequence[bool], room: int
) -> list[int]:
    """The widths that make a table fit: the widest columns of text give first, numbers never."""
    room -= len(_GAP) * (len(widths) - 1)
    found = widths
    for kept, narrowest in ((whole, 6), (whole, 3), (numbers, 3)):
        least = [
            width if keep else min(width, narrowest)
            for width, keep in zip(widths, kept, strict=True)
        ]
        level = max(widths)
        while True:
            found = [max(low, min(width, level)) for low, width in zip(least, widths, strict=True)]
            if sum(found) <= room:
                return found
            if level <= narrowest:
                break
            level -= 1
    return found


def _worth_showing(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    """The columns that hold anything at all; without rows all of them."""
    return [
        place
        for place in range(len(headings))
        if not rows or any(_text(row[place]) for row in rows)
    ]


def _line(texts: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    cells = [
        terminal.pad(terminal.cut(text, width), width, right=right)
        for text, width, right in zip(texts, widths, numbers, strict=True)
    ]
    return _GAP.join(cells).rstrip()


def _cell(text: str, width: int, right: bool, cell: Cell) -> str:
    padded = terminal.pad(terminal.cut(text, width), width, right=right)
    return terminal.paint(padded, cell.colour) if isinstance(cell, Coloured) else padded


def _holds_numbers(cells: Sequence[Cell]) -> bool:
    values = [cell.value if isinstance(cell, Coloured) else cell for cell in cells]
    return bool(values) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )


def _text(cell: Cell) -> str:
    value = cell.value if isinstance(cell, Coloured) else cell
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return terminal.visible(str(value))
