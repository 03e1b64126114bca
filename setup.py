"""Builds the compiled leaves: one extension for each `src/pocketmq/_speedups/*.pyx`.

Everything else about the package is in pyproject.toml. A machine without a C compiler still gets
a working install: an extension that cannot be built is left out with a warning, and PocketMQ runs
the Python twin of that leaf. With POCKETMQ_REQUIRE_SPEEDUPS=1 a leaf that cannot be built is an
error instead; `make check` and CI use it so that a broken leaf cannot hide.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

REQUIRED = os.environ.get("POCKETMQ_REQUIRE_SPEEDUPS") == "1"
LEAVES = Path("src/pocketmq/_speedups")


def compiled_leaves() -> list[Extension]:
    """Return an extension for each leaf, or an empty list when Cython cannot translate them."""
    names = sorted(path.stem for path in LEAVES.glob("*.pyx"))
    if not names:
        return []
    flags = [] if sys.platform == "win32" else ["-O3"]
    extensions = [
        Extension(
            f"pocketmq._speedups.{name}",
            [(LEAVES / f"{name}.pyx").as_posix()],
            extra_compile_args=flags,
        )
        for name in names
    ]
    try:
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError
    except ImportError:
        if REQUIRED:
            raise
        print("warning: Cython is missing; PocketMQ will run its plain-Python leaves")
        return []
    try:
        extensions = list(cythonize(extensions, build_dir="build/cython", quiet=True))
    except CompileError as error:
        if REQUIRED:
            raise
        print(f"warning: {error}; PocketMQ will run its plain-Python leaves")
        return []
    for extension in extensions:
        extension.optional = not REQUIRED  # set here because Cython drops it
    return extensions


setup(ext_modules=compiled_leaves())
