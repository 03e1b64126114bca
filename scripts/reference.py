"""Writes docs/reference from the sources: all settings, and all commands with their flags.

python scripts/reference.py           write the pages
python scripts/reference.py --check   fail when a page is not what would be written
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from pocketmq.broker.config import BrokerConfig
from pocketmq.cli.connecting import asking
from pocketmq.cli.main import commands
from pocketmq.cli.settings_help import takes
from pocketmq.console.config import ConsoleConfig
from pocketmq.edge.config import EdgeConfig
from pocketmq.nameserver.config import NameServerConfig
from pocketmq.settings import Setting, settings_of
from pocketmq.settings.values import show

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
GENERATED = "<!-- Written by scripts/reference.py (make docs); change the source instead. -->\n"

CONFIGURATION_HEAD = """# Configuration

Nothing needs to be configured. What is set comes, each overriding the one before, from

1. the defaults below;
2. the files given with `-c`, in order: TOML, or an Apache `broker.conf` or `namesrv.conf` as it is;
3. the environment: `POCKETMQ_` and the name in capitals with `_` for `.`, such as
   `POCKETMQ_STORE_FLUSH_MODE=SYNC_FLUSH`;
4. flags: `--data`, `--host` and the like, then `--set name=value`.

A setting answers to its name below, with or without the program in front
(`broker.store.flush.mode`), to the last part of that name where it is the only such one, and to
RocketMQ's name. Numbers take a unit where the name ends in one: `30s` for `..._ms`, `2d` for
`..._hours`, `1GiB` for `..._bytes`. Under RocketMQ's name a bare number counts as in RocketMQ. In
TOML the dots are tables:

```toml
[broker.store.flush]
mode = "SYNC_FLUSH"

[nameserver.listen]
port = 9877
```

A name that nothing answers to is a warning that says the nearest known one. A name that only
RocketMQ has is a warning that says why it has no effect. A value that does not fit ends the
program with one line, before anything is opened.
"""


def configuration_page() -> str:
    """Return the page of all settings."""
    parts = [CONFIGURATION_HEAD]
    for title, section, config in (
        ("Broker", "broker", BrokerConfig()),
        ("Name server", "nameserver", NameServerConfig()),
        ("Web console", "console", ConsoleConfig()),
        ("Edge", "edge", EdgeConfig()),
    ):
        parts.append(f"## {title}: `{section}`\n")
        parts.extend(_tables(config))
    return GENERATED + "\n".join(parts)


def command_line_page() -> str:
    """Return the page of all commands and their flags."""
    parts = ["# Command line\n", _prose(commands)]
    context = click.Context(commands, info_name="pocketmq")
    common = _common_flags()
    for name, command in _leaves(commands, context):
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"## `pocketmq {name}`\n\n{_prose(command)}")
        parts.append(f"```\npocketmq {name} {usage}\n```\n")
        options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        rows = [row for row in map(_flag_row, options) if row not in common]
        if rows:
            parts.append("\n".join(["| Flag | What |", "|---|---|", *rows]) + "\n")
        examples = [f"- `{typed}`\n  {what}" for typed, what in getattr(command, "examples", ())]
        if examples:
            parts.append("\n".join(["Examples:\n", *examples]) + "\n")
    parts.append("## Flags of all commands that ask a cluster\n")
    parts.append("\n".join(["| Flag | What |", "|---|---|", *common]) + "\n")
    return GENERATED + "\n".join(parts)


def _common_flags() -> list[str]:
    """Return the rows of the flags of all commands that ask a cluster."""

    @asking
    def anything() -> None:
        """Stand for such a command."""

    return [_flag_row(option) for option in reversed(getattr(anything, "__click_params__", []))]


def _leaves(
    group: click.Group, context: click.Context, prefix: str = ""
) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands that do something, nouns and verbs together, with what calls them."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield prefix + name, command
        if isinstance(command, click.Group):
            yield from _leaves(command, context, f"{prefix}{name} ")


def _prose(command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "") + "\n"
    # What follows \b is laid out by hand.
    return re.sub(r"\x08\n(.*?)\n(?=\n|\Z)", r"```\n\1\n```\n", text, flags=re.DOTALL)


def _flag_row(option: click.Option) -> str:
    value = ""
    if isinstance(option.type, click.Choice):
        value = " " + "\\|".join(option.type.choices)
    elif not option.is_flag:
        value = " " + (option.metavar or "").replace("|", "\\|")
    return f"| `{', '.join(option.opts)}{value}` | {option.help} |"


def _tables(config: object) -> Iterator[str]:
    """Yield one table for each group of settings, those of no group first."""
    groups: dict[str, list[str]] = {"": []}
    for setting in settings_of(config):
        groups.setdefault(setting.path.rpartition(".")[0], []).append(_row(setting))
    for name, rows in groups.items():
        if rows:
            title = [f"### `{name}`", ""] if name else []
            head = ["| Name | Default | Takes | RocketMQ's name | What |", "|" + "---|" * 5]
            yield "\n".join([*title, *head, *rows]) + "\n"


def _row(setting: Setting) -> str:
    declaration = setting.declaration
    default = _default(setting)
    cells = (
        f"`{setting.path}`",
        f"`{default}`" if default else "",
        takes(setting),
        ", ".join(f"`{alias}`" for alias in declaration.aliases),
        declaration.doc,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(setting: Setting) -> str:
    """Return the default as a person would write it."""
    value = setting.default
    if setting.name.endswith("_bytes") and isinstance(value, int) and value:
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value % size == 0:
                return f"{value // size}{unit}"
    return show(value)


def main() -> None:
    """Write the pages, or compare them."""
    pages = {"configuration.md": configuration_page(), "cli.md": command_line_page()}
    stale = []
    for name, text in pages.items():
        path = REFERENCE / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if stale and "--check" in sys.argv:
        sys.exit(f"docs/reference is out of date ({', '.join(stale)}); run make docs")


if __name__ == "__main__":
    main()
