"""Which leaves run: the compiled ones where they are built, Python's where that is asked for."""

from __future__ import annotations

import os
import subprocess
import sys

from pocketmq import _speedups

SAY = "from pocketmq import _speedups as s; print(s.compiled(), any(map(s.has, s.leaves())))"


def said(**environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", SAY],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_every_leaf_has_source_and_types() -> None:
    assert _speedups.leaves()
    assert set(_speedups.built()) <= set(_speedups.leaves())


def test_pure_turns_every_leaf_off() -> None:
    assert said(POCKETMQ_PURE="1") == "False False"


def test_a_full_build_is_reported_as_compiled() -> None:
    full = _speedups.built() == _speedups.leaves()
    assert said(POCKETMQ_PURE="") == f"{full} {bool(_speedups.built())}"
