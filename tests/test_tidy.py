"""The shape of the code: ceilings on files, functions and lines, docstrings, and banned names.

A limit that gets in the way is changed here, in the open, not worked around.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "pocketmq"
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100

FLAT_LISTS_OF_FACTS = {
    "src/pocketmq/settings/apache.py",
    "src/pocketmq/protocol/codes.py",
}

VOCABULARY = ("pocketmq.protocol.requests.", "pocketmq.protocol.bodies.")

BANNED_FILES = {"utils.py", "util.py", "common.py", "misc.py", "helpers.py", "helper.py"}
BANNED_IN_NAMES = re.compile(
    r"Manager|Impl$|^Default|^Abstract|^Base(?=[A-Z])|Helper|Wrapper|Info$"
)
TO_DO = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def _python_files(*folders: str) -> list[Path]:
    found: list[Path] = []
    for folder in folders:
        found += sorted((ROOT / folder).rglob("*.py"))
    return [path for path in found if "node_modules" not in path.parts]


SOURCE_FILES = _python_files("src")
ALL_FILES = _python_files("src", "tests", "bench", "fuzz", "scripts", "examples")


def _label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _lines_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        doc = function.body[0]
        assert doc.end_lineno is not None
        lines -= doc.end_lineno - doc.lineno + 1
    return lines


@pytest.mark.parametrize("path", ALL_FILES, ids=_label)
def test_a_file_keeps_the_limits(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.splitlines()
    problems = []
    if len(lines) > FILE_LINES_MAX and _label(path) not in FLAT_LISTS_OF_FACTS:
        problems.append(f"{len(lines)} lines; the most is {FILE_LINES_MAX}")
    problems += [
        f"line {number} has {len(line)} columns"
        for number, line in enumerate(lines, start=1)
        if len(line) > COLUMNS_MAX
    ]
    if ast.get_docstring(tree) is None:
        problems.append("no module docstring")
    problems += [
        f"{function.name} (line {function.lineno}) has {_lines_without_docstring(function)} lines"
        for function in _functions(tree)
        if _lines_without_docstring(function) > FUNCTION_LINES_MAX
    ]
    if TO_DO.search(text):
        problems.append("a note of work left to do")
    assert not problems, f"{_label(path)}: " + "; ".join(problems)


@pytest.mark.parametrize("path", SOURCE_FILES, ids=_label)
def test_names_are_nouns_of_the_trade(path: Path) -> None:
    assert path.name not in BANNED_FILES, f"{_label(path)}: find the noun"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert not BANNED_IN_NAMES.search(node.name), f"{_label(path)}: {node.name}"


def test_every_source_file_is_used() -> None:
    """Each module is imported by another, is a way in, or is a word of the wire.

    The wire's vocabulary is complete by intent: captured sessions hold words no handler uses yet.
    """
    ways_in = {
        "pocketmq",
        "pocketmq.__main__",
        "pocketmq.blocking",
        "pocketmq.cli.main",
        "pocketmq.testing.plugin",
    }
    imported: set[str] = set()
    for path in _python_files("src"):
        imported |= _imports(path)
    unused = [
        module
        for module in map(_module_name, SOURCE_FILES)
        if module not in ways_in and module not in imported and not module.startswith(VOCABULARY)
    ]
    assert not unused, "no source file imports " + ", ".join(unused)


def test_only_the_clock_reads_the_time() -> None:
    for path in SOURCE_FILES:
        if path.name == "clock.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert not (
                    node.value.id == "time"
                    and node.attr in {"time", "time_ns", "monotonic", "perf_counter"}
                ), f"{_label(path)} line {node.lineno}: take the time from a Clock"


def _module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> set[str]:
    """Return the modules a file imports, and the packages above them, itself excepted."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and str(node.value).startswith("pocketmq."):
            found.add(str(node.value))  # a module that is imported when it is needed
    above = {name.rsplit(".", depth)[0] for name in found for depth in range(1, name.count("."))}
    return (found | above) - {_module_name(path)}
