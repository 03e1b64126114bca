"""How far long work is: for people at a terminal, and nobody else."""

from __future__ import annotations

import io

import pytest

from pocketmq.cli.progress import Progress


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_says_how_much_is_done_and_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    with Progress("giving back") as progress:
        progress.update(50, 100)
        half = screen.getvalue()
        progress.update(51, 100)  # too soon to be drawn
        assert screen.getvalue() == half
        progress.update(100, 100)
    assert "giving back " + "█" * 12 + "░" * 12 + " 50 of 100, " in half
    assert "s left" in half
    assert "█" * 24 + " 100 of 100, " in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_work_of_unknown_length_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with Progress("reading") as progress:
        progress.update(7)
    assert "reading 7, " in screen.getvalue()


def test_a_file_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading") as progress:
        progress.update(7, 7)
    assert capsys.readouterr() == ("", "")
