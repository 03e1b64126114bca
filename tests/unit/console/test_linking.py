"""The first view names its modules in index.html, so that they come at once, not in a chain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts import console_parts

STATIC = Path(__file__).parents[3] / "src" / "pocketmq" / "console" / "static"
FIRST = ("js/app.js", "js/pages/overview.js")
IMPORT = re.compile(r"""from ?"(\.[^"]+)\"""")
PRELOAD = re.compile(r"""rel="modulepreload" href="static/([^"]+)\"""")


def modules_behind(first: tuple[str, ...]) -> set[str]:
    """The modules that these import, and what those import, themselves included."""
    found: set[str] = set()
    left = list(first)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        here = STATIC / name
        for wanted in IMPORT.findall(here.read_text(encoding="utf-8")):
            left.append((here.parent / wanted).resolve().relative_to(STATIC.resolve()).as_posix())
    return found


def test_index_preloads_what_the_first_view_needs_and_no_more() -> None:
    if not console_parts.complete():
        pytest.skip("the console's libraries are not here: python scripts/console_parts.py")
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    assert set(PRELOAD.findall(index)) == modules_behind(FIRST)
