"""What a server says when it is ready: where it is, where the data is, what to try next."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

import pocketmq
from pocketmq.cli.version import build_words

Row = tuple[str, str]


def show_banner(rows: Sequence[Row], next_step: str) -> None:
    """Print the banner to standard output."""
    stdout = sys.stdout
    bold, dim, plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if stdout.isatty() else ("", "", "")
    build = "; ".join(build_words())
    width = max(len(label) for label, _ in rows)
    lines = [f"{bold}PocketMQ {pocketmq.__version__}{plain} is ready {dim}({build}){plain}", ""]
    lines += [f"  {label:<{width}}   {bold}{value}{plain}" for label, value in rows]
    lines += ["", f"  {next_step}", "  Stop with Ctrl-C.", ""]
    print("\n".join(lines), file=stdout, flush=True)


def program() -> str:
    """Return how a person at this terminal calls PocketMQ: by name, by path, or as a module."""
    started = sys.argv[0]
    if not os.path.basename(started).startswith("pocketmq"):
        return f"{sys.executable} -m pocketmq"
    if not os.path.exists(started):
        return "pocketmq"  # Windows leaves .exe off, and starts what is on the path
    found = shutil.which("pocketmq")
    if found is not None and os.path.samefile(found, started):
        return "pocketmq"
    here = os.path.join(os.getcwd(), "")
    return started.removeprefix(here)
