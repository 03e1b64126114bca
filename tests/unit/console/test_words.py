"""The console's words: the same in both languages, and every key that a page uses is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[3] / "src" / "pocketmq" / "console" / "static"
TABLES = {path.stem: json.loads(path.read_text("utf-8")) for path in STATIC.glob("text/*.json")}
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
NAMES = {
    *("body.hessian", "body.java", "body.json"),
    *("column.broker", "column.tag", "messages.by_key", "messages.key"),
}
"""What RocketMQ's users call the same in both languages."""
PLACE = re.compile(r"\{(\w+)\}")
USED = re.compile(r"""\bt\(\s*"([^"]+)\"""")
CHOSEN = re.compile(r"""\bt\([^"`()]*\?\s*"([^"]+)"\s*:\s*"([^"]+)\"""")
FAMILIES = re.compile(r"""\bterm\(\s*"([^"]+)"|\bt\(`([^`$]+?)\.?_?\$""")


def test_both_languages_have_the_same_keys() -> None:
    assert set(TABLES) == {"en", "zh"}
    assert sorted(TABLES["en"]) == sorted(TABLES["zh"])


def test_a_text_has_the_same_places_for_values_in_both_languages() -> None:
    # Chinese says some sentences without naming the thing again.
    odd = [
        key
        for key, text in TABLES["zh"].items()
        if not set(PLACE.findall(text)) <= set(PLACE.findall(TABLES["en"][key]))
    ]
    assert odd == []


def test_no_text_is_empty_or_was_left_in_english() -> None:
    same = {key for key, text in TABLES["en"].items() if TABLES["zh"][key] == text}
    names = {
        "body.hessian",
        "body.java",
        "body.json",
        "column.broker",
        "column.tag",
        "messages.by_key",
        "messages.key",
    }
    assert same == names
    assert all(text.strip() for table in TABLES.values() for text in table.values())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_key_of_a_script_has_a_text(script: Path) -> None:
    code = script.read_text(encoding="utf-8")
    used = {*USED.findall(code), *(key for pair in CHOSEN.findall(code) for key in pair)}
    assert sorted(used - set(TABLES["en"])) == []


def test_every_family_of_words_has_members() -> None:
    keys = TABLES["en"]
    families = {
        family
        for script in SCRIPTS
        for pair in FAMILIES.findall(script.read_text(encoding="utf-8"))
        for family in pair
        if family
    }
    assert len(families) > 15
    assert [family for family in families if not any(key.startswith(family) for key in keys)] == []


def test_no_text_is_left_over() -> None:
    code = "\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS)
    families = {family for pair in FAMILIES.findall(code) for family in pair if family}
    left = [
        key
        for key in TABLES["en"]
        if f'"{key}"' not in code and not any(key.startswith(family) for family in families)
    ]
    assert left == []
