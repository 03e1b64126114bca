"""Joins the page's modules into one script and its styles into one sheet.

The page is written as some fifty small modules, and any browser could fetch them as they are. Each
would be a request, though, which costs the browser, this process and the first view more than what
is in it. So a module and all that it imports become

    const modules = {
    "js/store.js": () => {
    const { useState } = use_module("js/view.js");
    class Cell { ... }
    return { Cell };
    },
    ...
    use_module("boot.js");

where a module runs when it is first used, and once. Only what the page's own code and its three
libraries write is understood: imports by relative path, and exports of names that are not assigned
anew later. Anything else is refused, so that a mistake is no riddle in the browser.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

_IMPORT = re.compile(r'^import\s*(?:(\w+)|\{([^}]*)\})\s*from\s*"(\.[^"]+)";?', re.M)
_IMPORT_LATER = re.compile(r'\bimport\("(\.[^"]+)"\)')
_DECLARED = re.compile(r"^export (?=(?:async function|function|class|const) (\w+)\b)", re.M)
_DEFAULT = re.compile(r"^export default |(?<=[;}])export default ", re.M)
_LISTED = re.compile(r"(?:^|(?<=[;}]))export\s*\{([^}]*)\};?", re.M)
_LEFT = re.compile(r"^.*(?:^|[;}])\s*(?:import\s*[\w{*\"]|export\s*[\w{*]).*$", re.M)
_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.M)

_FRAME = """(() => {{
"use strict";
const done = {{}};
const use_module = (name) => (done[name] ??= modules[name]());
const modules = {{
{modules}
}};
use_module("{first}");
}})();
"""


class NotLinked(Exception):
    """A module cannot be joined with the others; the text says which and why."""


def link(sources: Mapping[str, str], first: str) -> str:
    """One script that does what the module `first` does. `sources` has texts by path.

    Raise NotLinked for what is not there or not understood, and for modules that import in a ring.
    """
    texts: dict[str, str] = {}
    rings: dict[str, set[str]] = {}
    left = [first]
    while left:
        name = left.pop()
        if name in texts:
            continue
        if name not in sources:
            raise NotLinked(f"{name} is not there")
        module = _Module(name, sources[name])
        texts[name] = module.text
        rings[name] = module.at_once
        left += [*module.at_once, *module.later]
    try:
        TopologicalSorter(rings).prepare()
    except CycleError as error:
        raise NotLinked(f"modules import one another: {' > '.join(error.args[1])}") from None
    modules = ",\n".join(f'"{name}": () => {{\n{texts[name]}}}' for name in sorted(texts))
    return _FRAME.format(modules=modules, first=first)


def join_styles(sources: Mapping[str, str], names: list[str]) -> str:
    """The sheets one after the other. Raise NotLinked where one names files by its own place."""
    for name in names:
        if name not in sources:
            raise NotLinked(f"{name} is not there")
        if "url(" in sources[name] or "@import" in sources[name]:
            raise NotLinked(f"{name} refers to other files")
    return "\n".join(sources[name] for name in names)


class _Module:
    """One module as the body of a function that returns what it exports."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.at_once: set[str] = set()
        """What it imports when it starts."""
        self.later: set[str] = set()
        """What it imports when asked to."""
        exported: dict[str, str] = {}
        text = _MAP.sub("", source)
        text = _IMPORT.sub(self._import, text)
        text = _IMPORT_LATER.sub(self._import_later, text)
        for match in _DECLARED.finditer(text):
            exported[match[1]] = match[1]
        text = _DECLARED.sub("", text)
        for match in _LISTED.finditer(text):
            exported.update({outer: inner for inner, outer in _pairs(match[1])})
        text = _LISTED.sub("", text)
        if _DEFAULT.search(text):
            text = _DEFAULT.sub("const byDefault = ", text)
            exported["default"] = "byDefault"
        strange = _LEFT.search(text)
        if strange:
            raise NotLinked(f"{name} is written in another way than usual: {strange[0][:120]}")
        listed = ", ".join(f"{outer}: {inner}" for outer, inner in exported.items())
        self.text = f"{text.strip()}\nreturn {{ {listed} }};\n"

    def _import(self, match: re.Match[str]) -> str:
        name = self._place(match[3])
        self.at_once.add(name)
        if match[1]:
            wanted = f"default: {match[1]}"
        else:
            wanted = ", ".join(f"{outer}: {inner}" for outer, inner in _pairs(match[2]))
        return f'const {{ {wanted} }} = use_module("{name}");'

    def _import_later(self, match: re.Match[str]) -> str:
        name = self._place(match[1])
        self.later.add(name)
        return f'Promise.resolve().then(() => use_module("{name}"))'

    def _place(self, relative: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.name), relative))


def _pairs(listed: str) -> Iterator[tuple[str, str]]:
    """`a, b as c` as (a, a), (b, c)."""
    for one in listed.split(","):
        words = one.split()
        if words:
            yield words[0], words[-1]
