"""The compiled leaves: hot functions of bytes and integers, each with a plain-Python twin.

A leaf `x` is `x.pyx` with its types in `x.pyi`. The twin lives beside its users and ends in a
chooser:

    if _speedups.has("x"):
        from pocketmq._speedups.x import scan

`POCKETMQ_PURE=1` makes `has` answer False, so the twins run even where the leaves are built.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_HERE = Path(__file__).parent

PURE = os.environ.get("POCKETMQ_PURE", "") not in ("", "0")
"""True when the environment asks for the plain-Python twins."""


@cache
def leaves() -> tuple[str, ...]:
    """Return the names of all leaves, built or not."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.pyi")))


@cache
def built() -> tuple[str, ...]:
    """Return the names of the leaves that were compiled for this Python."""
    files = set(os.listdir(_HERE))
    return tuple(x for x in leaves() if any(x + end in files for end in EXTENSION_SUFFIXES))


def has(leaf: str) -> bool:
    """Say whether `leaf` is compiled and wanted, so that its user may import it."""
    return not PURE and leaf in built()


def compiled() -> bool:
    """Say whether this process runs compiled code for every leaf."""
    return not PURE and len(leaves()) > 0 and built() == leaves()
