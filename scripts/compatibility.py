"""Writes docs/reference/compatibility.md from the results of the interop tests beside it.

python scripts/compatibility.py           write the page
python scripts/compatibility.py --check   fail when the page is not what would be written
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
RESULTS = REFERENCE / "compatibility.json"
PAGE = REFERENCE / "compatibility.md"

HEAD = """<!-- Written by scripts/compatibility.py (make docs) from the tests' results. -->
# Compatibility

What the official RocketMQ clients were seen to do with a PocketMQ broker. `make interop` runs them
and writes this page: **passes** means that every test of the model passed with that client,
*fails* that one did not, *not run* that there is no result, and *lacks it* that the client has no
means for it.
"""


def page(document: dict[str, Any]) -> str:
    """Return the page of one set of results."""
    clients, models = document["clients"], document["models"]
    lines = [HEAD, "| | " + " | ".join(clients.values()) + " |", "|---" * (len(clients) + 1) + "|"]
    for model, title in models.items():
        cells = [_cell(document, client, model) for client in clients]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_lacking(document), *_tests(document)]) + "\n"


def _cell(document: dict[str, Any], client: str, model: str) -> str:
    outcomes = document["results"].get(client, {}).get(model, {}).values()
    if any(outcome != "passed" for outcome in outcomes):
        return "*fails*"
    if outcomes:
        return "**passes**"
    return "lacks it" if model in document["lacks"].get(client, {}) else "not run"


def _lacking(document: dict[str, Any]) -> list[str]:
    lines = ["## What a client lacks", "", "| Client | Model | Why |", "|---|---|---|"]
    for client, title in document["clients"].items():
        for model, reason in document["lacks"].get(client, {}).items():
            lines.append(f"| {title} | {document['models'][model]} | {reason} |")
    return [*lines, ""]


def _tests(document: dict[str, Any]) -> list[str]:
    lines = ["## What was tried", ""]
    for model, title in document["models"].items():
        tried: dict[str, set[str]] = {}
        for client, results in document["results"].items():
            for test, outcome in results.get(model, {}).items():
                sentence = _sentence(test)
                tried.setdefault(sentence, set())
                if outcome != "passed":
                    tried[sentence].add(document["clients"][client])
        if tried:
            lines += [f"**{title}**", ""]
        for sentence, failing in sorted(tried.items()):
            failure = f" (*fails*: {', '.join(sorted(failing))})" if failing else ""
            lines.append(f"- {sentence}{failure}")
        if tried:
            lines.append("")
    return lines[:-1]


def _sentence(test: str) -> str:
    """Turn a test's name into the sentence it is."""
    name = re.sub(r"\[.*", "", test.rpartition("::")[2]).removeprefix("test_")
    return name.replace("_", " ").capitalize() + "."


def main() -> None:
    """Write the page, or compare it."""
    text = page(json.loads(RESULTS.read_text(encoding="utf-8")))
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return
    if "--check" in sys.argv:
        sys.exit("docs/reference/compatibility.md is out of date; run make docs")
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
