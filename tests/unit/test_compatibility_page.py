"""The page of clients and models says what was seen, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripts.compatibility import page
from tests.compat.table import Results

DOCUMENT: dict[str, Any] = {
    "clients": {"java-5.3.3": "Java", "go": "Go"},
    "models": {"ordered": "Ordered", "pop": "POP"},
    "lacks": {"go": {"pop": "has no POP"}},
    "results": {"java-5.3.3": {"ordered": {"test_ordered.py::test_order_is_kept[java]": "passed"}}},
}


def row(document: dict[str, Any], title: str) -> list[str]:
    (line,) = [line for line in page(document).splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_only_what_was_seen_to_pass_passes() -> None:
    assert row(DOCUMENT, "Ordered") == ["**passes**", "not run"]
    assert row(DOCUMENT, "POP") == ["not run", "lacks it"]
    assert "| Go | POP | has no POP |" in page(DOCUMENT)
    assert "- Order is kept." in page(DOCUMENT)


def test_one_failure_of_many_tests_is_a_failure() -> None:
    tests = {"a.py::test_one[java]": "passed", "a.py::test_two[java]": "failed"}
    document = {**DOCUMENT, "results": {"java-5.3.3": {"ordered": tests}}}
    assert row(document, "Ordered") == ["*fails*", "not run"]
    assert "- Two. (*fails*: Java)" in page(document)


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_whole_run_replaces_the_results_and_a_part_of_one_only_its_own(
    is_whole: bool, tmp_path: Path
) -> None:
    path = tmp_path / "compatibility.json"
    Results(True, {"go": {"ordered": {"a": "failed", "b": "passed"}}}).save(path)
    Results(is_whole, {"go": {"ordered": {"a": "passed"}}}).save(path)
    kept = {} if is_whole else {"b": "passed"}
    found = json.loads(path.read_text(encoding="utf-8"))["results"]
    assert found == {"go": {"ordered": {"a": "passed", **kept}}}


def test_a_run_without_results_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "compatibility.json"
    Results(True, {}).save(path)
    assert not path.exists()
