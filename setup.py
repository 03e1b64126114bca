"""Builds the compiled leaves: one extension for each `src/pocketmq/_speedups/*.pyx`.

Everything else about the package is in pyproject.toml. A machine without a C compiler still gets
a working install: an extension that cannot be built is left out with a warning, and PocketMQ runs
the Python twin of that leaf. With POCKETMQ_REQUIRE_SPEEDUPS=1 a leaf that cannot be built is an
error instead; `make check` and CI use it so that a broken leaf cannot hide.

The web console's parts that others wrote are fetched on the way (`scripts/console_parts.py`), and
the same holds: without a network they are left out with a warning that says how to get them, unless
POCKETMQ_REQUIRE_CONSOLE=1. An archive or a wheel contains them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

sys.path.insert(0, str(Path(__file__).parent / "scripts"))  # a build has no path to it otherwise
import console_parts

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


def fetch_console_parts() -> None:
    """Have the console's parts in place before files are collected."""
    try:
        console_parts.fetch_all()
    except console_parts.PartMissing as error:
        if os.environ.get("POCKETMQ_REQUIRE_CONSOLE") == "1":
            raise SystemExit(f"error: {error}") from error
        print(f"warning: {error}")


class BuildWithConsole(build_py):
    """Collects the package's files, the console's parts among them."""

    def run(self) -> None:
        """Fetch, then collect. `data_files` was listed before, so it is listed again."""
        fetch_console_parts()
        self.__dict__.pop("data_files", None)
        super().run()


class ArchiveWithConsole(sdist):
    """Writes the source archive, with the console's parts in it."""

    def run(self) -> None:
        """Fetch, then write."""
        fetch_console_parts()
        super().run()


setup(
    ext_modules=compiled_leaves(),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
    cmdclass={"build_py": BuildWithConsole, "sdist": ArchiveWithConsole},
)
