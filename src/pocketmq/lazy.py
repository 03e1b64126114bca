"""Packages whose names are loaded when they are first used, so that importing them stays cheap.

    if TYPE_CHECKING:
        from pocketmq.net.server import Server as Server
    else:
        __getattr__ = lazy.loader(__name__, {"Server": "pocketmq.net.server"})

A type checker sees the real import; it would take any name to be there if it saw `__getattr__`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any


def loader(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package; `places` tells in which module each name is."""

    def load(name: str) -> Any:
        from importlib import import_module

        place = places.get(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(place), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
