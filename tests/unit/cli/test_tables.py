"""Tables that fit, texts that cannot harm a terminal, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from typing import NamedTuple

import pytest

from pocketmq.cli import terminal
from pocketmq.cli.tables import Coloured, print_fields, print_json, print_table, size


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """A terminal of 60 columns that has no colours."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal.captured() as collected:
        yield collected


def lines_of(screen: StringIO) -> list[str]:
    return screen.getvalue().splitlines()


def test_a_table_is_as_wide_as_its_terminal(screen: StringIO) -> None:
    print_table(
        ("MESSAGE", "OFFSET", "TAG", "BODY"),
        [("7F0000010A3B18B4AAC2000000000001", 4711, "a tag", "b" * 90), ("short", 5, "", "c")],
    )
    head, first, second = lines_of(screen)
    assert max(map(len, (head, first, second))) == 60
    assert first.startswith("7F0000010A3B18B4AAC2000000000001    4711  a tag  ")
    assert first.endswith("b…")
    assert second.split() == ["short", "5", "c"]


def test_a_table_that_cannot_fit_keeps_its_numbers(screen: StringIO) -> None:
    print_table(("A", "B", "C"), [("a" * 50, 10**30, "b" * 50)])
    assert str(10**30) in lines_of(screen)[1]


def test_characters_of_double_width_are_counted_so(screen: StringIO) -> None:
    print_table(("NAME", "TEXT"), [("世界", "x"), ("ab", "y")])
    head, chinese, plain = lines_of(screen)
    assert chinese == "世界  x"
    assert plain == "ab    y"
    assert head == "NAME  TEXT"
    assert terminal.cut("世界世界", 5) == "世界…"
    assert terminal.width_of("e\u0301") == 1


def test_a_file_gets_everything_and_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("BODY", "LAG"), [("b" * 500, Coloured(3, "red"))])
    out = capsys.readouterr().out
    assert out == "BODY" + " " * 496 + "  LAG\n" + "b" * 500 + "    3\n"


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.captured() as collected:
        print_table(("LAG",), [(Coloured(3, "red"),)])
    assert collected.getvalue() == "\x1b[1mLAG\x1b[0m\n\x1b[31m  3\x1b[0m\n"
    for variable, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(variable, value)
        with terminal.captured() as collected:
            print_table(("LAG",), [(Coloured(3, "red"),)])
        assert "\x1b" not in collected.getvalue()
        monkeypatch.delenv(variable)


def test_control_characters_are_shown_and_not_sent(screen: StringIO) -> None:
    print_table(("NAME",), [("a\x1b[31mb\nc\td\r\x00\u202e",)])
    assert lines_of(screen)[1] == r"a\x1b[31mb\nc\td\r\x00\u202e"
    print_fields([("x", "\x1b]0;title\x07")])
    assert lines_of(screen)[2] == r"x  \x1b]0;title\x07"


def test_an_empty_table_is_its_headings(screen: StringIO) -> None:
    print_table(("A", "B"), [])
    assert lines_of(screen) == ["A  B"]


class _Kind(str, Enum):
    GOOD = "good"


class _Place(NamedTuple):
    broker: str
    queue: int


@dataclass(frozen=True)
class _Told:
    kind: _Kind
    places: list[_Place]
    by_id: dict[int, str]


def test_json_has_what_scripts_need(capsys: pytest.CaptureFixture[str]) -> None:
    told = _Told(_Kind.GOOD, [_Place("世", 1)], {1: "x"})
    print_json(told, one_line=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "世" in out
    assert json.loads(out) == {
        "kind": "good",
        "places": [{"broker": "世", "queue": 1}],
        "by_id": {"1": "x"},
    }


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")],
)
def test_sizes_as_people_read_them(count: int, text: str) -> None:
    assert size(count) == text
