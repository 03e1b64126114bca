"""Nouns and verbs: groups whose commands are imported when called, commands with examples.

A command names what it does in its first sentence; examples follow its options in the help and in
docs/reference/cli.md. A word that is no command is answered with the nearest one.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

Place = tuple[str, str]
"""The module and the name of a command."""
Example = tuple[str, str]
"""What is typed, and what for."""

HELP_OPTIONS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Verb(click.Command):
    """A command that does something."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **settings: Any) -> None:
        settings.setdefault("context_settings", HELP_OPTIONS)
        super().__init__(*args, **settings)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


class Noun(click.Group):
    """What commands are about. Its verbs may live in other modules, named in `places`."""

    command_class = Verb

    def __init__(
        self,
        *args: Any,
        places: Mapping[str, Place] | None = None,
        examples: Sequence[Example] = (),
        sections: Mapping[str, Sequence[str]] | None = None,
        **settings: Any,
    ) -> None:
        settings.setdefault("context_settings", HELP_OPTIONS)
        super().__init__(*args, **settings)
        self.sections = sections
        self.places = dict(places or {})
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order they are declared."""
        return list(dict.fromkeys([*self.places, *self.commands]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb, imported now."""
        place = self.places.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(place[0]), place[1])
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may be meant. Raise click.UsageError."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            raise click.UsageError(
                f"there is no command {args[0]!r}; {self._near(ctx, args[0])}", ctx
            ) from None

    def _near(self, ctx: click.Context, word: str) -> str:
        import difflib

        names = self.list_commands(ctx)
        near = difflib.get_close_matches(word, names, 1)
        return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with the first sentence of each, whole; in sections, if there are."""
        names = self.list_commands(ctx)
        sections = dict(self.sections or {"Commands": names})
        told = {name for section in sections.values() for name in section}
        if len(told) < len(names):
            sections["Other commands"] = [name for name in names if name not in told]
        width = max(map(len, names))
        for title, members in sections.items():
            rows = []
            for name in members:
                command = self.get_command(ctx, name)
                if command is not None and not command.hidden:
                    rows.append((name.ljust(width), command.get_short_help_str(200)))
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the commands."""
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


def write_examples(examples: Sequence[Example], formatter: click.HelpFormatter) -> None:
    """Write examples: what is typed, and below it what for."""
    if not examples:
        return
    with formatter.section("Examples"):
        for number, (typed, purpose) in enumerate(examples):
            if number:
                formatter.write("\n")
            formatter.write(" " * formatter.current_indent + typed + "\n")
            formatter.indent()
            formatter.write_text(purpose)
            formatter.dedent()
