"""Every leaf is really what its users run: a chooser that lost its import would go unnoticed."""

from __future__ import annotations

import ast
import importlib
import time
from pathlib import Path
from types import ModuleType

import pytest

import pocketmq
from pocketmq import _speedups
from pocketmq.clock import SystemClock

SOURCE = Path(pocketmq.__file__).parent


def users() -> list[ModuleType]:
    """The modules that end in a chooser."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE)
        if inside.parts[0] != "_speedups" and "_speedups.has(" in path.read_text("utf-8"):
            name = ".".join(("pocketmq", *inside.with_suffix("").parts))
            found.append(importlib.import_module(name))
    return found


def functions(leaf: str) -> list[str]:
    """What the types of a leaf promise; protocols only say what it is given."""
    tree = ast.parse((SOURCE / "_speedups" / f"{leaf}.pyi").read_text("utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node.name for node in found if "Protocol" not in map(ast.unparse, _bases(node))]


def _bases(node: ast.FunctionDef | ast.ClassDef) -> list[ast.expr]:
    return node.bases if isinstance(node, ast.ClassDef) else []


@pytest.mark.parametrize("leaf", _speedups.leaves())
def test_everything_in_a_leaf_is_what_a_module_exposes(leaf: str) -> None:
    if not _speedups.has(leaf):
        pytest.skip(f"the leaf {leaf!r} is not compiled, or not wanted")
    compiled = importlib.import_module(f"pocketmq._speedups.{leaf}")
    exposed = {id(value) for module in users() for value in vars(module).values()}
    assert functions(leaf)
    unused = [name for name in functions(leaf) if id(getattr(compiled, name)) not in exposed]
    assert not unused, f"no module exposes {leaf}.{', '.join(unused)}"


@pytest.mark.parametrize("module", users(), ids=lambda module: module.__name__)
def test_every_plain_twin_has_a_chosen_one(module: ModuleType) -> None:
    twins = [name for name in vars(module) if name.endswith("_plain")]
    own = [name for name in twins if getattr(module, name).__module__ == module.__name__]
    for name in own:
        chosen = getattr(module, name.removesuffix("_plain"))
        if _speedups.PURE:
            assert chosen is getattr(module, name)
        elif _speedups.compiled():
            assert chosen is not getattr(module, name), f"{name} runs although it is compiled"


def test_the_wall_clock_is_the_systems() -> None:
    before = time.time_ns() // 1_000_000
    now_ms = SystemClock().now_ms()
    assert before <= now_ms <= time.time_ns() // 1_000_000
