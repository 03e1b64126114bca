"""`pocketmq version`: which PocketMQ this is and how fast a build."""

from __future__ import annotations

import platform
from importlib.util import find_spec

import click

import pocketmq
from pocketmq import _speedups


def build_words() -> tuple[str, str, str]:
    """Return how this process runs: the leaves, the event loop and the interpreter."""
    loop = "asyncio" if find_spec("uvloop") is None else "uvloop"
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    return leaves_words(), loop, interpreter


def leaves_words() -> str:
    """Say whether compiled leaves run, and if not, why."""
    if _speedups.compiled():
        return "compiled leaves"
    if _speedups.PURE:
        return "plain-Python leaves, as POCKETMQ_PURE asks"
    missing = sorted(set(_speedups.leaves()) - set(_speedups.built()))
    if _speedups.built():
        return f"compiled leaves, but plain Python for {', '.join(missing)}"
    return "plain-Python leaves: slower, as no C compiler was there at install time"


@click.command()
def version() -> None:
    """Say which PocketMQ this is, and whether its fast parts are in use."""
    leaves, loop, interpreter = build_words()
    click.echo(f"PocketMQ {pocketmq.__version__} ({leaves}; {loop}; {interpreter})")
