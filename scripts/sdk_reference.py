"""Writes what documentation takes from the SDK's sources and examples.

docs/reference/sdk.md     every public name of the SDK with its parameters and its docstring
docs/tutorials/*.md       the programs of examples/python, under the links to them

python scripts/sdk_reference.py           write the pages
python scripts/sdk_reference.py --check   fail when a page is not what would be written
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pocketmq
from pocketmq import blocking
from pocketmq.client import codecs

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "python"
TUTORIALS = ROOT / "docs" / "tutorials"
REFERENCE = ROOT / "docs" / "reference" / "sdk.md"
# A link to an example, and the block of code under it.
SHOWN = re.compile(
    r"(\[(?P<name>\w+\.py)\]\(\.\./\.\./examples/python/(?P=name)\):\n\n```python\n).*?(^```\n)",
    re.DOTALL | re.MULTILINE,
)

HEAD = """<!-- Written by scripts/sdk_reference.py (make docs); change the docstrings instead. -->
# Python SDK

`import pocketmq` loads each name when it is first used, and needs the standard library alone. What
is written here with `await` is in [`pocketmq.blocking`](#pocketmqblocking) without it.
"""
GROUPS = {
    "Sending": "Producer Message SendReceipt SendStatus Transaction ProducerOptions Batching",
    "Consuming": "Consumer ReceivedMessage RetryIn Reject Sql ConsumerOptions PopConsumer "
    "LitePullConsumer PullConsumer PulledMessages MessageQueue FileOffsets ByConfig MachineRoom "
    "MachineRoomNearby",
    "Connecting": "ClientConfig TlsConfig Credentials",
    "Looking on": "Hook Statistics Trace OpenTelemetry LogMessages",
}


# Not for users, though others need to reach them.
INNER = {"broker_address", "forget", "outbox", "session"}
CODE = ("async with ", "with ", "@", "await ", "for ", "consumer = ", ">>> ")


def page() -> str:
    """Return the reference page."""
    parts = [HEAD]
    left = [name for name in pocketmq.__all__ if not name.startswith("_") and name != "errors"]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        for name in names.split():
            left.remove(name)
            parts += described(name, getattr(pocketmq, name))
    left.remove("Codecs")
    left.remove("PocketMQError")
    parts.append("## Other names\n" if left else "")
    for name in left:
        parts += described(name, getattr(pocketmq, name))
    parts.append("## `pocketmq.client.codecs`\n\n" + prose(codecs))
    for name in sorted(codecs.__all__):
        parts += described(name, getattr(codecs, name))
    parts.append("## `pocketmq.blocking`\n\n" + prose(blocking))
    for name in sorted(blocking.__all__):
        parts += described(name, getattr(blocking, name), names_alone=True)
    parts.append("## `pocketmq.errors`\n\n" + tree(pocketmq.errors.ClientError))
    return "\n".join(part for part in parts if part)


def described(name: str, thing: Any, *, names_alone: bool = False) -> Iterator[str]:
    """Yield the parts about one class or function."""
    yield f"### `{name}`\n"
    if not inspect.isclass(thing):
        if callable(thing):
            yield code(called(name, thing))
        yield prose(thing)
        return
    if not issubclass(thing, enum.Enum) and "__init__" in vars(thing):
        yield code(called(name, thing.__init__))
    yield prose(thing)
    rows = list(fields(thing))
    if rows:
        yield "\n".join(["| Field | Default | What |", "|---|---|---|", *rows]) + "\n"
    if thing.__init__.__doc__ and "__init__" in vars(thing) and not names_alone:
        text = inspect.cleandoc(thing.__init__.__doc__)
        if not text.startswith(("Initialize self", "Connects to nothing")):
            yield text + "\n"
    for member, value in methods(thing):
        yield method(member, value, names_alone=names_alone)


def methods(thing: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class, those of inner bases first."""
    found: dict[str, Any] = {}
    for each in reversed(thing.__mro__):
        if each is thing or (
            each.__module__.startswith("pocketmq.client") and each.__name__ not in pocketmq.__all__
        ):
            found.update(vars(each))
    for member, value in found.items():
        if member.startswith("_") or member in INNER or not getattr(value, "__doc__", None):
            continue
        if isinstance(value, (property, classmethod, staticmethod)) or inspect.isfunction(value):
            yield member, value


def method(name: str, value: Any, *, names_alone: bool) -> str:
    """Return a method as a list item; of a plain client its first sentence says enough."""
    text = with_code(inspect.cleandoc(value.__doc__))
    if names_alone:
        text = text.split("\n\n")[0]
    if isinstance(value, property):
        head = f"`{name}`"
    else:
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        wait = "await " if inspect.iscoroutinefunction(function) and not names_alone else ""
        head = f"`{wait}{called(name, function)}`"
    return f"- {head}\n\n{textwrap.indent(text, '  ')}\n"


def called(name: str, function: Callable[..., Any]) -> str:
    """Return a call as a person would write it, with defaults and without types."""
    shown = []
    starred = False
    for parameter in list(inspect.signature(function).parameters.values()):
        if parameter.name == "self" or parameter.name == "cls":
            continue
        text = parameter.name
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        if parameter.kind is parameter.VAR_POSITIONAL:
            text, starred = f"*{text}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            text = f"**{text}"
        if parameter.default is not parameter.empty:
            text += f"={plain(parameter.default)}"
        shown.append(text)
    return f"{name}({', '.join(shown)})"


def plain(value: object) -> str:
    """Return a default without what differs between runs."""
    text = str(value) if isinstance(value, float) else repr(value)
    return "..." if " at 0x" in text or text.startswith("<") else text


def fields(thing: type) -> Iterator[str]:
    """Yield a row for each documented field of a dataclass, tuple or enum."""
    notes = notes_of(thing)
    if issubclass(thing, enum.Enum):
        for member in thing:
            yield f"| `{member.name}` | `{member.value}` | {notes.get(member.name, '')} |"
        return
    defaults: dict[str, object] = {}
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            factory = field.default_factory
            made = factory() if factory is not dataclasses.MISSING else field.default
            defaults[field.name] = "" if made is dataclasses.MISSING else made
    elif hasattr(thing, "_field_defaults"):
        tuple_class: Any = thing
        defaults = dict.fromkeys(tuple_class._fields, "") | tuple_class._field_defaults
    for name, default in defaults.items():
        if not name.startswith("_"):
            shown = f"`{plain(default)}`" if default != "" or name in notes else ""
            yield f"| `{name}` | {shown} | {notes.get(name, '')} |".replace("| `''` |", "| |")


def notes_of(thing: type) -> dict[str, str]:
    """Return the sentences under a class's fields, and of the classes above it."""
    found: dict[str, str] = {}
    for each in reversed(thing.__mro__[:-1]):
        if not each.__module__.startswith("pocketmq"):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(body, ast.ClassDef)
        for before, after in zip(body.body, body.body[1:], strict=False):
            target = before.target if isinstance(before, ast.AnnAssign) else None
            if isinstance(before, ast.Assign):
                target = before.targets[0]  # type: ignore[assignment]
            if (
                isinstance(target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[target.id] = " ".join(str(after.value.value).split()).replace("|", "\\|")
    return found


def with_code(text: str) -> str:
    """Return a docstring whose only other paragraph is code with that indented again.

    What Python strips from docstrings depends on its version and on the paragraphs there are.
    """
    return "\n\n".join(
        textwrap.indent(part, "    ") if part.startswith(CODE) else part
        for part in text.split("\n\n")
    )


def prose(thing: Any) -> str:
    """Return a docstring; its indented blocks are code in Markdown too."""
    text = with_code(inspect.cleandoc(thing.__doc__ or ""))
    return "" if dataclasses.is_dataclass(thing) and text.startswith("(") else text + "\n"


def code(text: str) -> str:
    """Return a block of Python."""
    return f"```python\n{text}\n```\n"


def tree(root: type, depth: int = 0) -> str:
    """Return an error and those below it as nested lists."""
    first = inspect.cleandoc(root.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    lines = [f"{'  ' * depth}- `{root.__name__}`: {first}"]
    below: list[type] = root.__subclasses__()
    lines += [tree(child, depth + 1).rstrip("\n") for child in below]
    return "\n".join(lines) + "\n"


def with_examples(text: str) -> str:
    """Return a tutorial with the programs it links to."""

    def fill(match: re.Match[str]) -> str:
        program = (EXAMPLES / match["name"]).read_text(encoding="utf-8")
        return match[1] + program + match[3]

    return SHOWN.sub(fill, text)


def main() -> None:
    """Write the pages, or compare them."""
    pages = {REFERENCE: page()}
    for path in sorted(TUTORIALS.glob("*.md")):
        pages[path] = with_examples(path.read_text(encoding="utf-8"))
    stale = []
    for path, text in pages.items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if stale and "--check" in sys.argv:
        sys.exit(f"docs are out of date ({', '.join(stale)}); run make docs")


if __name__ == "__main__":
    main()
